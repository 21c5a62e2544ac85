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
mean lies at twice the threshold and it weighs as much as `WEIGHT` failures, which is narrower than a uniform one where
decisions fall. How both were found, and how often good senders are flagged: docs/adr/0011-a-bound-for-all-looks.md.
"""

from functools import lru_cache
from math import exp, inf, lgamma, log, log1p

import numpy as np
from numpy.typing import NDArray

#: The mixture is a beta distribution that has seen so many numerators,
WEIGHT = 4.0
#: at so many times the threshold in question (below it, for an upper bound: divided by it),
RATIO = 2.0
#: but at a rate no higher than this.
LARGEST_MEAN = 0.9
#: The time for which `confidence` is promised, in ms: 30 days.
PERIOD_MS = 30 * 86_400_000
#: By which power of the number of times a window fits into the period the evidence asked for rises. 1 would hold
#: for independent windows one after the other, 0 for a window that never slides.
SPENDING = 0.8
_STEPS = 40

Numbers = NDArray[np.float64]


@lru_cache(maxsize=64)
def bar(window_ms: int, confidence: float) -> float:
    """The evidence (natural logarithm) that a window must bring: log(1 / (1 - confidence)), and more the shorter it
    is than 30 days (ms)."""
    return -log1p(-confidence) + SPENDING * log(max(1.0, PERIOD_MS / max(window_ms, 1)))


def confidence_of(bar: float) -> float:
    """What a window's bar comes to: how sure one may be, over all looks, as a share of 1."""
    return 1.0 - exp(-bar)


def evidence(numerator: int, denominator: int, rate: float) -> float:
    """The logarithm of how many times likelier the counts are under rates above `rate` (a ratio) than under it.

    Meant for counts whose own rate is above `rate`; below it says nothing, and is 0 or less at `rate` itself.
    A numerator above the denominator counts as equal to it.
    """
    return _evidence(numerator, denominator, rate, _mean_above(rate))


def reaches(numerator: int, denominator: int, rate: float, bar: float) -> bool:
    """Whether the true rate is surely at `rate` or above it."""
    n = min(max(numerator, 0), denominator)
    return denominator > 0 and n >= rate * denominator and (rate <= 0 or evidence(n, denominator, rate) >= bar)


def lower_bound(numerator: int, denominator: int, bar: float) -> float:
    """The highest rate (a ratio) that the true one surely reaches; 0 where nothing is known."""
    n = min(max(numerator, 0), denominator)
    if denominator <= 0 or n == 0:
        return 0.0
    low, high = 0.0, n / denominator
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _evidence(n, denominator, middle, _mean_above(middle)) >= bar else (low, middle)
    return low


def upper_bound(numerator: int, denominator: int, bar: float) -> float:
    """The lowest rate (a ratio) that the true one surely does not exceed; 1 where nothing is known."""
    n = min(max(numerator, 0), denominator)
    if denominator <= 0 or n == denominator:
        return 1.0
    low, high = n / denominator, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _evidence(n, denominator, middle, middle / RATIO) >= bar else (middle, high)
    return high


def reach(numerators: Numbers, denominators: Numbers, rate: float, bar: float) -> NDArray[np.bool_]:
    """`reaches` of many counts at once, to find who must be looked at: generous by a hair where they would differ."""
    n, d = np.clip(numerators, 0, denominators), denominators
    found = (d > 0) & (n >= rate * d)
    if rate <= 0 or not found.any():
        return found
    n, d = n[found], d[found]
    mean = _mean_above(rate)
    a, b = WEIGHT, WEIGHT * (1 - mean) / mean
    gained = _lgamma(n + a) + _lgamma(d - n + b) - _lgamma(d + a + b) - (lgamma(a) + lgamma(b) - lgamma(a + b))
    gained -= n * log(rate) + (d - n) * (log1p(-rate) if rate < 1 else -inf)
    found[found] = gained >= bar - 1e-6 * (1 + abs(bar))
    return found


def _mean_above(rate: float) -> float:
    return min(rate * RATIO, max(LARGEST_MEAN, (1 + rate) / 2))


def _evidence(n: int, d: int, rate: float, mean: float) -> float:
    if rate <= 0:
        return inf if n > 0 else 0.0
    if rate >= 1:
        return 0.0 if n >= d else inf
    a, b = WEIGHT, WEIGHT * (1 - mean) / mean
    mixture = lgamma(a + n) + lgamma(b + d - n) - lgamma(a + b + d) - (lgamma(a) + lgamma(b) - lgamma(a + b))
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
