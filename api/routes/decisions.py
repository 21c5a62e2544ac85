"""What operators decide about customers, each time with a reason: acknowledge, override, suspend, release, declare."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api.http.models.parameters import CommonQuery
from api.http.problems import ApiError
from api.http.ranges import RangeError, instant
from api.http.responses import CONFLICT, REFUSALS
from api.http.tags import NOT_FOUND, OPERATOR
from api.routes.asking import Asking
from api.routes.asking_operators import Acting, Reading, refusing
from api.routes.formats import TABLES, answer
from api.routes.models.alerts import AlertId
from api.routes.models.decisions import (
    Decided,
    HeldCustomer,
    Hold,
    HoldBody,
    Holds,
    LiftBody,
    Name,
    Override,
    OverrideBody,
    Overrides,
    Reason,
    SuspensionBody,
)
from jobs.operator.decisions import acknowledge, add_override, check_known, end_override
from jobs.operator.holds import HoldShown, decide_hold, shown_holds
from jobs.operator.suspensions import suspend, unsuspend
from schemas.times import DAY_MS, utc_time
from streams.decisions.overrides import StoredOverride
from streams.decisions.stored_overrides import (
    ACKNOWLEDGED,
    ENDED,
    HOLD_CONFIRMED,
    HOLD_RELEASED,
    stored_overrides,
)
from streams.decisions.suspensions import SUSPENDED, UNSUSPENDED

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[OPERATOR])
#: Holds that are over are shown for so long.
SHOWN_DAYS = 30


@router.post(
    "/alerts/{alert_id}/acknowledge",
    summary="Acknowledge an alert",
    operation_id="acknowledgeAlert",
    response_description="It is on record.",
    responses={**NOT_FOUND, **CONFLICT},
)
def post_acknowledgement(alert_id: Annotated[AlertId, Path()], body: Reason, asked: Acting) -> Decided:
    """Say that somebody looks after it. It holds until the alert rises."""
    with refusing(), asked.service.stores.lend() as store:
        found = acknowledge(store, alert_id, by=asked.who, why=body.why, now_ms=asked.now_ms)
    return decided(asked, ACKNOWLEDGED, found.alert_id, [found.customer], body.why)


@router.get(
    "/overrides",
    summary="Overrides in force",
    operation_id="listOverrides",
    response_description="The overrides, oldest first.",
    response_model=Overrides,
    responses=TABLES,
)
def get_overrides(query: Annotated[CommonQuery, Query()], asked: Reading, request: Request) -> Response:
    """What operators decided that a rule may give a customer at most."""
    asked.on_record(query.customer or "")
    with asked.service.stores.lend() as store:
        found = stored_overrides(store, asked.now_ms, query.customer or "")
    shown = [_override(each) for each in found if each.until_ms > asked.now_ms]
    return answer(request, Overrides(overrides=shown), "overrides")


@router.post(
    "/overrides",
    summary="Let a rule give a customer no level worse than one",
    operation_id="addOverride",
    response_description="The override.",
    status_code=HTTPStatus.CREATED,
    responses=NOT_FOUND,
)
def post_override(body: OverrideBody, asked: Acting) -> Override:
    """Until a time, for all mail or a stream. Monitors judge by it within seconds; an open alert that is worse goes
    down at once, and is back at what the counts say when it ends."""
    until_ms = moment("until", body.until)
    service = asked.service
    with refusing(), service.stores.lend() as store:
        check_known(store, body.customer, body.stream)
        found = add_override(
            store,
            service.policy(store),
            body.customer,
            body.rule,
            body.level,
            until_ms,
            stream=body.stream,
            by=asked.who,
            why=body.why,
            now_ms=asked.now_ms,
        )
    return _override(found)


@router.post(
    "/overrides/{name}/end",
    summary="End an override before its time",
    operation_id="endOverride",
    response_description="It is on record.",
    responses=NOT_FOUND,
)
def post_override_end(name: Annotated[Name, Path()], body: Reason, asked: Acting) -> Decided:
    """The rule judges the customer again as it judges all others."""
    with refusing(), asked.service.stores.lend() as store:
        found = end_override(store, name, by=asked.who, why=body.why, now_ms=asked.now_ms)
    return decided(asked, ENDED, found.id, [found.customer], body.why)


@router.post(
    "/suspensions",
    summary="Suspend a customer",
    operation_id="suspendCustomer",
    response_description="It is on record.",
    responses={**NOT_FOUND, **CONFLICT},
)
def post_suspension(body: SuspensionBody, asked: Acting) -> Decided:
    """Put on record that a customer is suspended. It is judged as before."""
    with refusing(), asked.service.stores.lend() as store:
        suspend(store, body.customer, by=asked.who, why=body.why, now_ms=asked.now_ms)
    return decided(asked, SUSPENDED, body.customer, [body.customer], body.why)


@router.post(
    "/suspensions/lift",
    summary="Reinstate a customer",
    operation_id="reinstateCustomer",
    response_description="It is on record.",
    responses={**NOT_FOUND, **CONFLICT},
)
def post_reinstatement(body: LiftBody, asked: Acting) -> Decided:
    """Lift a suspension, and give the customer a fresh start if that is asked for."""
    with refusing(), asked.service.stores.lend() as store:
        unsuspend(store, body.customer, by=asked.who, why=body.why, now_ms=asked.now_ms, fresh_start=body.fresh_start)
    return decided(asked, UNSUSPENDED, body.customer, [body.customer], body.why)


@router.get(
    "/holds",
    summary="Alerts that are held",
    operation_id="listHolds",
    response_description="The holds, oldest first.",
    response_model=Holds,
    responses=TABLES,
)
def get_holds(query: Annotated[CommonQuery, Query()], asked: Reading, request: Request) -> Response:
    """Of the last 30 days, and all in which something waits for an operator."""
    asked.on_record(query.customer or "")
    with asked.service.stores.lend() as store:
        found = shown_holds(store, asked.now_ms - SHOWN_DAYS * DAY_MS, query.customer or "")
    return answer(request, Holds(holds=[_hold(each) for each in found]), "holds")


@router.post(
    "/holds/{name}/release",
    summary="Release what is held",
    operation_id="releaseHold",
    response_description="It is on record.",
    responses={**NOT_FOUND, **CONFLICT},
)
def post_release(name: Annotated[Name, Path()], body: HoldBody, asked: Acting) -> Decided:
    """Resolve the alerts that are held: the customers did nothing wrong."""
    return _decide(asked, name, body, confirm=False)


@router.post(
    "/holds/{name}/confirm",
    summary="Confirm what is held",
    operation_id="confirmHold",
    response_description="It is on record.",
    responses={**NOT_FOUND, **CONFLICT},
)
def post_confirmation(name: Annotated[Name, Path()], body: HoldBody, asked: Acting) -> Decided:
    """The alerts that are held are right, and go out again."""
    return _decide(asked, name, body, confirm=True)


def _decide(asked: Asking, name: str, body: HoldBody, *, confirm: bool) -> Decided:
    with refusing(), asked.service.stores.lend() as store:
        hold, customers = decide_hold(
            store, name, confirm=confirm, customer=body.customer, by=asked.who, why=body.why, now_ms=asked.now_ms
        )
    return decided(asked, HOLD_CONFIRMED if confirm else HOLD_RELEASED, hold.id, customers, body.why)


def decided(asked: Asking, action: str, name: str, customers: list[str], why: str) -> Decided:
    """The answer to a decision."""
    return Decided(action=action, id=name, customers=customers, by=asked.who, why=why, time=utc_time(asked.now_ms))


def moment(field: str, text: str) -> int:
    """A time in a body, epoch ms.

    Raises:
        ApiError: 422, it cannot be read.
    """
    try:
        return instant(field, text) * 1000
    except RangeError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), parameter=field) from error


def _override(found: StoredOverride) -> Override:
    plain = {name: getattr(found, name) for name in ("id", "customer", "stream", "rule", "at_most", "by", "why")}
    return Override(**plain, since=utc_time(found.since_ms), until=utc_time(found.until_ms))


def _hold(found: HoldShown) -> Hold:
    hold = found.hold
    return Hold(
        id=hold.id,
        reason=hold.reason,
        began=utc_time(hold.began_ms),
        until=utc_time(hold.until_ms),
        customers=hold.customers,
        limit=hold.limit,
        minutes=hold.minutes,
        held=[HeldCustomer(customer=each.customer, rules=list(each.rules), level=each.level) for each in found.held],
        confirmed=found.confirmed,
        released=found.released,
    )
