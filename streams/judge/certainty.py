"""How sure counts make a rate, however often one looks. Pure.

A Wilson interval is right for one look. Windows are looked at every few seconds, for months: a sender who fails at 0.8
of a threshold all the time passes it sooner or later by luck alone. So a level opens by *evidence* instead: how many
times likelier the counts are under rates above a threshold (a beta mixture of them) than under the threshold itself.
Were the true rate at the threshold, that number would be a martingale with mean 1, so the chance that it ever reaches
1/x is at most x (Ville's inequality): the bound holds over all looks at a window that grows. Sources: H. Robbins,
"Statistical methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 41 (1970); S. R.
Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of
Statistics 49 (2021), section 3.2 (conjugate mixtures).

Windows do not only grow, they slide, which is to start again and again: within 30 days an hour does so 720 times as
often as 30 days do. So the shorter a window, the more evidence it must bring (`bar`). And the mixture is tuned: its
mean lies at twice the rate in question and it weighs as much as `WEIGHT` failures, which is narrower than a uniform one
where decisions fall.

Who is at the very threshold may be flagged, and who is clearly below it must not be. So a level opens where the rate
itself is at the threshold and the true one surely above all but a `MARGIN` of it: an indifference zone (A. Wald,
"Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics 16, 1945). Without one, who is just
above a threshold is never found, since nothing tells them from it. How all of these were found, what each gains, and
how often good senders are flagged: docs/adr/0011-a-bound-for-all-looks.md and 0019-an-indifference-zone.md.

A burn says how fast an allowance is spent: what a window takes of what a whole period may have. The allowance of a
period, in recipients, is the rule's `allowance` (a ratio) of the period's denominator. Spent evenly it lasts
just the period: a burn of 1. A window's burn is how many times faster its numerator spends it, so 14.4 over an hour is
2 % of what 30 days allow. Source: Google, "The Site Reliability Workbook" (2018), chapter 5 "Alerting on SLOs",
6: multiwindow, multi-burn-rate alerts (https://sre.google/workbook/alerting-on-slos/).

A burn counts only where the window's own rate is certainly at or above the allowance: a monthly newsletter spends most
of the month within an hour, and yet no more than its share. And only if every window of the rule burns: the long one
says that it matters, the short one that it still goes on.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import exp, inf, lgamma, log, log1p, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.policy_metric import window_ms
from schemas.policy_rule import Rule

#: The mixture is a beta distribution that has seen so many numerators,
WEIGHT = 5.0
#: at so many times the rate in question (below it, for an upper bound: divided by it),
RATIO = 2.0
#: but at a rate no higher than this.
LARGEST_MEAN = 0.9
#: The time for which `confidence` is promised, in ms: 30 days.
PERIOD_MS = 30 * 86_400_000
#: By which power of the number of times a window fits into the period the evidence asked for rises. 1 would hold
#: for independent windows one after the other, 0 for a window that never slides.
SPENDING = 0.9
#: A level opens where the rate is at its threshold and the true one surely above this share less than it.
MARGIN = 0.1
#: A threshold that never opens (a ratio): no rate is surely above it. Overrides that leave a rule no level rely on it.
NEVER = 1.0
#: Bounds are right to this share of themselves.
_PRECISION = 1e-7

#: No mean is nearer to 1: there would be no other outcome left.
_LARGEST = 1 - 1e-12

#: What the mixture costs against knowing the rate beforehand, about, in natural logarithms.
_MIXING = 1.5

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]


@lru_cache(maxsize=256)
def bar_of(window: str, confidence: float) -> float:
    """The bar of a policy's window by its name."""
    return bar(window_ms(window), confidence)


def bar(window_ms: int, confidence: float) -> float:
    """The evidence (natural logarithm) that a window must bring: log(1 / (1 - confidence)), and more the shorter it
    is than 30 days (ms)."""
    return -log1p(-confidence) + SPENDING * log(max(1.0, PERIOD_MS / max(window_ms, 1)))


def confidence_of(bar: float) -> float:
    """What a window's bar comes to: how sure one may be, over all looks, as a share of 1 (rounded to 0.01 %)."""
    return round(1.0 - exp(-bar), 4)


def evidence(numerator: int, denominator: int, rate: float) -> float:
    """The logarithm of how many times likelier the counts are under rates above `rate` (a ratio) than under it.

    Meant for counts whose own rate is above `rate`; below it says nothing, and is 0 or less at `rate` itself.
    A numerator above the denominator counts as equal to it.
    """
    return _evidence(numerator, denominator, rate, _mean_above(rate))


def reaches(numerator: int, denominator: int, rate: float, bar: float) -> bool:
    """Whether a level opens whose threshold is `rate` (a ratio): the rate is at it or above, and the true one surely
    above all but a `MARGIN` of it."""
    n = min(max(numerator, 0), denominator)
    if denominator <= 0 or rate >= NEVER or n < rate * denominator:
        return False
    return rate <= 0 or evidence(n, denominator, surely_above(rate)) >= bar


def surely_above(threshold: float) -> float:
    """What the true rate must surely be above for a level of this threshold to open (ratios)."""
    return threshold * (1 - MARGIN)


def lower_bound(numerator: int, denominator: int, bar: float) -> float:
    """The highest rate (a ratio) that the true one surely reaches; 0 where nothing is known."""
    n = min(max(numerator, 0), denominator)
    if denominator <= 0 or n == 0:
        return 0.0
    rate = n / denominator
    if evidence(n, denominator, rate * _PRECISION) < bar:
        return 0.0  # so few that not even a rate of nothing at all would be surprised
    guess = max(_about(n, denominator, bar, -1), rate * _PRECISION)
    return _last(lambda at: _evidence(n, denominator, at, _mean_above(at)) - bar, rate * _PRECISION, guess, rate)


def upper_bound(numerator: int, denominator: int, bar: float) -> float:
    """The lowest rate (a ratio) that the true one surely does not exceed; 1 where nothing is known."""
    n = min(max(numerator, 0), denominator)
    if denominator <= 0 or n == denominator:
        return 1.0
    guess = min(_about(n, denominator, bar, 1), 1.0 - 1e-12)
    found = _last(lambda at: _evidence(n, denominator, at, at / RATIO) - bar, 1.0 - 1e-12, guess, n / denominator)
    return min(found, 1.0)


def opened(numerator: int, denominator: int, thresholds: Sequence[float], bar: float) -> int:
    """The place of the highest of some thresholds (ratios, rising) that `reaches`; -1 where none."""
    n = min(max(numerator, 0), denominator)
    if denominator <= 0 or n < thresholds[0] * denominator:
        return -1
    place = bisect_right(thresholds, n / denominator) - 1
    while place >= 0 and not reaches(n, denominator, thresholds[place], bar):
        place -= 1
    return place


def reach(numerators: Counts, denominators: Counts, rate: float, bar: float) -> NDArray[np.bool_]:
    """`reaches` of many counts at once, to find who must be looked at: generous by a hair where they would differ."""
    if rate >= NEVER:
        return np.zeros(np.shape(denominators), np.bool_)
    found: NDArray[np.bool_] = (denominators > 0) & (np.minimum(numerators, denominators) >= rate * denominators)
    if rate <= 0 or not found.any():
        return found
    d = denominators[found].astype(np.float64)
    n = np.clip(numerators[found].astype(np.float64), 0, d)
    null = surely_above(rate)
    mean = _mean_above(null)
    a, b = WEIGHT, WEIGHT * (1 - mean) / mean
    gained = _lgamma(n + a) + _lgamma(d - n + b) - _lgamma(d + a + b) - (lgamma(a) + lgamma(b) - lgamma(a + b))
    gained -= n * log(null) + (d - n) * log1p(-null)
    found[found] = gained >= bar - 1e-6 * (1 + abs(bar))
    return found


#: How many numbers `reach_factors` gives.
REACH_FACTORS = 7


def reach_factors(rate: float, bar: float) -> tuple[float, ...]:
    """What `reach_sql` needs of a rate (above 0) and a bar."""
    if rate >= NEVER:
        return (2.0, *[0.0] * (REACH_FACTORS - 1))  # no rate is so high
    null = surely_above(rate)
    mean = _mean_above(null)
    a, b = WEIGHT, WEIGHT * (1 - mean) / mean
    return rate, a, b, lgamma(a) + lgamma(b) - lgamma(a + b), log(null), log1p(-null), bar


def reach_sql(numerator: str, denominator: str, factors: Sequence[str]) -> str:
    """`reaches` as a condition of ClickHouse, over two columns (numbers of recipients) and those of `reach_factors`."""
    rate, a, b, constant, log_null, log_rest, bar = factors
    n, d = f"least({numerator}, {denominator})", denominator
    gained = f"lgamma({a} + {n}) + lgamma({b} + {d} - {n}) - lgamma({a} + {b} + {d}) - {constant}"
    gained += f" - {n} * {log_null} - ({d} - {n}) * {log_rest}"
    return f"if({n} > 0 AND {n} >= {rate} * {d}, {gained} >= {bar}, false)"


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


def _about(n: int, d: int, bar: float, side: int) -> float:
    """About where a bound lies: below (-1) the rate or above (1) it."""
    rate, spread = n / d, 2 * (bar + _MIXING) / d
    return (rate + spread / 2 + side * sqrt(spread * (rate * (1 - rate) + spread / 4))) / (1 + spread)


def about_lower(numerators: Counts, denominators: Counts, bar: float) -> Numbers:
    """About the lower bounds of many rates at once (the score interval's formula): cheap, and never to decide by."""
    d = np.maximum(denominators, 1).astype(np.float64)
    rate = np.clip(numerators, 0, denominators) / d
    spread = 2 * (bar + _MIXING) / d
    margin = np.sqrt(spread * (rate * (1 - rate) + spread / 4))
    found: Numbers = np.clip((rate + spread / 2 - margin) / (1 + spread), 0.0, rate)
    return found


def _last(surplus: Callable[[float], float], inside: float, guess: float, outside: float) -> float:
    """Where the surplus of evidence ends: it is at least 0 `inside`, and below 0 `outside`; the guess lies between.

    The Illinois method (a false position that halves an end that stays; M. Dowell, P. Jarratt, BIT 11, 1971): some ten
    steps where halving takes thirty. The rate given still has the evidence.
    """
    high, low = surplus(inside), surplus(outside)
    for at in (guess, (3 * guess + outside) / 4, (3 * guess + inside) / 4):
        found = surplus(at) if (at - inside) * (outside - at) > 0 else inf
        if found < 0:
            outside, low = at, found
        elif found < inf:
            inside, high = at, found
    side = 0
    for _ in range(60):
        if abs(inside - outside) <= _PRECISION * max(inside, outside):
            break
        at = (inside + outside) / 2 if high == inf else inside - high * (outside - inside) / (low - high)
        found = surplus(at)
        if found >= 0:
            inside, high, low, side = at, found, low / 2 if side > 0 else low, 1
        else:
            outside, low, high, side = at, found, high / 2 if side < 0 else high, -1
    return inside


def _mean_above(rate: float) -> float:
    return min(rate * RATIO, max(LARGEST_MEAN, (1 + rate) / 2), _LARGEST)


def _evidence(n: int, d: int, rate: float, mean: float) -> float:
    if rate <= 0:
        return inf if n > 0 else 0.0
    if rate >= 1:
        return 0.0 if n >= d else inf
    a, b = WEIGHT, WEIGHT * (1 - mean) / mean
    mixture = lgamma(a + n) + lgamma(b + (d - n)) - lgamma(a + b + d) - (lgamma(a) + lgamma(b) - lgamma(a + b))
    return mixture - n * log(rate) - (d - n) * log1p(-rate)


def _lgamma(x: Numbers) -> Numbers:
    """The logarithm of the gamma function, for x > 0, to some 1e-10: Stirling's series, from 8 on, shifted there."""
    shifted = np.zeros_like(x)
    z = x.copy()
    for _ in range(8):
        small = z < 8
        shifted[small] -= np.log(z[small])
        z[small] += 1
    inverse = 1 / z
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    found: Numbers = shifted + (z - 0.5) * np.log(z) - z + 0.9189385332046727 + series
    return found
