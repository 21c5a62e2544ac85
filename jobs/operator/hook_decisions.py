"""What people decide of a suspension hook: that somebody large may be acted on, and that the breaker is closed."""

from jobs.operator.audit import Decision, record_decision
from jobs.operator.decisions import DecisionError, given
from jobs.operator.one_by_one import one_by_one
from schemas.breaker_event import BreakerChange, breaker_event
from schemas.times import utc_time
from streams.decisions.hook import (
    APPROVALS,
    APPROVED,
    BREAKER_CLOSED,
    approved_by,
    breaker_subject,
    read_breaker,
    same_name,
)
from streams.io.outgoing import Outgoing, store_outgoing
from streams.io.store import Store


@one_by_one
def approve_action(store: Store, customer: str, cycle: str, *, by: str, why: str, now_ms: int) -> list[str]:
    """Approve what waits for two people; `cycle` is its id. Returns who has approved it by now.

    Raises:
        DecisionError: nobody is named, no reason is given, or the same person approved it before.
        StoreError: the store failed.
    """
    given("--by", by)
    given("--why", why)
    people = approved_by(store, cycle)
    if same_name(by) in {same_name(each) for each in people}:
        raise DecisionError(f"--by: {by} has approved {cycle} already; it takes {APPROVALS} people")
    record_decision(store, Decision(utc_time(now_ms), by, APPROVED, customer, cycle, why, {}))
    return [*people, by]


def close_breaker(store: Store, mode: str, *, by: str, why: str, now_ms: int) -> str:
    """Close the breaker of a mode (`act`, `dry`). Returns why it was open.

    Raises:
        DecisionError: it is not open, nobody is named, or no reason is given.
        StoreError: the store failed.
    """
    given("--by", by)
    given("--why", why)
    found = read_breaker(store, mode)
    if not found.is_open:
        raise DecisionError("the breaker is not open")
    if mode == "act":
        change = BreakerChange(kind="closed", by=by, why=why, time_ms=now_ms)
        store_outgoing(store, [Outgoing(breaker_event(change), now_ms)])
    record_decision(store, Decision(utc_time(now_ms), by, BREAKER_CLOSED, "", breaker_subject(mode), why, {}))
    return found.why
