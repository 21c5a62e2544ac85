"""How fast an allowance is spent: burns. Pure.

A burn says how fast an allowance is spent: what a window takes of what a whole period may have. The allowance of a
period, in recipients, is the rule's `allowance` (a ratio) of the period's denominator. Spent evenly it lasts
just the period: a burn of 1. A window's burn is how many times faster its numerator spends it, so 14.4 over an hour is
2 % of what 30 days allow. Source: Google, "The Site Reliability Workbook" (2018), chapter 5 "Alerting on SLOs",
6: multiwindow, multi-burn-rate alerts (https://sre.google/workbook/alerting-on-slos/).

A burn counts only where the window's own rate is certainly at or above the allowance: a monthly newsletter spends most
of the month within an hour, and yet no more than its share. And only if every window of the rule burns: the long one
says that it matters, the short one that it still goes on.
"""

from typing import NamedTuple

from schemas.policy_rule import Rule
from streams.judge.certainty import bar_of, lower_bound, reaches, upper_bound


class Spending(NamedTuple):
    """One window.

    `burn` is how many times faster than evenly the allowance is spent. `enough` says that the window has the rule's
    minimum volume, `counts` that its rate is certainly at or above the allowance as well, `holds` that the rate is not
    far below it.
    """

    window: str
    numerator: int
    denominator: int
    burn: float
    enough: bool
    counts: bool
    holds: bool


def spending(rule: Rule, window: str, counted: tuple[int, int], period: int, confidence: float) -> Spending:
    """What a window takes: `counted` are its numerator and denominator, `period` is the denominator of the period.

    A numerator above the denominator is taken as equal to it, as in a rate. The period has at least what the window
    has; it may be read a little earlier.
    """
    numerator, denominator = counted
    whole = max(period, denominator)
    enough = denominator >= dict(rule.checks)[window]
    if whole <= 0:
        return Spending(window, numerator, denominator, 0.0, enough, False, False)
    pace, allowance = rule.paces[window], rule.allowed
    # The division first: the same counts of so many times the mail then give the very same burn.
    burn = min(numerator, denominator) / whole * pace
    return Spending(
        window,
        numerator,
        denominator,
        burn,
        enough,
        enough and reaches(numerator, denominator, allowance, bar_of(window, confidence)),
        enough and min(numerator, denominator) / denominator >= allowance * rule.resolve_ratio,
    )


def bounds(rule: Rule, spent: Spending, period: int, confidence: float) -> tuple[float, float]:
    """The lower and the upper bound of a burn, as they follow from those of the window's own rate."""
    whole = max(period, spent.denominator)
    if whole <= 0:
        return 0.0, 0.0
    bar = bar_of(spent.window, confidence)
    mail = spent.denominator / whole * rule.paces[spent.window]
    lower = lower_bound(spent.numerator, spent.denominator, bar) * mail
    upper = upper_bound(spent.numerator, spent.denominator, bar) * mail
    return min(lower, spent.burn), max(upper, spent.burn)
