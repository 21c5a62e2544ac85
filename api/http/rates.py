"""Rates over time: buckets of counts made into points. What each rate divides is defined where it is judged. Pure.

Points are plain numbers and not the models of the reference: a month of hours has 720 of them, and to check each
against a model takes longer than to count it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple, get_args

import msgspec

from api.http.models.parameters import Metric
from api.http.models.rates import Rate, Rates
from api.http.ranges import Span, rfc3339
from schemas.counts import WindowCounts
from streams.judge.verdict import measured

METRICS: tuple[Metric, ...] = get_args(Metric)


class RateBucket(NamedTuple):
    """What a rate divides, in one minute or hour; `at` is its begin, epoch s."""

    at: int
    numerator: int
    denominator: int


class Definition(NamedTuple):
    """What the rates are made of: the providers that send per-message complaints, and whether mail that was given
    up counts as failed (the policy says so).
    """

    feedback_loop: tuple[str, ...]
    expired_is_failure: bool = True


class RateNumbers(msgspec.Struct, frozen=True, gc=False):
    """A rate with what it is made from; null where the denominator is 0."""

    numerator: int
    denominator: int
    rate: float | None


class PointNumbers(msgspec.Struct, frozen=True, gc=False):
    """A bucket from `time` to `end` (RFC 3339), and the window that ends with it."""

    time: str
    end: str
    numerator: int
    denominator: int
    rate: float | None
    window: RateNumbers


def points(
    counted: Sequence[RateBucket], span: Span, window_s: int, running: tuple[int, int] | None = None
) -> list[PointNumbers]:
    """One point a bucket of `span`, empty ones too, each with the sliding window that ends with it.

    `counted` is in order of time and covers the span and one window before it. `running` are numerator and denominator
    of the window that is judged now, which the running bucket has.
    """
    times = [each.at for each in counted]
    tops = list(accumulate((each.numerator for each in counted), initial=0))
    bottoms = list(accumulate((each.denominator for each in counted), initial=0))
    found = []
    for start, end in span.buckets():
        first, last, begun = bisect_left(times, start), bisect_left(times, end), bisect_left(times, end - window_s)
        top, bottom = tops[last] - tops[first], bottoms[last] - bottoms[first]
        if end == span.now and running is not None:
            above, below = running
        else:
            above, below = tops[last] - tops[begun], bottoms[last] - bottoms[begun]
        window = RateNumbers(above, below, above / below if below > 0 else None)
        found.append(
            PointNumbers(wire_time(start), wire_time(end), top, bottom, top / bottom if bottom > 0 else None, window)
        )
    return found


def rates_of(counts: WindowCounts, definition: Definition) -> Rates:
    """Every rate of some counts."""
    return Rates(**{metric: Rate.of(*measured(metric, counts, definition.expired_is_failure)) for metric in METRICS})


@lru_cache(maxsize=20_000)
def wire_time(at: int) -> str:
    """Epoch seconds as they are in answers."""
    return f"{rfc3339(at):%Y-%m-%dT%H:%M:%SZ}"
