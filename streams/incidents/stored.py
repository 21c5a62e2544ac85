"""Incidents as they are stored: what monitors found and what people decided are two rows, and the latter counts."""

from collections.abc import Collection, Iterable
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schemas.incident import Incident
from schemas.times import utc_time
from streams.io.store import Store
from streams.listings.left_out import LeftOut
from streams.subjects.left_out import NOT_EXCUSED, ProviderHour

#: Those whose last hour is not older than a time.
INCIDENTS = """
SELECT id, decided, detail
FROM fleet_incidents FINAL
WHERE hours[-1] >= toDateTime({since:UInt32})
ORDER BY hours[1], id, decided
"""
#: Both views at once: of mail since a time, and of listings.
ALL_LEFT_OUT = """
SELECT provider, toUnixTimestamp(hour), '' FROM left_out WHERE hour >= toDateTime({since:UInt32})
UNION ALL
SELECT place, toUnixTimestamp(hour), incident FROM left_out_listings
"""

_decode = msgspec.json.Decoder(Incident).decode


class Incidents(NamedTuple):
    """By id: what monitors found, and what people decided."""

    found: dict[str, Incident]
    decided: dict[str, Incident]

    def in_force(self) -> list[Incident]:
        """Each as it counts: what people decided is its state, what monitors found later are its hours."""
        return [self.one(name) for name in {**self.found, **self.decided}]

    def one(self, name: str) -> Incident:
        """One as it counts.

        Raises:
            KeyError: there is none of this id.
        """
        decided = self.decided.get(name)
        found = self.found.get(name)
        if decided is None or found is None:
            return decided or self.found[name]
        return msgspec.structs.replace(found, state=decided.state, by=decided.by, why=decided.why)


def read_incidents(store: Store, since_s: int = 0) -> Incidents:
    """Those whose last hour begins at or after `since_s` (epoch s).

    Raises:
        StoreError: the store failed.
    """
    incidents = Incidents({}, {})
    for name, decided, detail in store.rows(INCIDENTS, {"since": max(0, since_s)}):
        (incidents.decided if decided else incidents.found)[name] = _decode(detail)
    return incidents


def read_all_left_out(store: Store, since_s: int) -> tuple[frozenset[ProviderHour], LeftOut]:
    """What is left out of what customers are judged by: mail since `since_s` (epoch s), and listings.

    Raises:
        StoreError: the store failed.
    """
    rows = [(str(place), int(hour), str(name)) for place, hour, name in store.rows(ALL_LEFT_OUT, {"since": since_s})]
    mail = frozenset((place, hour) for place, hour, name in rows if not name)
    return mail, {(place, hour): name for place, hour, name in rows if name}


def read_not_excused(store: Store) -> frozenset[ProviderHour]:
    """Customers and hours (epoch s) whose mail counts though an incident struck it.

    Raises:
        StoreError: the store failed.
    """
    return frozenset((str(customer), int(hour.timestamp())) for customer, hour in store.rows(NOT_EXCUSED))


def store_incidents(store: Store, some: Iterable[Incident], now_ms: int, *, decided: bool = False) -> None:
    """Write incidents as they are now.

    Raises:
        StoreError: the store failed.
    """
    rows = list(some)
    if not rows:
        return
    times: list[list[datetime]] = [[utc_time(hour * 1000) for hour in each.hours] for each in rows]
    store.insert(
        "fleet_incidents",
        {
            "id": [each.id for each in rows],
            "decided": [decided] * len(rows),
            "dimension": [each.dimension for each in rows],
            "value": [each.value for each in rows],
            "outcome": [each.outcome for each in rows],
            "state": [each.state for each in rows],
            "leaves_out": [each.leaves_out for each in rows],
            "open": [each.open for each in rows],
            "hours": times,
            "detail": [msgspec.json.encode(each).decode() for each in rows],
            "updated": [utc_time(now_ms)] * len(rows),
        },
    )


def name_of(*excluded: Collection[tuple[str, int]]) -> str:
    """A short name of all that is left out; empty where nothing is."""
    if not any(excluded):
        return ""
    text = "\n".join(f"{value} {hour}" for some in excluded for value, hour in sorted(some))
    return blake2b(text.encode(), digest_size=6).hexdigest()
