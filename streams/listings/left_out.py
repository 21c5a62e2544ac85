"""The listings that are held against nobody, since many began together: an incident (`streams.incidents`).

They stay stored and are shown. What is judged is read without them: by `read_judged` in place of `read_listings`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from schemas.alert import Unjudged
from schemas.listing import ResourceKind, Weight
from schemas.times import HOUR_S
from streams.io.store import Store
from streams.listings.causes import CausedListing
from streams.listings.intervals import ListingInterval, read_listings
from streams.listings.neighbours import places_of

#: By list, or by network and list, and hour.
LEFT_OUT = "SELECT place, toUnixTimestamp(hour), incident FROM left_out_listings"

#: A place that listings share, and the beginning of an hour (epoch s).
ListingHour = tuple[str, int]
#: The id of the incident.
LeftOut = Mapping[ListingHour, str]


def read_left_out(store: Store) -> LeftOut:
    """What began to be listed as part of an incident.

    Raises:
        StoreError: the store failed.
    """
    return {(str(place), int(hour)): str(incident) for place, hour, incident in store.rows(LEFT_OUT)}


def incident_of(left_out: LeftOut, resource: str, zone: str, began_ms: int) -> str:
    """The id of the incident that a listing, begun at `began_ms` (epoch ms), is part of; empty where it is of none."""
    hour = began_ms // 1000 // HOUR_S * HOUR_S
    return next((left_out[place, hour] for place in places_of(resource, zone) if (place, hour) in left_out), "")


def judged(left_out: LeftOut, listings: Iterable[ListingInterval]) -> list[ListingInterval]:
    """The listings without those that are held against nobody."""
    return [each for each in listings if not incident_of(left_out, each.resource, each.zone, each.from_ms)]


def read_judged(
    store: Store, since_ms: int, weights: Sequence[Weight], kinds: Sequence[ResourceKind] = ("ip",)
) -> list[ListingInterval]:
    """`read_listings`, without those that are held against nobody.

    Raises:
        StoreError: the store failed.
    """
    found = read_listings(store, since_ms, weights, kinds)
    return judged(read_left_out(store), found) if found else []


def with_incidents(store: Store, some: Iterable[CausedListing]) -> list[CausedListing]:
    """Listings with their causes; those that are held against nobody say because of which incident.

    Raises:
        StoreError: the store failed.
    """
    found = list(some)
    left_out = read_left_out(store) if found else {}
    if not left_out:
        return found
    return [msgspec.structs.replace(each, incident=incident_of(left_out, *each.key)) for each in found]


def unjudged(some: Iterable[CausedListing]) -> tuple[Unjudged, ...]:
    """How many of some listings (`with_incidents`) are held against nobody, by list and incident."""
    counted = Counter((each.zone, each.incident) for each in some if each.incident)
    return tuple(
        Unjudged(reason="incident", count=count, zone=zone, incident=incident)
        for (zone, incident), count in sorted(counted.items())
    )
