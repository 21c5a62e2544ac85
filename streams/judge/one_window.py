"""What one rule says of one of its windows alone: to show each window, and to judge counts that came late. Pure."""

from bisect import bisect_right

from schemas.levels import Level
from schemas.policy_metric import BURNS, COUNTED
from schemas.policy_rule import Rule
from schemas.standing import Standing
from streams.judge.certainty import bar_of, bounds, spending
from streams.judge.verdict import interval, rate_of, rung_of


def opened(
    rule: Rule, window: str, numerator: int, denominator: int, confidence: float, period: int = 0
) -> tuple[float, float, float, Standing]:
    """What one rule says of one of its windows alone: rate, lower and upper bound (ratios, or listings), and level.

    A burn needs the denominator of the rule's `period`. A spike cannot be judged so, without what is usual.

    Raises:
        KeyError: the rule does not judge this window.
    """
    if rule.metric in BURNS:
        spent = spending(rule, window, (numerator, denominator), period, confidence)
        place = bisect_right(rule.thresholds, spent.burn) - 1 if spent.counts else -1
        level: Level = rule.ladder[place].level if place >= 0 else "good"
        lower, upper = bounds(rule, spent, period, confidence)
        return spent.burn, lower, upper, level if spent.enough else "insufficient_volume"
    least = dict(rule.checks)[window]
    counted = rule.metric in COUNTED
    bar = bar_of(window, confidence)
    lower, upper = interval(rule.metric, numerator, denominator, bar)
    rate = rate_of(rule.metric, numerator, denominator)
    if not counted and denominator < least:
        return rate, lower, upper, "insufficient_volume"
    place = rung_of(rule, numerator, denominator, bar)
    return rate, lower, upper, rule.ladder[place].level if place >= 0 else "good"
