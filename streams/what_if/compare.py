"""Two policies over the same history: who would be flagged by one and not by the other, and when. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

import msgspec

from schemas.levels import Level
from streams.alerts.lifecycle import Transition
from streams.judge.verdict import RANK
from streams.subjects.arrays import StreamKey

#: `flagged` and `freed`: by one policy only. `worse` and `milder`: the worst level differs. `moved`: only the times do.
Kind = Literal["flagged", "freed", "worse", "milder", "moved"]
KINDS: tuple[Kind, ...] = ("flagged", "freed", "worse", "milder", "moved")


class LevelSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A time (epoch ms) at the level in question or worse, by one rule; without `to_ms` it lasts to the end.

    `level` is the worst reached.
    """

    rule: str
    level: Level
    from_ms: int
    to_ms: int | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One subject whom the two policies treat differently; spans in the order of time."""

    customer: str
    scope: str
    kind: Kind
    tried: tuple[LevelSpan, ...]
    in_force: tuple[LevelSpan, ...]


def spans(transitions: Iterable[Transition], least: Level) -> dict[StreamKey, tuple[LevelSpan, ...]]:
    """When each subject stood at `least` or worse. The transitions of a subject and rule are in the order of time."""
    found: dict[StreamKey, list[LevelSpan]] = defaultdict(list)
    ordered = sorted(transitions, key=lambda each: (each.customer, each.scope, each.rule))
    for (customer, scope, rule), life in groupby(ordered, lambda each: (each.customer, each.scope, each.rule)):
        since: int | None = None
        worst: Level = "good"
        for each in life:
            if RANK[each.level] >= RANK[least]:
                since = each.time_ms if since is None else since
                worst = max(worst, each.level, key=RANK.__getitem__)
            elif since is not None:
                found[customer, scope].append(LevelSpan(rule=rule, level=worst, from_ms=since, to_ms=each.time_ms))
                since, worst = None, "good"
        if since is not None:
            found[customer, scope].append(LevelSpan(rule=rule, level=worst, from_ms=since, to_ms=None))
    return {key: tuple(sorted(each, key=lambda span: (span.from_ms, span.rule))) for key, each in found.items()}


def differences(
    tried: dict[StreamKey, tuple[LevelSpan, ...]], in_force: dict[StreamKey, tuple[LevelSpan, ...]]
) -> list[Difference]:
    """Whom the policies treat differently: by kind, then by name."""
    found = [
        Difference(
            customer=key[0],
            scope=key[1],
            kind=_kind(tried.get(key, ()), in_force.get(key, ())),
            tried=tried.get(key, ()),
            in_force=in_force.get(key, ()),
        )
        for key in sorted(tried.keys() | in_force.keys())
        if tried.get(key) != in_force.get(key)
    ]
    return sorted(found, key=lambda each: KINDS.index(each.kind))


def _kind(tried: Sequence[LevelSpan], in_force: Sequence[LevelSpan]) -> Kind:
    if not in_force:
        return "flagged"
    if not tried:
        return "freed"
    after, before = (max(RANK[span.level] for span in each) for each in (tried, in_force))
    if after == before:
        return "moved"
    return "worse" if after > before else "milder"
