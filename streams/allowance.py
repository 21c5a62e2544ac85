"""How much room is left: so many more complaints, failures or listings until the next level opens. Pure."""

from bisect import bisect_left
from collections.abc import Mapping

import msgspec

from schemas.alert import Level
from schemas.counts import WindowCounts
from schemas.policy import COUNTED, Metric, Rule
from streams.judge import NOTHING, RANK, measured, wilson


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """`more` of a rule's numerator would open `level`, in `window`; one less would not."""

    more: int
    level: Level
    window: str


def allowance(
    rule: Rule, windows: Mapping[str, WindowCounts], confidence: float, expired_is_failure: bool, above: Level
) -> Allowance | None:
    """What is left until the mildest level of `rule` that is worse than `above` opens.

    At the present volume: the denominators stay as they are, so a failure is counted in the place of a delivery (as a
    bounce after the delivery is). What is added counts in every window, since all of them end now; the window that
    gives way first is named. Bounds and minimum volume are the judge's. 0 where the level opens already.

    None where there is no worse level, where no window has the minimum volume, or where not even a rate of 1 would be
    certain enough.
    """
    rung = next((each for each in rule.ladder if RANK[each.level] > RANK[above]), None)
    if rung is None:
        return None
    found: list[tuple[int, str]] = []
    for window, least in rule.checks:
        numerator, denominator = measured(
            rule.metric, windows.get(window, NOTHING), expired_is_failure, rule.counted_weights
        )
        if denominator < least:
            continue
        wanted = _opening(rule.metric, denominator, rung.threshold, confidence)
        if wanted is not None:
            found.append((max(0, wanted - numerator), window))
    if not found:
        return None
    more, window = min(found, key=lambda each: each[0])
    return Allowance(more=more, level=rung.level, window=window)


def _opening(metric: Metric, denominator: int, threshold: float, confidence: float) -> int | None:
    """The smallest numerator that reaches a threshold, if any does."""
    if metric in COUNTED:
        return int(threshold)  # a whole number, as the policy makes sure
    # The bound rises with the numerator, so the first that reaches the threshold is found by halving.
    first = bisect_left(range(denominator + 1), threshold, key=lambda n: wilson(n, denominator, confidence)[0])
    return first if first <= denominator else None
