"""Tables of what a rate is made up of, each value with how sure its rate is, and which one is the worst."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from api.http.breakdowns import RatePart
from api.http.models.parameters import Breakdown
from api.http.rate_counts import OF_EVENTS

Bounds = Callable[[int, int], tuple[float, float]]
TITLES: Mapping[Breakdown, tuple[str, str]] = {
    "provider": ("Mailbox providers", "provider"),
    "stream": ("Streams", "stream"),
    "ip": ("Sending addresses", "address"),
    "from_domain": ("From domains", "From domain"),
    "campaign": ("Campaigns", "campaign"),
    "bounce_class": ("Bounce classes", "bounce class"),
}
#: Who has less than this of the numerator is not called the worst.
LEAST = 3
#: How many times the rate of all mail the worst one's must surely be.
TIMES = 1.5


@dataclass(frozen=True, slots=True)
class PartRow:
    """One value. `rate` and bounds are ratios; None where the denominator is 0. `share` is its part of the numerator of
    those shown; `sample` a typical answer."""

    value: str
    numerator: int
    denominator: int
    rate: float | None
    lower: float | None
    upper: float | None
    share: float
    is_worst: bool = False
    sample: str = ""


@dataclass(frozen=True, slots=True)
class PartTable:
    """All values of one kind, those with most of the numerator first. With `of_all` each is divided by all mail."""

    by: Breakdown
    title: str
    heading: str
    rows: tuple[PartRow, ...]
    of_all: bool
    verdict: str = ""


def part_tables(
    parts: Mapping[Breakdown, Sequence[RatePart]], samples: Mapping[str, str], bounds: Bounds
) -> tuple[PartTable, ...]:
    """A table for each kind of part. `bounds` gives those of a numerator and denominator."""
    whole = [(each.numerator, each.denominator) for each in parts.get("provider", parts.get("stream", ()))]
    top, bottom = sum(each for each, _ in whole), sum(each for _, each in whole)
    return tuple(_table(by, some, samples, bounds, top, bottom) for by, some in parts.items())


def _table(
    by: Breakdown, some: Sequence[RatePart], samples: Mapping[str, str], bounds: Bounds, top: int, bottom: int
) -> PartTable:
    of_all = by in OF_EVENTS
    rows = list(_rows(some, bounds, bottom if of_all else None, samples if by == "bounce_class" else {}))
    title, heading = TITLES.get(by, (by, by))
    worst = _worst(rows, top, bottom, of_all=of_all)
    shown = tuple(
        PartRow(
            each.value, each.numerator, each.denominator, each.rate, each.lower, each.upper, each.share,
            is_worst=each is worst, sample=each.sample,
        )
        for each in rows
    )  # fmt: skip
    return PartTable(by, title, heading, shown, of_all, _said(worst, heading, of_all=of_all))


def _rows(
    some: Sequence[RatePart], bounds: Bounds, denominator: int | None, samples: Mapping[str, str]
) -> Iterator[PartRow]:
    total = sum(each.numerator for each in some)
    for each in some:
        of = each.denominator if denominator is None else denominator
        counted = min(each.numerator, of)
        lower, upper = bounds(counted, of) if of > 0 else (None, None)
        yield PartRow(
            value=each.value,
            numerator=each.numerator,
            denominator=of,
            rate=counted / of if of > 0 else None,
            lower=lower,
            upper=upper,
            share=each.numerator / total if total else 0.0,
            sample=samples.get(each.value, ""),
        )


def _worst(rows: Sequence[PartRow], top: int, bottom: int, *, of_all: bool) -> PartRow | None:
    """Who is surely worse than all mail together; of what is divided by all mail, who brings half of it or more."""
    some = [each for each in rows if each.numerator >= LEAST and each.lower is not None]
    if of_all:
        most = max(some, key=lambda each: each.numerator, default=None)
        return most if most and len(rows) > 1 and most.share >= 0.5 else None
    worst = max(some, key=lambda each: each.lower or 0.0, default=None)
    usual = top / bottom if bottom else 0.0
    return worst if worst and len(rows) > 1 and (worst.lower or 0.0) > usual * TIMES else None


def _said(worst: PartRow | None, heading: str, *, of_all: bool) -> str:
    if worst is None:
        return ""
    return f"most of it is one {heading}" if of_all else f"one {heading} is surely worse than the rest"
