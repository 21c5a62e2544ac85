"""Whom the brake would have held: who newly rises with too many others. Pure.

Judged is at each full hour, so those who rose in one hour count as risen together: no fewer are held than would have
been, and where an hour's rises are spread over it, fewer would.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec

from schemas.policy import Brake
from schemas.scope import CUSTOMER
from streams.alerts.brake import limit_of
from streams.alerts.lifecycle import ACTED_ON, Transition
from streams.judge.verdict import RANK

#: The customers who newly rose at each step (epoch ms).
Rises = Mapping[int, set[str]]


class HeldThen(msgspec.Struct, frozen=True, kw_only=True):
    """The customers whose alerts are held at a full hour (epoch ms, UTC), sorted: they are more than the `limit`."""

    time_ms: int
    customers: tuple[str, ...]
    limit: int


def new_rises(transitions: Iterable[Transition]) -> Rises:
    """Who rises to where somebody may act, and had not risen before, by time. Those of a customer come together."""
    found: dict[int, set[str]] = defaultdict(set)
    risen: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for each in sorted(transitions, key=lambda each: (each.time_ms, each.transition)):
        if not each.customer:
            continue
        mine, alert = risen[each.customer], (each.scope, each.rule)
        if RANK[each.level] < ACTED_ON:
            mine.discard(alert)
        elif RANK[each.previous_level] < ACTED_ON:
            if not any(scope in (CUSTOMER, each.scope) for scope, _ in mine):
                found[each.time_ms].add(each.customer)
            mine.add(alert)
    return found


def held_then(rises: Rises, brake: Brake, active: Callable[[int], int], from_ms: int) -> tuple[HeldThen, ...]:
    """Whom a brake holds, of those who rose. Who is bad at `from_ms`, the first step, is bad already and not counted;
    `active` says how many customers sent in the 24 h before a time (epoch ms)."""
    found = []
    for time_ms in sorted(each for each in rises if each > from_ms):
        together = set[str]().union(
            *(some for at_ms, some in rises.items() if max(from_ms, time_ms - brake.period_ms) < at_ms <= time_ms)
        )
        if len(together) <= brake.customers:
            continue
        limit = limit_of(brake, active(time_ms))
        if len(together) > limit:
            found.append(HeldThen(time_ms=time_ms, customers=tuple(sorted(together)), limit=limit))
    return tuple(found)
