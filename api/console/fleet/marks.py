"""Small pictures of a line, as numbers that a template draws: an interval next to its threshold, and a trend."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from api.console.fleet.rows import RuleFigures
from api.http.models.parameters import Metric

#: In units of the picture: how wide and high it is, with so much room around a line.
INTERVAL_WIDTH = 72
TREND_WIDTH, TREND_HEIGHT, MARGIN = 72, 18, 2
#: A trend reaches its full height at this rate or above: else chance would look like a mountain where little happens.
FULL: dict[Metric, float] = {"complaint": 0.003, "failure": 0.05, "block": 0.05, "exposure": 0.5}


class IntervalMark(NamedTuple):
    """Where the bounds of a rate, the rate and its threshold are, from the left."""

    lower: float
    upper: float
    rate: float
    threshold: float

    @property
    def width(self) -> float:
        """How wide the interval is; never too small to be seen."""
        return max(1.5, self.upper - self.lower)


def interval_mark(figures: RuleFigures) -> IntervalMark | None:
    """The picture; None where the figures have no interval."""
    largest = max(figures.upper, figures.rate, figures.threshold)
    if largest <= 0 or figures.upper <= figures.lower:
        return None

    def place(value: float) -> float:
        return round(value / (largest * 1.06) * INTERVAL_WIDTH, 1)

    return IntervalMark(place(figures.lower), place(figures.upper), place(figures.rate), place(figures.threshold))


def trend_lines(trend: Sequence[float | None], metric: Metric) -> tuple[str, ...]:
    """The points of the lines of a trend, one for each run of hours in which something was sent. An hour by itself is a
    short line."""
    if len(trend) < 2:
        return ()
    top = max(FULL[metric], *(each for each in trend if each is not None), 0.0)
    high = 10 * (TREND_HEIGHT - 2 * MARGIN) / top
    lines, run = [], list[str]()
    places = _places(len(trend))
    for hour, rate in enumerate([*trend, None]):
        if rate is not None:
            run.append(places[hour] + _TENTHS[round(10 * (TREND_HEIGHT - MARGIN) - rate * high)])
        elif run:
            if len(run) == 1:
                x, y = run[0].split(",")
                run = [f"{float(x) - 1:.1f},{y}", f"{float(x) + 1:.1f},{y}"]
            lines.append(" ".join(run))
            run = []
    return tuple(lines)


#: Heights as they are written, by tenths: thousands of points are drawn a second.
_TENTHS = tuple(f"{tenths / 10:.1f}" for tenths in range(10 * TREND_HEIGHT + 1))


@cache
def _places(hours: int) -> tuple[str, ...]:
    """How far from the left each of so many hours is, as it is written before a comma."""
    step = (TREND_WIDTH - 2 * MARGIN) / (hours - 1)
    return tuple(f"{MARGIN + hour * step:.1f}," for hour in range(hours))


def trend_text(trend: Sequence[float | None]) -> tuple[float, float] | None:
    """The lowest and the highest rate of a trend; None where nothing was sent."""
    known = [each for each in trend if each is not None]
    return (min(known), max(known)) if known else None
