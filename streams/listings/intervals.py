"""Listings as intervals, from the blocklist events stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.listing import ResourceKind, Weight
from schemas.times import DAY_S
from streams.io.store import Store

#: How long before a moment an address counts as used by a customer: the attribution window, DESIGN's 48 h.
USED_WITHIN_S = 2 * DAY_S

EVENTS = """
SELECT resource, zone, weight, type, toUnixTimestamp64Milli(time) AS time_ms, kind, confirmed
FROM listing_events FINAL
WHERE type IN ('listed', 'still_listed', 'delisted') AND weight IN {weights:Array(String)}
    AND kind IN {kinds:Array(String)}
ORDER BY resource, zone, time, type
"""


@dataclass(frozen=True, slots=True)
class ListingInterval:
    """One resource on one zone from `from_ms` to `to_ms` (epoch ms, UTC; None: still listed).

    `confirmed`: a second look said the same, or none was owed.
    """

    resource: str
    zone: str
    weight: Weight
    from_ms: int
    to_ms: int | None
    kind: ResourceKind = "ip"
    confirmed: bool = True


def intervals(events: Iterable[Sequence[Any]]) -> list[ListingInterval]:
    """Listings from events (resource, zone, weight, type, time ms, kind, confirmed) ordered by resource, zone and time.
    Pure.

    `still_listed` without a `listed` before it begins a listing: the beginning may be older than what is kept.
    """
    found: list[ListingInterval] = []
    current: ListingInterval | None = None
    for resource, zone, weight, said, time_ms, kind, confirmed in events:
        if current is not None and (current.resource, current.zone) != (resource, zone):
            found.append(current)
            current = None
        if said == "delisted":
            if current is not None:
                found.append(replace(current, to_ms=int(time_ms)))
                current = None
        elif current is None:
            current = ListingInterval(resource, zone, weight, int(time_ms), None, kind, bool(confirmed))
        elif confirmed and not current.confirmed:
            current = replace(current, confirmed=True)
    if current is not None:
        found.append(current)
    return found


def read_listings(
    store: Store, since_ms: int, weights: Sequence[Weight], kinds: Sequence[ResourceKind] = ("ip",)
) -> list[ListingInterval]:
    """Listings of the given weights and kinds that were in force at or after `since_ms`.

    Raises:
        StoreError: the store failed.
    """
    events = store.rows(EVENTS, {"weights": list(weights), "kinds": list(kinds)})
    return [each for each in intervals(events) if each.to_ms is None or each.to_ms > since_ms]
