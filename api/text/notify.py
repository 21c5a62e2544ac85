"""The tables of `repmon notify routes` and `repmon notify failed`."""

from collections.abc import Iterator, Mapping, Sequence

from jobs.notify.events import EventError, read_event
from jobs.notify.notification import Notification, RouteTotals
from schemas.notify import Route
from schemas.wording import age, rfc3339

GONE = "(no such route)"
#: Characters of what a target said last, as long as it waits.
MOST_SAID = 60


def route_lines(routes: Sequence[Route], totals: Sequence[RouteTotals], now_ms: int) -> Iterator[str]:
    """A line for each route of the settings, and for those that are gone and have something left; none of all
    where there are none."""
    known = {route.name: str(route.target.__struct_config__.tag) for route in routes}
    stored = {each.route: each for each in totals}
    left = [name for name, each in stored.items() if name not in known and each.waiting + each.later + each.failed]
    rows: list[tuple[str, ...]] = [("route", "target", "waiting", "later", "sent", "failed", "oldest", "said last")]
    rows += [_route_row(name, known.get(name, GONE), stored, now_ms) for name in [*known, *left]]
    return _aligned(rows if len(rows) > 1 else [])


def failed_lines(items: Sequence[Notification]) -> Iterator[str]:
    """A line for each dead letter."""
    rows = [("id", "due", "route", "customer", "event", "tries", "said")]
    rows += [
        (each.id, rfc3339(each.due_ms), each.route, each.lane, _kind(each), str(each.tries), each.said)
        for each in items
    ]
    return _aligned(rows)


def _route_row(name: str, target: str, stored: Mapping[str, RouteTotals], now_ms: int) -> tuple[str, ...]:
    found = stored.get(name)
    if found is None:
        return name, target, "0", "0", "0", "0", "", ""
    oldest = age((now_ms - found.oldest_ms) / 1000) if found.waiting else ""
    said = found.said[:MOST_SAID] if found.waiting else ""
    return name, target, *(f"{n:,}" for n in (found.waiting, found.later, found.sent, found.failed)), oldest, said


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def _kind(item: Notification) -> str:
    try:
        return read_event(item.event).kind
    except EventError:
        return "?"
