"""Holds as they are stored, what is held in each, and what was decided of it."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from schemas.hold import Hold
from schemas.times import utc_time
from streams.decisions.stored_overrides import HOLD_CONFIRMED, HOLD_DISMISSED, HOLD_RELEASED
from streams.io.store import Store

#: The alerts that are held, by hold.
HELD = """
SELECT JSONExtractString(last, 'held', 'id') AS hold, customer, scope, rule, level,
    JSONExtractInt(last, 'excessive_ms')
FROM (
    SELECT customer, scope, rule, argMax(state, updated) AS last, argMax(level, updated) AS level
    FROM alert_states
    WHERE {customer:String} = '' OR customer = {customer:String}
    GROUP BY customer, scope, rule
)
WHERE hold != '' AND customer != ''
ORDER BY hold, customer, scope, rule
"""
#: What was decided last of each customer in each hold.
DECIDED = """
SELECT subject, customer, argMax(action, audit.time), toUnixTimestamp64Milli(max(audit.time)) FROM audit
WHERE action IN {actions:Array(String)} AND ({customer:String} = '' OR customer = {customer:String})
GROUP BY subject, customer
"""
DECIDED_IN = """
SELECT subject, customer, argMax(action, audit.time) FROM audit
WHERE action IN {actions:Array(String)} AND audit.time >= fromUnixTimestamp64Milli({since:Int64})
    AND audit.time < fromUnixTimestamp64Milli({until:Int64})
GROUP BY subject, customer
"""
#: Those that were in force at or after a time.
HOLDS = "SELECT detail FROM holds FINAL WHERE until >= fromUnixTimestamp64Milli({since:Int64}) ORDER BY until, id"
#: Those by the brake of which it was not said yet that they are over.
OPEN = """
SELECT detail FROM holds FINAL WHERE reason = 'brake' AND JSONExtractInt(detail, 'ended_ms') = 0 ORDER BY until, id
"""

_decode = msgspec.json.Decoder(Hold).decode


class HeldAlert(NamedTuple):
    """An alert that is held, in the hold of this id; `excessive_ms` (epoch ms) is when it rose to where it is acted
    on."""

    hold: str
    customer: str
    scope: str
    rule: str
    level: str
    excessive_ms: int


class HoldDecided(NamedTuple):
    """What was decided last of a customer in a hold, and when (epoch ms)."""

    action: str
    time_ms: int

    def is_about(self, alert: HeldAlert) -> bool:
        """Whether monitors will act on it with the next judgement: what is older than the alert was of others. Of a
        dismissed incident those stay held whose rate has fallen."""
        return self.action in (HOLD_CONFIRMED, HOLD_RELEASED) and alert.excessive_ms <= self.time_ms


def held_alerts(store: Store, customer: str = "") -> list[HeldAlert]:
    """The alerts that are held, by hold; with `customer` only that one's.

    Raises:
        StoreError: the store failed.
    """
    return [
        HeldAlert(str(hold), str(whose), str(scope), str(rule), str(level), int(excessive_ms))
        for hold, whose, scope, rule, level, excessive_ms in store.rows(HELD, {"customer": customer})
    ]


def undecided_alerts(
    store: Store, customer: str = "", decided: Mapping[str, Mapping[str, HoldDecided]] | None = None
) -> list[HeldAlert]:
    """The alerts that are held and of which nobody has decided: between a decision and the next judgement they are
    held still, and a decision about all others must not overrule it. `decided` is what `decided_of` says, where who
    asks has it.

    Raises:
        StoreError: the store failed.
    """
    known = decided_of(store, customer) if decided is None else decided
    found = []
    for each in held_alerts(store, customer):
        last = known.get(each.hold, {}).get(each.customer)
        if last is None or not last.is_about(each):
            found.append(each)
    return found


def decided_of(store: Store, customer: str = "") -> dict[str, dict[str, HoldDecided]]:
    """What was decided last, by hold and customer.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, dict[str, HoldDecided]] = {}
    asked = {"actions": [HOLD_CONFIRMED, HOLD_RELEASED, HOLD_DISMISSED], "customer": customer}
    for hold, whose, action, time_ms in store.rows(DECIDED, asked):
        found.setdefault(str(hold), {})[str(whose)] = HoldDecided(str(action), int(time_ms))
    return found


def hold_decisions(store: Store, since_ms: int, until_ms: int) -> list[str]:
    """What operators decided in this time (epoch ms) of customers who were held, one of each hold (`HOLD_CONFIRMED`,
    `HOLD_RELEASED`).

    Raises:
        StoreError: the store failed.
    """
    asked = {"actions": [HOLD_CONFIRMED, HOLD_RELEASED, HOLD_DISMISSED], "since": since_ms, "until": until_ms}
    found = [str(action) for _, _, action in store.rows(DECIDED_IN, asked)]
    return [HOLD_CONFIRMED if each == HOLD_DISMISSED else each for each in found]


def read_holds(store: Store, since_ms: int = 0) -> list[Hold]:
    """The holds that were in force at or after `since_ms` (epoch ms), oldest first.

    Raises:
        StoreError: the store failed.
    """
    return [_decode(detail) for (detail,) in store.rows(HOLDS, {"since": max(0, since_ms)})]


def open_holds(store: Store) -> list[Hold]:
    """The holds by the brake that are not known to be over, oldest first.

    Raises:
        StoreError: the store failed.
    """
    return [_decode(detail) for (detail,) in store.rows(OPEN)]


def store_hold(store: Store, hold: Hold, now_ms: int) -> None:
    """Write a hold as it is now.

    Raises:
        StoreError: the store failed.
    """
    row = {
        "id": hold.id,
        "reason": hold.reason,
        "until": utc_time(hold.until_ms),
        "detail": msgspec.json.encode(hold).decode(),
        "updated": utc_time(now_ms),
    }
    store.insert("holds", {name: [value] for name, value in row.items()})
