"""Listings as intervals, from the blocklist events stored; and who used a listed address."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.listing import Weight
from streams.store import Store

#: How long before now an address counts as used by a customer: the attribution window, DESIGN's 48 h.
USED_WITHIN_S = 48 * 3600

EVENTS = """
SELECT resource, zone, weight, type, toUnixTimestamp64Milli(time) AS time_ms
FROM listing_events FINAL
WHERE type IN ('listed', 'still_listed', 'delisted') AND weight IN {weights:Array(String)} AND kind = 'ip'
ORDER BY resource, zone, time, type
"""

USERS = """
SELECT value, groupUniqArray({most:UInt32})(customer)
FROM counts
WHERE dimension = 'ip' AND value IN {ips:Array(String)} AND bucket >= toDateTime({since:UInt32})
GROUP BY value
"""

CUSTOMERS = """
SELECT DISTINCT customer FROM counts
WHERE dimension = 'ip' AND value IN {ips:Array(String)} AND bucket >= toDateTime({since:UInt32})
"""


@dataclass(frozen=True, slots=True)
class Listing:
    """One resource on one zone from `from_ms` to `to_ms` (epoch ms, UTC; None: still listed)."""

    resource: str
    zone: str
    weight: Weight
    from_ms: int
    to_ms: int | None


def intervals(events: Iterable[Sequence[Any]]) -> list[Listing]:
    """Listings from events (resource, zone, weight, type, time ms) ordered by resource, zone and time. Pure.

    `still_listed` without a `listed` before it begins a listing: the beginning may be older than what is kept.
    """
    found: list[Listing] = []
    current: Listing | None = None
    for resource, zone, weight, kind, time_ms in events:
        if current is not None and (current.resource, current.zone) != (resource, zone):
            found.append(current)
            current = None
        if kind == "delisted":
            if current is not None:
                found.append(Listing(resource, zone, current.weight, current.from_ms, int(time_ms)))
                current = None
        elif current is None:
            current = Listing(resource, zone, weight, int(time_ms), None)
    if current is not None:
        found.append(current)
    return found


def read_listings(store: Store, since_ms: int, weights: Sequence[Weight]) -> list[Listing]:
    """Address listings of the given weights that were in force at or after `since_ms`.

    Raises:
        StoreError: the store failed.
    """
    events = store.rows(EVENTS, {"weights": list(weights)})
    return [each for each in intervals(events) if each.to_ms is None or each.to_ms > since_ms]


def users_of(store: Store, ips: Iterable[str], now_ms: int, most: int = 2) -> dict[str, set[str]]:
    """Who sent through each address in the last 48 h, at most `most` customers an address.

    Raises:
        StoreError: the store failed.
    """
    wanted = sorted(set(ips))
    if not wanted:
        return {}
    rows = store.rows(USERS, {"ips": wanted, "since": _since(now_ms), "most": most})
    return {ip: set(customers) for ip, customers in rows}


def customers_of(store: Store, ips: Iterable[str], now_ms: int) -> set[str]:
    """Everybody who sent through any of the addresses in the last 48 h.

    Raises:
        StoreError: the store failed.
    """
    rows = store.rows(CUSTOMERS, {"ips": sorted(set(ips)), "since": _since(now_ms)})
    return {customer for (customer,) in rows}


def _since(now_ms: int) -> int:
    """Epoch seconds."""
    return max(0, now_ms // 1000 - USED_WITHIN_S)
