"""What operators decide of alerts that are held: they are right and go out again, or they are resolved.

Monitors act on it with the next judgement of each customer, within seconds. Every decision is on record in `audit`, one
row a customer.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from jobs.operator.audit import Decision, record_decisions
from jobs.operator.decisions import DecidedError, DecisionError, NoSuchError, given
from jobs.operator.one_by_one import one_by_one
from schemas.hold import Hold, hold_decided
from schemas.times import utc_time
from streams.decisions.holds import HeldAlert, HoldDecided, decided_of, held_alerts, read_holds, undecided_alerts
from streams.decisions.stored_overrides import HOLD_CONFIRMED, HOLD_DISMISSED, HOLD_RELEASED
from streams.io.outgoing import Outgoing, store_outgoing
from streams.io.store import Store

#: So many customers are named in an error.
NAMED = 3


class HeldCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer of whom alerts are held: of which rules, how bad the worst is, and when the first of them rose to
    where it would be acted on (epoch ms; 0 where that is not known)."""

    customer: str
    rules: tuple[str, ...]
    level: str
    since_ms: int = 0


class HoldShown(msgspec.Struct, frozen=True, kw_only=True):
    """A hold with who is held in it and waits for a decision, and of how many customers it was decided how."""

    hold: Hold
    held: tuple[HeldCustomer, ...]
    confirmed: int
    released: int


def shown_holds(store: Store, since_ms: int = 0, customer: str = "") -> list[HoldShown]:
    """Holds that were in force at or after `since_ms` (epoch ms), and all of which something is held still, oldest
    first; with `customer` those in which that one is or was.

    Raises:
        StoreError: the store failed.
    """
    decided = decided_of(store, customer)
    return _shown(store, undecided_alerts(store, customer, decided), decided, since_ms, customer)


def _shown(
    store: Store,
    alerts: Sequence[HeldAlert],
    decided: Mapping[str, Mapping[str, HoldDecided]],
    since_ms: int = 0,
    customer: str = "",
) -> list[HoldShown]:
    held: dict[str, dict[str, list[HeldAlert]]] = {}
    for each in alerts:
        held.setdefault(each.hold, {}).setdefault(each.customer, []).append(each)
    found = []
    for hold in read_holds(store):
        waiting, over = held.get(hold.id, {}), decided.get(hold.id, {})
        if not (waiting or (hold.until_ms >= since_ms and (over or not customer))):
            continue
        found.append(
            HoldShown(
                hold=hold,
                held=tuple(_customer(name, of_one) for name, of_one in waiting.items()),
                confirmed=_count(over, (HOLD_CONFIRMED, HOLD_DISMISSED), waiting),
                released=_count(over, (HOLD_RELEASED,), waiting),
            )
        )
    return found


def _customer(name: str, alerts: Sequence[HeldAlert]) -> HeldCustomer:
    return HeldCustomer(
        customer=name,
        rules=tuple(dict.fromkeys(each.rule for each in alerts)),
        level="critical" if any(each.level == "critical" for each in alerts) else "excessive",
        since_ms=min(each.excessive_ms for each in alerts),
    )


@one_by_one
def decide_hold(
    store: Store,
    name: str,
    *,
    confirm: bool,
    customer: str = "",
    customers: Collection[str] = (),
    by: str,
    why: str,
    now_ms: int,
) -> tuple[Hold, list[str]]:
    """Confirm what is held in a hold, or else release it; with `customer` only that one's, with `customers` theirs,
    which may overrule what was decided of them until monitors have acted on it. `name` is the hold's id or a unique
    prefix of it; empty where only one hold has anything to decide. Returns the hold and the customers concerned.

    Raises:
        DecisionError: there is no such hold, several, or nothing is held in it.
        StoreError: the store failed.
    """
    given("--by", by)
    given("--why", why)
    wanted = {*customers, *filter(None, (customer,))}
    decided = decided_of(store)
    alerts = held_alerts(store) if wanted else undecided_alerts(store, decided=decided)
    waiting = [each for each in _shown(store, alerts, decided) if each.held]
    found = _one(name, waiting, [each.id for each in read_holds(store)])
    members = [each.customer for each in found.held if not wanted or each.customer in wanted]
    if not members:
        named = ", ".join(map(repr, sorted(wanted)[:NAMED]))
        raise DecidedError(f"--customer: nothing of {named} is held in hold {found.hold.id}")
    action = HOLD_CONFIRMED if confirm else HOLD_RELEASED
    time = utc_time(now_ms)
    detail = {"reason": found.hold.reason}
    # Sent first, though it is in force by its record: what was not sent can be repeated, what was decided cannot.
    event = hold_decided(found.hold, "confirmed" if confirm else "released", members, by, why, now_ms)
    store_outgoing(store, [Outgoing(event, now_ms)])
    record_decisions(store, [Decision(time, by, action, each, found.hold.id, why, detail) for each in members])
    return found.hold, members


def _one(name: str, waiting: Sequence[HoldShown], every: Sequence[str]) -> HoldShown:
    found = [each for each in waiting if each.hold.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.hold.id for each in found)
        raise DecisionError(f"ID: more than one hold has something to decide: {names}")
    if name and any(each.startswith(name) for each in every):
        raise DecidedError(f"nothing is held any more in the hold with the id {name!r}")
    raise NoSuchError(f"there is no hold with the id {name!r}" if name else "nothing is held")


def _count(over: Mapping[str, HoldDecided], actions: Collection[str], waiting: Collection[str]) -> int:
    return sum(each.action in actions for customer, each in over.items() if customer not in waiting)
