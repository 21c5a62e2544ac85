"""The interval in which a rate lies. Pure."""

from functools import lru_cache
from math import sqrt
from statistics import NormalDist


def wilson(numerator: int, denominator: int, confidence: float) -> tuple[float, float]:
    """The two-sided Wilson score interval of a rate, as ratios from 0 to 1.

    Complaints about earlier mail can outnumber the deliveries of a short window: a numerator above the
    denominator is taken as equal to it, a rate of 1. Without a denominator nothing is known: (0, 1). Source:
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if denominator <= 0:
        return 0.0, 1.0
    n = min(max(numerator, 0), denominator)
    rate = n / denominator
    z = z_of(confidence)
    share = z * z / denominator
    centre = rate + share / 2
    margin = z * sqrt(rate * (1 - rate) / denominator + share / (4 * denominator))
    lower = 0.0 if n == 0 else (centre - margin) / (1 + share)
    upper = 1.0 if n == denominator else (centre + margin) / (1 + share)
    return min(lower, rate), max(upper, rate)


@lru_cache(maxsize=16)
def z_of(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
