"""Who could not be reached and who complained, for a customer's suppression lists."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.http.responses import REFUSALS
from api.http.tags import CUSTOMER
from api.routes import cursors
from api.routes.asking import Asked
from api.routes.formats import TABLES, answer
from api.routes.models.outcomes import (
    Complaint,
    Complaints,
    ComplaintsQuery,
    Failure,
    Failures,
    FailuresQuery,
    OutcomesQuery,
)
from api.routes.outcomes_store import Wanted, complaints, failures, key_of
from schemas.times import DAY_MS, utc_time

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[CUSTOMER])

#: So long outcomes are kept (clickhouse/0002_events.sql), and so far is looked back if nobody says from when.
KEPT_DAYS, SHOWN_DAYS = 120, 30


@router.get(
    "/failures",
    summary="Who could not be reached",
    operation_id="listFailures",
    response_description="The failures, the latest first.",
    response_model=Failures,
    responses=TABLES,
)
def get_failures(query: Annotated[FailuresQuery, Query()], asked: Asked, request: Request) -> Response:
    """Messages that failed, recipient by recipient, of the last 120 days: `hard` ones if nothing else is said, which
    are for suppression lists."""
    wanted, same = _wanted("failures", query, asked)
    with asked.service.stores.lend() as store:
        found = failures(store, wanted, query.kind, query.bounce_class or "")
    rows = [Failure(**_fields(each)) for each in found[: query.limit]]
    return answer(request, Failures(failures=rows, next=_next(same, found, query.limit)), "failures")


@router.get(
    "/complaints",
    summary="Who complained",
    operation_id="listComplaints",
    response_description="The complaints, the latest first.",
    response_model=Complaints,
    responses=TABLES,
)
def get_complaints(query: Annotated[ComplaintsQuery, Query()], asked: Asked, request: Request) -> Response:
    """Recipients who complained, of the last 120 days: they are to get no mail any more."""
    wanted, same = _wanted("complaints", query, asked)
    with asked.service.stores.lend() as store:
        found = complaints(store, wanted, unsubscribed=query.unsubscribed)
    rows = [Complaint(**_fields(each)) for each in found[: query.limit]]
    return answer(request, Complaints(complaints=rows, next=_next(same, found, query.limit)), "complaints")


def _wanted(route: str, query: OutcomesQuery, asked: Asked) -> tuple[Wanted, str]:
    customer = asked.about(query.customer)
    since, until = asked.times(query.start, query.end, SHOWN_DAYS * DAY_MS, KEPT_DAYS * DAY_MS)
    same = cursors.question(route, whose=customer, **cursors.filters_of(query.model_dump(exclude={"customer"})))
    wanted = Wanted(
        customer=customer,
        since_ms=since,
        before=cursors.after(same, query.cursor, tuple[int, str, int, str], (until + 1, "", 0, "")),
        limit=query.limit + 1,
        stream=query.stream or "",
        campaign=query.campaign or "",
        provider=query.provider or "",
    )
    return wanted, same


def _next(same: str, found: Sequence[dict[str, Any]], limit: int) -> str | None:
    return cursors.cursor(same, key_of(found[limit - 1])) if len(found) > limit else None


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    sent_s = int(row["sent_s"])
    return {**row, "time": utc_time(int(row["at"])), "sent": utc_time(sent_s * 1000) if sent_s else None}
