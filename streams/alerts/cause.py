"""What made an alert change, by what is known of the judgement before and of this one. Pure.

Only what those two can prove is said. See docs/alerts.md for what each word promises.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from schemas.alert import Cause
from schemas.policy_override import Override
from schemas.policy_rule import Rule
from schemas.times import MINUTE_MS

#: Counts that belong so long before the last judgement, and were not there then, came late.
LATE_MS = 15 * MINUTE_MS


class Basis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By what a subject was judged under one rule at `time_ms` (epoch ms, UTC).

    `overrides` names the overrides in force, `counts` are numerator and denominator of each window.
    """

    time_ms: int
    policy_version: str
    overrides: str = ""
    counts: dict[str, tuple[int, int]] = {}


def cause_of(before: Basis | None, now: Basis, lengths: Mapping[str, int]) -> Cause:
    """What is new since the judgement before. `lengths` are those of the windows in ms.

    Of which nothing is known, `before` is None; that it was judged at all is then what is new: `events`.
    """
    if before is None:
        return "events"
    if before.policy_version != now.policy_version:
        return "policy"
    if before.overrides != now.overrides:
        return "override"
    grown = {
        window: (counts[0] - before.counts[window][0], counts[1] - before.counts[window][1])
        for window, counts in now.counts.items()
        if window in before.counts
    }
    if grown and all(n <= 0 and d <= 0 for n, d in grown.values()):
        return "time"
    return "late_events" if _late(before, now, grown, lengths) else "events"


def override_key(overrides: tuple[Override, ...], rule: Rule) -> str:
    """A short name of those overrides that are about a rule; empty without any."""
    about = [each for each in overrides if each.rule == rule.name]
    if not about:
        return ""
    return blake2b(msgspec.json.encode(about, order="deterministic"), digest_size=6).hexdigest()


def _late(before: Basis, now: Basis, grown: Mapping[str, tuple[int, int]], lengths: Mapping[str, int]) -> bool:
    """Whether a window gained more than lies in the time since the last judgement and `LATE_MS` before it."""
    reach = now.time_ms - before.time_ms + LATE_MS
    recent = min((window for window in now.counts if lengths[window] >= reach), key=lengths.__getitem__, default=None)
    if recent is None:
        return False
    return any(
        lengths[window] > lengths[recent]
        and any(more > max(0, lies) for more, lies in zip(gain, now.counts[recent], strict=True))
        for window, gain in grown.items()
    )
