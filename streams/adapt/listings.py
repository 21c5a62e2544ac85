"""Listings of an outside monitor in a form of our own, for monitors that have none we read: docs/blocklists.md has it.

One JSON object, an array of them, or one a line. Each says of one `resource` (an address or a domain) either that it
is on one `zone` (`listed`, `still_listed`) or no longer (`delisted`), or with `zones` on which it is now, all others
having ended. `time`, `codes`, `weight`, `meaning` and `monitor` may be left out.
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import msgspec

from schemas.listing import BlocklistEvent, Weight
from streams.adapt.base import AdaptError, Context
from streams.adapt.outside import (
    ALL_ZONES,
    NO_WEIGHT,
    check_codes,
    event_of,
    named,
    read_outside_body,
    told_now_ms,
    weigh,
    zone_of,
)
from streams.adapt.webhook import Fields, moment_ms, typed

MONITOR = "outside"


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    resource: str
    zone: str | None = None
    status: Literal["listed", "still_listed", "delisted"] = "listed"
    zones: list[str] | None = None
    time: int | float | str | None = None
    codes: tuple[str, ...] = ()
    weight: Weight | None = None
    meaning: str = ""
    monitor: str = MONITOR


def adapt(raw: bytes, context: Context) -> list[BlocklistEvent]:
    """An event for each list that a record names, and `complete` for each record with `zones`.

    Raises:
        AdaptError: not such a body, a code that is no listing, or a list that is not known where the settings refuse
            such.
    """
    return read_outside_body(raw, partial(_read, context=context))


def _read(fields: Fields, context: Context) -> Iterator[BlocklistEvent]:
    record = typed(fields, _Record)
    if (record.zone is None) == (record.zones is None):
        raise AdaptError("either `zone` or `zones` is needed")
    monitor = named(record.monitor.strip(), "monitor")
    time_ms = told_now_ms(context) if record.time is None else moment_ms(record.time, "time")
    if record.zones is not None and (record.status != "listed" or record.codes or record.weight):
        raise AdaptError("`status`, `codes` and `weight` need `zone`, not `zones`")
    field, named_zones = ("zone", [record.zone or ""]) if record.zones is None else ("zones", record.zones)
    zones = list(dict.fromkeys(zone_of(each, field) for each in named_zones))
    for zone in zones:
        check_codes(context.lists, zone, record.codes)
        weight = weigh(context.lists, zone, record.codes, record.weight)
        event = event_of(record.status, monitor, record.resource, zone, weight, time_ms, record.meaning[:1_000])
        event.codes = record.codes
        yield event
    if record.zones is not None:
        last = event_of("complete", monitor, record.resource, ALL_ZONES, NO_WEIGHT, time_ms)
        last.zones = tuple(zones)
        yield last
