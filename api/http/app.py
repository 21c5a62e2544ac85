"""The customer's HTTP interface: where they stand, and their rates over time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.http import reference
from api.http.access import Service, Services
from api.http.document import complete
from api.http.frame import add_frame
from api.http.kept_rates import KeptRates
from api.http.key_lookups import KeyLookups
from api.http.keys import StoredKeys
from api.http.metrics import Judged, Stages, health_body, health_status, registry
from api.http.models.problems import HealthAnswer
from api.http.pool import SIZE, SPARE, StorePool
from api.http.problems import RETRY_AFTER_S, add_handlers
from api.http.rates import Definition
from api.http.reads import ReadLog
from api.http.routing import add_routes
from api.http.tags import HEALTH, TAGS
from jobs.operator.policy_store import publisher
from schemas import policy as policies
from schemas import providers
from schemas.applied_policy import AppliedPolicy
from schemas.policy import Policy
from schemas.settings import Settings
from schemas.times import utc_now_ms
from streams.io.health import HealthLimits, HealthVerdict, Observations, verdict
from streams.io.pulse import Pulse
from streams.io.store import Store

ABOUT = """What became of your mail, as numbers: where you stand under the sending policy, and the complaint,
failure, block and exposure rates behind it.

Send your key with every request, as `Authorization: Bearer KEY` or `X-API-Key: KEY`.

Rates are ratios: 0.003 is 0.3 %. Times are RFC 3339 in UTC. Errors are problem details (RFC 9457)."""


log = logging.getLogger("repmon.api")

router = APIRouter()


@router.get(
    "/healthz",
    tags=[HEALTH],
    operation_id="getHealth",
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
    routers: Sequence[APIRouter],
    clock: Callable[[], int] | None = None,
    *,
    expired_is_failure: bool = True,
    policy: Callable[[Store], Policy] | None = None,
    stages: Stages = dict,
    judged: Judged | None = None,
    owners: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    publish: Callable[[AppliedPolicy], None] | None = None,
) -> FastAPI:
    """The application. Connections are made with `open_store` when first needed; `clock` gives epoch ms. `routers` are
    the groups of routes it answers (`api.routes.all`).

    `expired_is_failure` is the policy's: whether mail that was given up enters the failure rate. `policy` gives the one
    in force, by default the built-in one. `stages` are those
    that run in this process, whose numbers `/metrics` shows, and `judged` says what is wrong with them; without it
    the store is asked when somebody wants to know. `owners` are the customers of dedicated pools. `settings` say what
    lists are asked and where policies are published, by `publish` if it is given.
    """
    now, settings = clock or utc_now_ms, settings or Settings()
    stores, built_in = StorePool(open_store, SIZE + SPARE), policies.load_policy()

    stored_keys = StoredKeys(open_store)
    definition = Definition(tuple(providers.load_providers().with_feedback_loop()), expired_is_failure)
    memory = settings.api.rates_memory_mb * 1_000_000

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(app.state.service.close)

    app = FastAPI(
        title="Sending reputation",
        version="1",
        description=ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host that the request names
        lifespan=lifespan,
        openapi_tags=TAGS,
    )
    app.state.service = Service(
        stores=stores,
        keys=KeyLookups(stored_keys, now),
        clock=now,
        policy=policy or (lambda _: built_in),
        definition=definition,
        owners=owners or {},
        health=judged or asks_the_store(stores),
        reads=ReadLog(stores, now),
        settings=settings,
        publish=publish or publisher(settings.kafka),
        kept=KeptRates(open_store, definition, now, memory, settings.api.rates_age_s),
    )
    add_frame(app, settings.api.cors_origins)
    add_handlers(app)
    add_routes(app, (*routers, router))

    plain = app.openapi

    # It takes a quarter of a second, and few who start an interface ask for it.
    @cache
    def described() -> dict[str, Any]:
        found = plain()
        complete(found)
        return found

    app.openapi = described  # type: ignore[method-assign]

    # Both need no key, so they are made once and cost nothing to ask for again and again.
    @cache
    def page() -> str:
        return reference.page(app.openapi())

    @cache
    def document() -> bytes:
        return msgspec.json.encode(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(), headers=reference.HEADERS)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return Response(document(), media_type="application/json")

    collected = registry(stages, app.state.service.health)

    if not settings.api.metrics_port:

        @app.get("/metrics", include_in_schema=False)
        def metrics() -> PlainTextResponse:
            return PlainTextResponse(generate_latest(collected), media_type=CONTENT_TYPE_LATEST)

    return app
