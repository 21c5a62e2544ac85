"""Where a customer stands, what is left of its rules, its scores, and complaints by the day of sending."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.http.cohorts import cohorts
from api.http.models.parameters import CohortsQuery, CommonQuery, ScoresQuery
from api.http.models.rates import Cohorts
from api.http.models.standing import ScoreHistory, Standing
from api.http.problems import ApiError
from api.http.ranges import RangeError
from api.http.responses import REFUSALS
from api.http.scores import days, score_history
from api.http.standing import standing
from api.http.tags import CUSTOMER
from api.routes.asking import Asked
from api.routes.formats import TABLES, answer
from api.routes.models.allowances import Allowances, ScopeHeadroom

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[CUSTOMER])


@router.get("/standing", summary="Where you stand", operation_id="getStanding", response_description="Where you stand.")
def get_standing(wanted: Annotated[CommonQuery, Query()], asked: Asked, response: Response) -> Standing:
    """The standing of all your mail and of each stream, with scores, the rates of the last 24 hours, open alerts, and
    what is left of each rule until its next level."""
    response.headers["Cache-Control"] = "no-store"
    return _standing(asked, asked.about(wanted.customer))


@router.get(
    "/allowances",
    summary="What is left of each rule",
    operation_id="getAllowances",
    response_description="What is left.",
    response_model=Allowances,
    responses=TABLES,
)
def get_allowances(wanted: Annotated[CommonQuery, Query()], asked: Asked, request: Request) -> Response:
    """How many more complaints, failures and so on each rule bears until its next level, exactly, at the present
    volume."""
    found = _standing(asked, asked.about(wanted.customer))
    rows = [
        ScopeHeadroom(scope=scope.scope, **left.model_dump()) for scope in found.scopes for left in scope.allowances
    ]
    return answer(request, Allowances(customer=found.customer, time=found.time, allowances=rows), "allowances")


@router.get(
    "/scores",
    summary="Scores day by day",
    operation_id="getScores",
    response_description="The scores, oldest first.",
    response_model=ScoreHistory,
    responses=TABLES,
)
def get_scores(wanted: Annotated[ScoresQuery, Query()], asked: Asked, request: Request) -> Response:
    """Scores from 0 to 100 as they were last said on each day, for up to 400 days."""
    customer = asked.about(wanted.customer)
    try:
        first, last = days(wanted.start, wanted.end, asked.now_ms)
    except RangeError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), parameter=error.parameter) from error
    with asked.service.stores.lend() as store:
        found = score_history(store, customer, wanted.scope, first, last)
    return answer(request, found, "days")


@router.get(
    "/cohorts",
    summary="Complaints by the day of sending",
    operation_id="getCohorts",
    response_description="The rate, day by day.",
    response_model=Cohorts,
    responses=TABLES,
)
def get_cohorts(wanted: Annotated[CohortsQuery, Query()], asked: Asked, request: Request) -> Response:
    """The complaint rate of each day's mail: a complaint counts on the day its message was sent."""
    customer = asked.about(wanted.customer)
    with asked.service.stores.lend() as store:
        found = cohorts(store, customer, wanted.days, asked.service.definition, asked.now_ms)
    return answer(request, found, "days")


def _standing(asked: Asked, customer: str) -> Standing:
    service = asked.service
    with service.stores.lend() as store:
        return standing(store, customer, service.definition, service.policy(store), asked.now_ms)
