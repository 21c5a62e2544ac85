"""Counting: events in, rows of counts out. Pure; the hot path of the product.

Events are tallied under one key of everything they are counted by, one dictionary step an event; a flush then
spreads each tally over the dimensions. A key occurs far less often than an event, so this costs least.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from schemas.counts import MEASURES
from schemas.event import COMPLAINT_FEEDBACK, MailEvent
from streams.classify import Classified

#: customer, stream, class, minute (epoch minutes, UTC), provider, sending ip, pool
Key = tuple[str, str, str, int, str, str, str]
Tallies = dict[Key, list[int]]
Columns = dict[str, list[object]]

MINUTE_MS = 60_000
INDEX = {name: place for place, name in enumerate(MEASURES)}
_BLANK = [0] * len(MEASURES)
_DIRECT = {
    "delivered": INDEX["delivered"],
    "deferred": INDEX["deferred"],
    "unsubscribed": INDEX["unsubscribed"],
    "expired": INDEX["expired"],
    "suppressed": INDEX["suppressed"],
    "rejected": INDEX["rejected"],
}
_COMPLAINED = INDEX["complained"]
_REPORTED = INDEX["reported"]
#: A complaint without a stated type is one: that is what the provider's webhook means by it.
_COMPLAINTS = COMPLAINT_FEEDBACK | {""}


def tally(tallies: Tallies, event: MailEvent, time_ms: int, classified: Classified | None) -> None:
    """Add one event. `classified` is given for bounces and says `hard`, `soft` or `block`."""
    key = (
        event.customer,
        event.stream,
        event.stream_class,
        time_ms // MINUTE_MS,
        event.provider,
        event.sending_ip,
        event.ip_pool,
    )
    sums = tallies.get(key)
    if sums is None:
        sums = tallies[key] = _BLANK.copy()
    place = _DIRECT.get(event.type)
    if place is not None:
        sums[place] += 1
    elif classified is not None:
        sums[INDEX[classified.kind]] += 1
        if event.asynchronous:
            sums[INDEX["late_" + classified.kind]] += 1
    elif event.feedback_type in _COMPLAINTS:
        sums[_COMPLAINED] += 1
    else:
        sums[_REPORTED] += 1


def rows(tallies: Tallies, source: str, last_offset: int, now_ms: int) -> Columns:
    """The columns of one flush: each tally in every dimension it has a value for, and one row for the offset.

    Every row carries `source` and `last_offset`, so that counts and offset are stored together or not at all.
    """
    sums: dict[tuple[str, str, str, str, int, str], list[int]] = {}
    for (customer, stream, stream_class, minute, provider, ip, pool), tallied in tallies.items():
        for dimension, value in (("provider", provider or "other"), ("ip", ip), ("pool", pool)):
            if not value:
                continue
            key = (dimension, customer, stream, stream_class, minute, value)
            known = sums.get(key)
            if known is None:
                sums[key] = tallied.copy()
            else:
                for place, number in enumerate(tallied):
                    known[place] += number
    sums[("offset", "", "", "bulk", now_ms // MINUTE_MS, "")] = _BLANK.copy()
    return _columns(sums.items(), source, last_offset)


def _columns(
    sums: Iterable[tuple[tuple[str, str, str, str, int, str], list[int]]], source: str, last_offset: int
) -> Columns:
    keys, tallied = zip(*sums, strict=True)
    dimension, customer, stream, stream_class, minute, value = (list(part) for part in zip(*keys, strict=True))
    columns: Columns = {
        "dimension": dimension,
        "customer": customer,
        "stream": stream,
        "class": stream_class,
        "bucket": [datetime.fromtimestamp(each * 60, UTC) for each in minute],
        "value": value,
        "source": [source] * len(keys),
        "last_offset": [last_offset] * len(keys),
    }
    for name, numbers in zip(MEASURES, zip(*tallied, strict=True), strict=True):
        columns[name] = list(numbers)
    return columns
