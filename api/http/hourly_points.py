"""Points of rates over time from hours that are kept in memory (`api.http.kept_hours`), as arrays."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.http.kept_hours import RING, CustomerSums, finely_kept
from api.http.models.parameters import Metric
from api.http.part_sums import OF_METRIC
from api.http.ranges import Span, judged_since
from api.http.rates import PointNumbers, RateNumbers, wire_time
from schemas.times import HOUR_S, MINUTE_S

Hours = NDArray[np.int64]


class Axis(NamedTuple):
    """The buckets of a span as wire times; and, in hours since the epoch, the first hour of each and the first after
    it, and the first of its window."""

    times: list[str]
    ends: list[str]
    first: Hours
    last: Hours
    begun: Hours
    is_running: bool


@lru_cache(maxsize=100)
def axis(span: Span, window_s: int) -> Axis:
    """The same for all customers. Whole hours count, as in `points`: an hour is in what it begins in."""
    begins, ends = np.array(span.buckets(), np.int64).reshape(-1, 2).T

    def hours(times: Hours) -> Hours:
        return -(-times // HOUR_S)

    return Axis(
        [wire_time(each) for each in begins.tolist()],
        [wire_time(each) for each in ends.tolist()],
        hours(begins),
        hours(ends),
        hours(ends - window_s),
        is_running=bool(ends[-1] == span.now),
    )


def could_be_kept(metric: Metric, span: Span, window_s: int) -> bool:
    """Whether the hours that this takes may be kept: they are not too old, and it takes no minutes but those of the
    begin of a window of a day."""
    if metric not in OF_METRIC or span.step == MINUTE_S or span.start - window_s < span.now - (RING - 3) * HOUR_S:
        return False
    since = judged_since(span.now, window_s)
    is_running = span.buckets()[-1][1] == span.now
    return not is_running or since % HOUR_S == 0 or since // HOUR_S in finely_kept(span.now)


def hourly_points(kept: CustomerSums, span: Span, window_s: int) -> list[PointNumbers] | None:
    """The same points as `points`, from hours that are kept; None where these are too few, or minutes are asked for.
    A running bucket's window is the one that is judged now.
    """
    at = axis(span, window_s)
    if (
        span.step == MINUTE_S
        or at.begun[0] < kept.hours.first
        or at.last[-1] > kept.hours.first + len(kept.hours.above)
    ):
        return None
    numbers: list[Hours] = []
    for column, values in enumerate((kept.hours.above, kept.hours.below)):
        sums = np.concatenate(([0], np.cumsum(values)))
        first, last, begun = (each - kept.hours.first for each in (at.first, at.last, at.begun))
        own, window = sums[last] - sums[first], sums[last] - sums[begun]
        if at.is_running:
            since = judged_since(span.now, window_s)
            whole = -(-since // HOUR_S)
            if whole < kept.hours.first:
                return None
            window[-1] = sums[-1] - sums[whole - kept.hours.first]
            if since % HOUR_S:
                minutes = kept.minutes.get(since // HOUR_S)
                if minutes is None:
                    return None
                window[-1] += minutes[column, since % HOUR_S // MINUTE_S :].sum()
        numbers += [own, window]
    own_above, window_above, own_below, window_below = numbers
    windows = map(RateNumbers, window_above.tolist(), window_below.tolist(), _divided(window_above, window_below))
    owned = own_above.tolist(), own_below.tolist(), _divided(own_above, own_below)
    return list(map(PointNumbers, at.times, at.ends, *owned, windows))


def _divided(above: Hours, below: Hours) -> list[float | None]:
    there = below > 0
    rates: list[float | None] = (above / np.where(there, below, 1)).tolist()
    for place in np.flatnonzero(~there).tolist():
        rates[place] = None
    return rates
