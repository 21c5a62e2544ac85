"""Where a customer stands, and its rates, scores and listings."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.http.access import Owner, Services, customer_for
from api.http.cohorts import cohorts
from api.http.listings import all_listings, own_listings
from api.http.models.listings import Listings
from api.http.models.parameters import CohortsQuery, CommonQuery, ListingsQuery, RatesQuery, ScoresQuery
from api.http.models.rates import Cohorts, Series
from api.http.models.standing import ScoreHistory, Standing
from api.http.problems import ApiError
from api.http.ranges import WINDOW_S, RangeError, rfc3339, span
from api.http.rates import RateRequest, series
from api.http.responses import REFUSALS
from api.http.scores import days, score_history
from api.http.standing import standing

router = APIRouter(prefix="/v1", responses=REFUSALS)


@router.get("/standing", summary="Where you stand", response_description="Where you stand.")
def get_standing(
    asked: Annotated[CommonQuery, Query()], owner: Owner, service: Services, response: Response
) -> Standing:
    """The standing of all your mail and of each stream, with scores, the rates of the last 24 hours, open alerts, and
    what is left of each rule until its next level."""
    customer = customer_for(owner, asked.customer)
    response.headers["Cache-Control"] = "no-store"
    with service.stores.lend() as store:
        return standing(store, customer, service.definition, service.policy(store), service.clock())


@router.get("/rates", summary="A rate over time", response_description="The rate, bucket by bucket.")
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


@router.get("/scores", summary="Scores day by day", response_description="The scores, oldest first.")
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


@router.get("/cohorts", summary="Complaints by the day of sending", response_description="The rate, day by day.")
def get_cohorts(
    asked: Annotated[CohortsQuery, Query()], owner: Owner, service: Services, response: Response
) -> Cohorts:
    """The complaint rate of each day's mail: a complaint counts on the day its message was sent."""
    customer = customer_for(owner, asked.customer)
    response.headers["Cache-Control"] = "no-store"
    with service.stores.lend() as store:
        return cohorts(store, customer, asked.days, service.definition, service.clock())


@router.get("/listings", summary="What is on blocklists", response_description="The listings, latest first.")
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
