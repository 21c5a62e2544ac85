"""Giving a customer a fresh start: what it sent before accuses it no more (`streams.subjects.fresh_starts`)."""

from jobs.operator.audit import Decision, record_decision
from jobs.operator.decisions import given, named
from schemas.customer_event import CustomerDecision, customer_event
from schemas.times import utc_time
from streams.io.outgoing import Outgoing, store_outgoing
from streams.io.store import Store
from streams.subjects.fresh_starts import FreshStart, first_minute

#: What `audit` calls it.
FRESH_START = "fresh start given"


def give_fresh_start(store: Store, customer: str, *, by: str, why: str, now_ms: int) -> FreshStart:
    """All windows of the customer begin anew with the next full minute after `now_ms` (epoch ms).

    Raises:
        DecisionError: that is no name, or nobody is named who decides it.
        StoreError: the store failed; it may be given again.
    """
    customer = named("CUSTOMER", customer)
    given("--by", by)
    fresh = FreshStart(since_s=first_minute(now_ms), decided_ms=now_ms, by=by, why=why)
    time, since = utc_time(now_ms), utc_time(fresh.since_s * 1000)
    # First on record and to be sent, then in force: what is not in force can be repeated.
    record_decision(store, Decision(time, by, FRESH_START, customer, customer, why, {"since_ms": fresh.since_s * 1000}))
    decided = CustomerDecision(
        customer=customer, kind="reinstated", by=by, why=why, decided_ms=now_ms, since_ms=fresh.since_s * 1000
    )
    store_outgoing(store, [Outgoing(customer_event(decided), now_ms)])
    row = {"customer": customer, "decided": time, "since": since, "who": by, "why": why}
    store.insert("fresh_starts", {name: [value] for name, value in row.items()})
    return fresh
