"""The customer's HTTP interface: where they stand, and their rates over time."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Query, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.http import examples, keys, reference
from api.http.access import Owner, Service, Services, customer_for
from api.http.cohorts import cohorts
from api.http.listings import all_listings, own_listings
from api.http.metrics import Judged, Stages, health_body, health_status, registry
from api.http.models.listings import Listings
from api.http.models.parameters import CohortsQuery, CommonQuery, ListingsQuery, RatesQuery, ScoresQuery
from api.http.models.problems import HealthAnswer, Problem
from api.http.models.rates import Cohorts, Series
from api.http.models.standing import ScoreHistory, Standing
from api.http.pool import StorePool
from api.http.problems import MEDIA_TYPE, RETRY_AFTER_S, ApiError, add_handlers
from api.http.ranges import WINDOW_S, RangeError, rfc3339, span
from api.http.rates import Definition, RateRequest, series
from api.http.scores import days, score_history
from api.http.standing import standing
from schemas import policy as policies
from schemas import providers
from schemas.policy import Policy
from schemas.times import utc_now_ms
from streams.io.health import HealthLimits, HealthVerdict, Observations, verdict
from streams.io.pulse import Pulse
from streams.io.store import Store

ABOUT = """What became of your mail, as numbers: where you stand under the sending policy, and the complaint,
failure, block and exposure rates behind it.

Send your key with every request, as `Authorization: Bearer KEY` or `X-API-Key: KEY`.

Rates are ratios: 0.003 is 0.3 %. Times are RFC 3339 in UTC. Errors are problem details (RFC 9457)."""


log = logging.getLogger("repmon.api")

STORE_DOWN: dict[str, Any] = {
    "model": Problem,
    "description": "The store does not answer. Try again after `Retry-After` seconds.",
}
router = APIRouter()
v1 = APIRouter(
    prefix="/v1",
    responses={
        401: {"model": Problem, "description": "No key, or one that is not known or was revoked."},
        403: {"model": Problem, "description": "The key is for another customer."},
        422: {"model": Problem, "description": "A parameter is missing or wrong; `errors` names it."},
        503: STORE_DOWN,
    },
)


@v1.get("/standing", summary="Where you stand", response_description="Where you stand.")
def get_standing(
    asked: Annotated[CommonQuery, Query()], owner: Owner, service: Services, response: Response
) -> Standing:
    """The standing of all your mail and of each stream, with scores, the rates of the last 24 hours, open alerts, and
    what is left of each rule until its next level."""
    customer = customer_for(owner, asked.customer)
    response.headers["Cache-Control"] = "no-store"
    with service.stores.lend() as store:
        return standing(store, customer, service.definition, service.policy(store), service.clock())


@v1.get("/rates", summary="A rate over time", response_description="The rate, bucket by bucket.")
def get_rates(asked: Annotated[RatesQuery, Query()], owner: Owner, service: Services, response: Response) -> Series:
    """One rate in buckets of a minute (ranges up to 6 hours), an hour (up to 31 days) or a day.

    Each point has the bucket's own counts and, in `window`, the sliding window that ends with the bucket: the
    rate that the policy judges. Days and hours begin in UTC. The running bucket ends now, and its window is the
    one that is judged now: it begins at a full minute, or at a full hour where it is longer than a day.
    """
    customer = customer_for(owner, asked.customer)
    window_s = WINDOW_S[asked.window]
    try:
        cut = span(asked.start, asked.end, window_s, service.clock())
    except RangeError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), parameter=error.parameter) from error
    response.headers["Cache-Control"] = "no-store"
    with service.stores.lend() as store:
        points = series(store, RateRequest(customer, asked.scope, asked.metric, window_s), cut, service.definition)
    return Series(
        customer=customer,
        scope=asked.scope,
        metric=asked.metric,
        window=asked.window,
        **{"from": rfc3339(cut.start), "to": rfc3339(cut.end)},
        step_s=cut.step,
        points=points,
    )


@v1.get("/scores", summary="Scores day by day", response_description="The scores, oldest first.")
def get_scores(
    asked: Annotated[ScoresQuery, Query()], owner: Owner, service: Services, response: Response
) -> ScoreHistory:
    """Scores from 0 to 100 as they were last said on each day, for up to 400 days."""
    customer = customer_for(owner, asked.customer)
    try:
        first, last = days(asked.start, asked.end, service.clock())
    except RangeError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), parameter=error.parameter) from error
    response.headers["Cache-Control"] = "no-store"
    with service.stores.lend() as store:
        return score_history(store, customer, asked.scope, first, last)


@v1.get("/cohorts", summary="Complaints by the day of sending", response_description="The rate, day by day.")
def get_cohorts(
    asked: Annotated[CohortsQuery, Query()], owner: Owner, service: Services, response: Response
) -> Cohorts:
    """The complaint rate of each day's mail: a complaint counts on the day its message was sent."""
    customer = customer_for(owner, asked.customer)
    response.headers["Cache-Control"] = "no-store"
    with service.stores.lend() as store:
        return cohorts(store, customer, asked.days, service.definition, service.clock())


@v1.get("/listings", summary="What is on blocklists", response_description="The listings, latest first.")
def get_listings(
    asked: Annotated[ListingsQuery, Query()], owner: Owner, service: Services, response: Response
) -> Listings:
    """Addresses and domains on blocklists that your mail went through, and how much of it.

    An operator's key sees whom each listing is attributed to, of all listings or of a customer's.
    """
    response.headers["Cache-Control"] = "no-store"
    days, now_ms = asked.ended_days, service.clock()
    if owner.is_operator and not asked.customer:
        with service.stores.lend() as store:
            return all_listings(store, days, service.owners, now_ms)
    customer, causes = customer_for(owner, asked.customer), owner.is_operator
    with service.stores.lend() as store:
        return own_listings(store, customer, days, service.owners, now_ms, with_causes=causes)


@router.get(
    "/healthz",
    summary="Whether everything works",
    response_description="It does.",
    responses={503: {"model": HealthAnswer, "description": "It does not; `failing` names what fails."}},
)
def get_health(service: Services, response: Response) -> HealthAnswer:
    """Names each part that fails, such as the store. Needs no key."""
    found = service.health()
    if not found.well:
        log.warning("%s: %s", found.stage, found)
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    response.status_code = health_status(found)
    response.headers["Cache-Control"] = "no-store"
    # Anybody may ask, so the words of errors, which name addresses, are for the log.
    return HealthAnswer(**msgspec.to_builtins(health_body(found, for_operators=False)))


@router.get("/livez", include_in_schema=False)
def get_alive() -> PlainTextResponse:
    """That the process runs."""
    return PlainTextResponse("ok\n")


def asks_the_store(stores: StorePool) -> Judged:
    """Health of an interface that is by itself: whether the store answers."""

    def question() -> None:
        with stores.lend() as store:
            store.rows("SELECT 1")

    pulse = Pulse("ask store", question, every_s=0.0)

    def judged() -> HealthVerdict:
        now_ms = utc_now_ms()
        pulse.ask()
        return verdict("api", Observations(now_ms=now_ms, store=pulse.contact), HealthLimits(silent_ms=0))

    return judged


def create_app(
    open_store: Callable[[], Store],
    clock: Callable[[], int] | None = None,
    *,
    expired_is_failure: bool = True,
    policy: Callable[[Store], Policy] | None = None,
    stages: Stages = dict,
    judged: Judged | None = None,
    owners: Mapping[str, str] | None = None,
) -> FastAPI:
    """The application. Connections are made with `open_store` when first needed; `clock` gives epoch ms.

    `expired_is_failure` is the policy's: whether mail that was given up enters the failure rate. `policy` gives the one
    in force, by default the built-in one. `stages` are those
    that run in this process, whose numbers `/metrics` shows, and `judged` says what is wrong with them; without it
    the store is asked when somebody wants to know. `owners` are the customers of dedicated pools.
    """
    now = clock or utc_now_ms
    stores, built_in = StorePool(open_store), policies.load_policy()

    def look_up(presented: str) -> keys.KeyOwner | None:
        with stores.lend() as store:
            return keys.find(store, presented)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        stores.close()

    app = FastAPI(
        title="Sending reputation",
        version="1",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = Service(
        stores=stores,
        keys=keys.KeyCache(look_up, now),
        clock=now,
        policy=policy or (lambda _: built_in),
        definition=Definition(tuple(providers.load_providers().with_feedback_loop()), expired_is_failure),
        owners=owners or {},
        health=judged or asks_the_store(stores),
    )
    add_handlers(app)
    app.include_router(v1)
    app.include_router(router)

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(reference.page(app.openapi()), headers=reference.HEADERS)

    collected = registry(stages, app.state.service.health)

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> PlainTextResponse:
        return PlainTextResponse(generate_latest(collected), media_type=CONTENT_TYPE_LATEST)

    # FastAPI keeps the document it makes here and serves it as /openapi.json.
    _complete(app.openapi())
    return app


def _complete(document: dict[str, Any]) -> None:
    """What FastAPI cannot say: that errors are `application/problem+json`, and examples with nulls in them."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                content = response["content"].pop("application/json")
                if status == "200":
                    response["content"]["application/json"] = content | {"example": examples.ANSWERS[path]}
                elif path == "/healthz":
                    response["content"]["application/json"] = content | {"example": examples.UNWELL}
                else:
                    response["content"][MEDIA_TYPE] = content | {"example": examples.REFUSALS[status]}
