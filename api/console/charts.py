"""A rate over time as a picture (SVG): the sliding window's rate, how sure it is, and where the levels begin.

What is drawn is worked out here as numbers and paths, and written by `templates/parts/charts.html`, which escapes names
as all templates do (docs/adr/0027-charts-are-drawn-here.md). Colours are classes of the style sheet. Pure; times are
epoch s.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor, log10
from typing import NamedTuple

from api.console.page_words import PageWords, operators
from schemas.levels import Level
from schemas.times import DAY_S, HOUR_S

#: The picture in units of its own; the page makes it as wide as there is room.
WIDTH, HEIGHT = 600, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 24
#: More points than this cannot be told apart.
MOST_POINTS = 180
MOST_ROWS = 32
#: So much room the words of a level need.
LABEL = 12.0
#: Where nothing is known the band would fill the picture, and levels far above the rate would flatten it.
ROOM_ABOVE = 1.25
FARTHEST_LEVEL = 4.0
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


class RatePoint(NamedTuple):
    """The sliding window that ends at a time. `rate` (a ratio) is None without mail, bounds where none are asked."""

    at: int
    numerator: int
    denominator: int
    rate: float | None
    lower: float | None = None
    upper: float | None = None


class LevelLine(NamedTuple):
    """A level and the ratio at which it begins, by the policy in force."""

    level: Level
    ratio: float


class TimeSpan(NamedTuple):
    """Hours that are marked, such as those of an incident, and what is said of them."""

    start: int
    end: int
    said: str


class TimeMark(NamedTuple):
    """A moment at which something happened; `level` gives its colour."""

    at: int
    level: str
    said: str


class DrawnLevel(NamedTuple):
    """Where a level's line is, and its words."""

    y: float
    level: Level
    said: str


class Tick(NamedTuple):
    """A place on an axis with its words. Of times `iso` is the moment; `minor` ones are left out where it is narrow."""

    place: float
    said: str
    iso: str = ""
    minor: bool = False


class DrawnSpan(NamedTuple):
    """A marked time."""

    x: float
    width: float
    said: str


class DrawnMark(NamedTuple):
    """A marked moment."""

    x: float
    level: str
    said: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, and the same as a table. `above` are levels that lie above it."""

    name: str
    title: str
    said: str
    caption: str
    lines: tuple[str, ...]
    bands: tuple[str, ...]
    last: tuple[float, float] | None
    levels: tuple[DrawnLevel, ...]
    above: tuple[str, ...]
    values: tuple[Tick, ...]
    times: tuple[Tick, ...]
    spans: tuple[DrawnSpan, ...]
    marks: tuple[DrawnMark, ...]
    rows: tuple[RatePoint, ...]
    form: str
    words: PageWords
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def is_empty(self) -> bool:
        """Whether there was no mail at all."""
        return not self.lines


def thinned(points: Sequence[RatePoint], most: int = MOST_POINTS) -> list[RatePoint]:
    """At most about so many points: of neighbours the worst one, so that no peak is lost; and the last one."""
    each = -(-len(points) // most)
    if each <= 1:
        return list(points)
    groups = (points[start : start + each] for start in range(0, len(points) - 1, each))
    found = [max(group, key=lambda one: -1.0 if one.rate is None else one.rate) for group in groups]
    return found if found and found[-1] is points[-1] else [*found, points[-1]]


def chart(
    name: str,
    title: str,
    points: Sequence[RatePoint],
    levels: Sequence[LevelLine],
    bounds: Callable[[int, int], tuple[float, float]] | None,
    *,
    window: str,
    caption: str = "",
    enough: int = 1,
    spans: Sequence[TimeSpan] = (),
    marks: Sequence[TimeMark] = (),
    words: PageWords | None = None,
) -> Chart:
    """The picture of a rate. `name` is its id on the page; `bounds` gives the bounds of a numerator and denominator;
    `words` are those of a language, without them those of operators. Rates of less mail than `enough` do not stretch
    the picture: they are drawn as high as it is.

    Points are in order of time; where one has no rate the line is broken.
    """
    words = words or operators()
    drawn = [_with_bounds(each, bounds) for each in thinned(points)]
    known = [each for each in drawn if each.rate is not None]
    start, end = (points[0].at, points[-1].at) if points else (0, 1)
    top, shown = _top([each for each in known if each.denominator >= enough] or known, levels)
    across = _scale(start, max(end, start + 1), LEFT, WIDTH - RIGHT)
    up = _scale(0.0, top, HEIGHT - BOTTOM, TOP)
    runs = list(_runs(drawn))
    last = known[-1] if known else None
    form = "hour" if end - start <= 2 * DAY_S else "day"
    return Chart(
        name=name,
        title=title,
        said=_said(title, known, levels, window, words),
        caption=caption,
        lines=tuple(_line(run, across, up, top) for run in runs),
        bands=tuple(_band(run, across, up, top) for run in runs if len(run) > 1 and run[0].upper is not None),
        last=(across(last.at), up(min(last.rate or 0.0, top))) if last else None,
        levels=tuple(_levels(shown, up, words)),
        above=tuple(words.level(each.level, each.ratio) for each in levels if each not in shown),
        values=tuple(Tick(up(value), words.tick(value)) for value in _values(top)),
        times=tuple(_times(start, end, across)),
        spans=tuple(_span(each, start, end, across) for each in spans if each.end > start and each.start < end),
        marks=tuple(DrawnMark(across(each.at), each.level, each.said) for each in marks if start <= each.at <= end),
        rows=tuple(_with_bounds(each, bounds) for each in thinned(points, MOST_ROWS)[::-1]),
        form=form,
        words=words,
    )


def _with_bounds(point: RatePoint, bounds: Callable[[int, int], tuple[float, float]] | None) -> RatePoint:
    if bounds is None or point.rate is None or point.lower is not None:
        return point
    lower, upper = bounds(point.numerator, point.denominator)
    return point._replace(lower=lower, upper=upper)


def _top(known: Sequence[RatePoint], levels: Sequence[LevelLine]) -> tuple[float, list[LevelLine]]:
    """The highest value of the picture, and the levels that are in it: those near the rates, and the mildest."""
    highest = max((each.rate or 0.0 for each in known), default=0.0)
    mildest = min((each.ratio for each in levels), default=0.0)
    reach = max(highest, mildest)
    shown = [each for each in levels if each.ratio <= max(reach, highest * FARTHEST_LEVEL)]
    most = max([highest, *(each.ratio for each in shown)]) or 0.01
    return min(1.0, _rounded_up(most * ROOM_ABOVE)), shown


def _levels(shown: Sequence[LevelLine], up: Callable[[float], float], words: PageWords) -> Iterator[DrawnLevel]:
    """From the worst down; one whose words would stand in those of another has none."""
    last = -LABEL
    for each in reversed(shown):
        y = up(each.ratio)
        is_free = y - last >= LABEL
        last = y if is_free else last
        yield DrawnLevel(y, each.level, words.level(each.level, each.ratio) if is_free else "")


def _rounded_up(value: float) -> float:
    scale = 10.0 ** floor(log10(value))
    return next(step * scale for step in STEPS if step * scale >= value * (1 - 1e-9))


def _values(top: float) -> list[float]:
    parts = 4 if round(top / 10.0 ** floor(log10(top)), 6) in (1.0, 2.0, 4.0) else 5
    return [top * place / parts for place in range(parts + 1)]


def _scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    per = (last - first) / (high - low)
    return lambda value: round(first + (value - low) * per, 1)


def _runs(points: Sequence[RatePoint]) -> Iterator[list[RatePoint]]:
    """Points with mail that follow each other."""
    run: list[RatePoint] = []
    for each in points:
        if each.rate is None:
            if run:
                yield run
            run = []
        else:
            run.append(each)
    if run:
        yield run


def _line(run: Sequence[RatePoint], across: Callable[[float], float], up: Callable[[float], float], top: float) -> str:
    places = [f"{across(each.at):g} {up(min(each.rate or 0.0, top)):g}" for each in run]
    # A line of one point is none: a round end is drawn of no length.
    return f"M{' L'.join(places)}" if len(places) > 1 else f"M{places[0]} h0"


def _band(run: Sequence[RatePoint], across: Callable[[float], float], up: Callable[[float], float], top: float) -> str:
    above = [f"{across(each.at):g} {up(min(each.upper or 0.0, top)):g}" for each in run]
    below = [f"{across(each.at):g} {up(min(each.lower or 0.0, top)):g}" for each in reversed(run)]
    return f"M{' L'.join([*above, *below])} Z"


def _span(span: TimeSpan, start: int, end: int, across: Callable[[float], float]) -> DrawnSpan:
    first, last = across(max(span.start, start)), across(min(span.end, end))
    return DrawnSpan(first, round(max(2.0, last - first), 1), span.said)


def _times(start: int, end: int, across: Callable[[float], float]) -> Iterator[Tick]:
    """Round times: hours of a day, days of a week, some days of a month (UTC)."""
    length = end - start
    step = next(
        each for each in (HOUR_S, 4 * HOUR_S, DAY_S, 5 * DAY_S, 30 * DAY_S) if length / each <= 8 or each > DAY_S * 5
    )
    first = -(-start // step) * step
    for place, at in enumerate(range(first, end + 1, step)):
        when = datetime.fromtimestamp(at, UTC)
        said = f"{when:%H:%M}" if step < DAY_S else f"{when.day} {when:%b}"
        yield Tick(across(at), said, f"{when:%Y-%m-%dT%H:%M:%SZ}", minor=bool(place % 2))


def _said(title: str, known: Sequence[RatePoint], levels: Sequence[LevelLine], window: str, words: PageWords) -> str:
    """What a picture shows, for who cannot see it."""
    if not known:
        return f"{title}: {words.page.charts.empty}"
    last, worst = known[-1], max(known, key=lambda each: each.rate or 0.0)
    return words.said(
        title,
        window,
        (last.rate or 0.0, last.numerator, last.denominator),
        (last.lower, last.upper),
        (worst.rate or 0.0, worst.at),
        {each.level: each.ratio for each in levels},
    )
