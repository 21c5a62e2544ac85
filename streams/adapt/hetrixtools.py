"""HetrixTools' webhooks of blacklist monitors: an array of what changed, each with every list that it is on now.

Format: https://docs.hetrixtools.com/blacklist-monitoring-webhook-notifications/ . Older bodies spell `label` otherwise;
it is not read. No time is given, so the time is that of reading. What left a list is not named either: it is given by
no longer being there, which the event `complete` says. The test notification is that of an uptime monitor, and gives
none.
"""

from collections.abc import Iterator
from functools import partial

import msgspec

from schemas.listing import BlocklistEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.outside import ALL_ZONES, NO_WEIGHT, event_of, read_outside_body, told_now_ms, weigh, zone_of
from streams.adapt.webhook import Fields, typed

NAME = "hetrixtools"


class _On(msgspec.Struct):
    rbl: str
    delist: str | None = None


class _Changed(msgspec.Struct):
    monitor: str
    blacklisted_now: int | str
    blacklisted_on: list[_On] | None = None


def adapt(raw: bytes, context: Context) -> list[BlocklistEvent]:
    """A listing for each list that an address or domain is on, and `complete` for each address or domain.

    Raises:
        AdaptError: not such a body, or it counts other lists than it names.
    """
    return read_outside_body(raw, partial(_read, context=context))


def _read(fields: Fields, context: Context) -> Iterator[BlocklistEvent]:
    if "monitor" not in fields and "monitor_status" in fields:
        return
    record = typed(fields, _Changed)
    named = record.blacklisted_on or []
    on = {zone_of(each.rbl, "blacklisted_on.rbl"): each for each in named}
    if (counted := _number(record.blacklisted_now)) != len(named):
        # Taken as it is, such a record would end listings that continue.
        raise AdaptError(f"field `blacklisted_on`: {len(named)} lists are named, and {counted} counted")
    time_ms = told_now_ms(context)
    for zone, each in on.items():
        meaning = f"seen by HetrixTools; removal: {each.delist[:300]}" if each.delist else "seen by HetrixTools"
        yield event_of("listed", NAME, record.monitor, zone, weigh(context.lists, zone), time_ms, meaning)
    last = event_of("complete", NAME, record.monitor, ALL_ZONES, NO_WEIGHT, time_ms)
    last.zones = tuple(on)
    yield last


def _number(counted: int | str) -> int:
    if isinstance(counted, int):
        return counted
    if not (counted.isascii() and counted.strip().isdigit() and len(counted) < 10):
        raise AdaptError("field `blacklisted_now`: must be a whole number")
    return int(counted)
