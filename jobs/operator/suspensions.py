"""Suspending a customer, and lifting that: what people (or a hook) say was done. Nothing is stopped by it.

It is shown as the customer's standing and stays on record. The customer is judged as before, so that everybody sees
when it could be lifted.
"""

from jobs.operator.audit import Decision, record_decision
from jobs.operator.decisions import DecidedError, check_known, given, named
from jobs.operator.fresh_starts import give_fresh_start
from jobs.operator.one_by_one import one_by_one
from schemas.customer_event import CustomerDecision, CustomerEventKind, customer_event
from schemas.times import utc_time
from streams.decisions.suspensions import SUSPENDED, UNSUSPENDED, Suspension, suspension
from streams.io.outgoing import Outgoing, store_outgoing
from streams.io.store import Store


@one_by_one
def suspend(store: Store, customer: str, *, by: str, why: str, now_ms: int) -> None:
    """Note that a customer is suspended from `now_ms` (epoch ms) on.

    Raises:
        DecisionError: nothing is known of such a customer, it is suspended already, or nobody is named, or no reason.
        StoreError: the store failed.
    """
    customer = named("CUSTOMER", customer)
    given("--by", by)
    given("--why", why)
    check_known(store, customer)
    if (found := suspension(store, customer)) is not None:
        raise DecidedError(f"customer {customer!r} is suspended already, by {found.by}")
    _store(store, customer, SUSPENDED, by, why, now_ms, now_ms)


@one_by_one
def unsuspend(store: Store, customer: str, *, by: str, why: str, now_ms: int, fresh_start: bool = False) -> Suspension:
    """Note that a suspension is lifted, and with `fresh_start` that the customer's windows begin anew from then on.
    Returns what it was.

    Raises:
        DecisionError: the customer is not suspended, or nobody is named.
        StoreError: the store failed.
    """
    given("--by", by)
    found = suspension(store, customer)
    if found is None:
        raise DecidedError(f"customer {customer!r} is not suspended")
    if fresh_start:
        give_fresh_start(store, customer, by=by, why=why, now_ms=now_ms)
    _store(store, customer, UNSUSPENDED, by, why, found.since_ms, now_ms)
    return found


def _store(store: Store, customer: str, action: str, by: str, why: str, since_ms: int, now_ms: int) -> None:
    """First on record and to be sent, then in force: what is not in force can be repeated."""
    time = utc_time(now_ms)
    record_decision(store, Decision(time, by, action, customer, customer, why, {}))
    kind: CustomerEventKind = "suspended" if action == SUSPENDED else "unsuspended"
    decided = CustomerDecision(customer=customer, kind=kind, by=by, why=why, decided_ms=now_ms, since_ms=since_ms)
    store_outgoing(store, [Outgoing(customer_event(decided), now_ms)])
    row = {
        "customer": customer,
        "suspended": action == SUSPENDED,
        "since": time,
        "who": by,
        "why": why,
        "updated": time,
    }
    store.insert("suspensions", {name: [value] for name, value in row.items()})
