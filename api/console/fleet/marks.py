"""Small pictures of a line, as numbers that a template draws: an interval next to its threshold, and a trend."""

from collections.abc import Sequence
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
    step = (TREND_WIDTH - 2 * MARGIN) / (len(trend) - 1)
    lines, run = [], list[tuple[float, float]]()
    for hour, rate in enumerate([*trend, None]):
        if rate is not None:
            run.append((MARGIN + hour * step, TREND_HEIGHT - MARGIN - rate / top * (TREND_HEIGHT - 2 * MARGIN)))
        elif run:
            lines.append(run if len(run) > 1 else [(run[0][0] - 1, run[0][1]), (run[0][0] + 1, run[0][1])])
            run = []
    return tuple(" ".join(f"{x:.1f},{y:.1f}" for x, y in each) for each in lines)


def trend_text(trend: Sequence[float | None]) -> tuple[float, float] | None:
    """The lowest and the highest rate of a trend; None where nothing was sent."""
    known = [each for each in trend if each is not None]
    return (min(known), max(known)) if known else None
