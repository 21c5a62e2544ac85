"""Overrides and acknowledgements as the table `audit` has them: rows that were only ever added."""

from collections.abc import Callable
from math import inf
from typing import Any

import msgspec

from schemas.policy import Policy
from streams.decisions.customers import last_change_us, plans
from streams.decisions.overrides import Cap, PastOverride, StoredOverride, for_plans, with_stored
from streams.io.store import Store

ADDED, ENDED, ACKNOWLEDGED = "override added", "override ended", "alert acknowledged"
#: Of a customer in a hold, whose id is the subject; the last one is of a suspected incident that is none.
HOLD_CONFIRMED, HOLD_RELEASED, HOLD_DISMISSED = "hold confirmed", "hold released", "hold dismissed"

DECISIONS = """
SELECT action, customer, subject, who, why, detail, toUnixTimestamp64Milli(audit.time) AS time_ms
FROM audit
WHERE action IN {actions:Array(String)} AND audit.time <= fromUnixTimestamp64Milli({at:Int64})
    AND ({customer:String} = '' OR customer = {customer:String})
ORDER BY audit.time
"""


class OverrideDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What a row of an added override says in addition to who, when and why."""

    rule: str
    stream: str
    at_most: Cap
    until_ms: int


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """Who acknowledged an alert, when (epoch ms) and why."""

    alert_id: str
    by: str
    why: str
    time_ms: int


def stored_overrides(store: Store, at_ms: int, customer: str = "") -> list[StoredOverride]:
    """The overrides that were added and not ended by `at_ms` (epoch ms), also those whose time is over.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, StoredOverride] = {}
    for action, whose, name, who, why, detail, time_ms in _rows(store, at_ms, customer, ADDED, ENDED):
        if action == ENDED:
            found.pop(name, None)
            continue
        found[name] = _stored(whose, name, who, why, detail, time_ms)
    return list(found.values())


def override_history(store: Store, until_ms: int) -> dict[str, list[PastOverride]]:
    """All overrides that were added by `until_ms` (epoch ms), ended ones too, by customer.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, PastOverride] = {}
    for action, whose, name, who, why, detail, time_ms in _rows(store, until_ms, "", ADDED, ENDED):
        if action == ADDED:
            found[name] = PastOverride(_stored(whose, name, who, why, detail, time_ms), inf)
        elif name in found:
            found[name] = found[name]._replace(ended_ms=int(time_ms))
    by_customer: dict[str, list[PastOverride]] = {}
    for each in found.values():
        by_customer.setdefault(each.override.customer, []).append(each)
    return by_customer


def acknowledged(store: Store, at_ms: int, customer: str) -> dict[str, Acknowledged]:
    """By alert, who acknowledged it last.

    Raises:
        StoreError: the store failed.
    """
    return {
        alert_id: Acknowledged(alert_id=alert_id, by=who, why=why, time_ms=int(time_ms))
        for _, _, alert_id, who, why, _, time_ms in _rows(store, at_ms, customer, ACKNOWLEDGED)
    }


class OverrideWatch:
    """Tells of the policy in force with the overrides of plans written out and the stored overrides over it, when any
    of it differs from before.

    `newer_policy` tells once of another policy; without it `policy` stays. One thread at a time.
    """

    def __init__(
        self, store: Store, policy: Policy, newer_policy: Callable[[], Policy | None] | None, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._base = policy
        self._newer_policy = newer_policy
        self._clock = clock
        self._reported = policy
        self._written_out = policy
        self._plans_us = -1

    def newer(self) -> Policy | None:
        """The policy to judge by from now on, if it changed.

        Raises:
            StoreError: the store failed; ask again.
        """
        if self._newer_policy is not None and (newer := self._newer_policy()) is not None:
            self._base, self._written_out, self._plans_us = newer, newer, -1
        if any(each.plan for each in self._base.overrides):
            changed_us = last_change_us(self._store)
            if changed_us != self._plans_us:
                self._written_out = for_plans(self._base, plans(self._store))
                self._plans_us = changed_us
        now_ms = self._clock()
        merged = with_stored(self._written_out, stored_overrides(self._store, now_ms), now_ms)
        if merged == self._reported:
            return None
        self._reported = merged
        return merged


def _stored(whose: str, name: str, who: str, why: str, detail: str, time_ms: int) -> StoredOverride:
    said = msgspec.json.decode(detail, type=OverrideDetail)
    return StoredOverride(
        id=name, customer=whose, by=who, why=why, since_ms=int(time_ms), **msgspec.structs.asdict(said)
    )


def _rows(store: Store, at_ms: int, customer: str, *actions: str) -> list[tuple[Any, ...]]:
    asked = {"actions": list(actions), "at": at_ms, "customer": customer}
    return [tuple(row) for row in store.rows(DECISIONS, asked)]
