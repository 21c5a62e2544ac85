"""Incidents as they are stored: what monitors found and what people decided are two rows, and the latter counts."""

from collections.abc import Collection, Iterable
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schemas.incident import Incident
from schemas.times import utc_time
from streams.io.store import Store
from streams.listings.left_out import LeftOut, ListingHour
from streams.subjects.left_out import ProviderHour

#: Those whose last hour is not older than a time.
INCIDENTS = """
SELECT id, decided, detail
FROM fleet_incidents FINAL
WHERE hours[-1] >= toDateTime({since:UInt32})
ORDER BY hours[1], id, decided
"""
#: All that says what is left out, and who is not excused. The views say the same of it, and reading both of them takes
#: three times as long.
STANDING = """
SELECT id, decided, dimension, value, leaves_out, state = 'not_excused', arrayMap(each -> toUnixTimestamp(each), hours)
FROM fleet_incidents FINAL
WHERE leaves_out OR decided OR state = 'not_excused'
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


class AllLeftOut(NamedTuple):
    """What is left out of what customers are judged by: mail by provider and hour (epoch s), and listings; and the
    customers and hours whose mail counts though an incident struck it. It is what the views `left_out` and
    `left_out_listings` and `NOT_EXCUSED` say."""

    mail: frozenset[ProviderHour]
    listings: LeftOut
    not_excused: frozenset[ProviderHour]


def read_all_left_out(store: Store, since_s: int) -> AllLeftOut:
    """All of it, of mail since `since_s` (epoch s).

    Raises:
        StoreError: the store failed.
    """
    rows = store.rows(STANDING)
    decided = {name for name, is_decided, *_ in rows if is_decided}
    dismissed = {name for name, is_decided, _, _, leaves_out, *_ in rows if is_decided and not leaves_out}
    mail: set[ProviderHour] = set()
    not_excused: set[ProviderHour] = set()
    listings: dict[ListingHour, str] = {}
    for name, _, dimension, value, leaves_out, is_not_excused, hours in rows:
        places = [(str(value), int(hour)) for hour in hours]
        if leaves_out and name not in dismissed:
            if dimension == "listing":
                listings |= {each: min(listings.get(each, name), name) for each in places}
            else:
                mail.update(each for each in places if each[1] >= since_s)
        if is_not_excused and dimension == "customer" and name not in decided:
            not_excused.update(places)
    return AllLeftOut(frozenset(mail), listings, frozenset(not_excused))


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
