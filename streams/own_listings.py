"""Listings that are one customer's alone, since nobody else used the address or domain: how many, and for how long."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.listing import WEIGHTS, Weight
from schemas.scope import CUSTOMER
from streams.listings import USED_WITHIN_S, Listing
from streams.resource_use import NOBODY, Resource, Users, users_between
from streams.scopes import scopes_of
from streams.store import Store
from streams.subjects import LISTED_S_OF, LISTINGS_OF, PLACE, Subjects
from streams.totals import FOREVER_S

#: How long the answer to who else uses a resource is good for.
USERS_MS = 60_000


class Own(NamedTuple):
    """A listing of a resource that one customer alone used; `stream` is its only stream there, where that is known."""

    listing: Listing
    stream: str | None = None


class SoleUsers:
    """Listings by the one customer that used the resource; a shared one accuses nobody.

    Who used a resource is read again after `USERS_MS`, or when another one is listed: to find that out, every
    customer's counts are read.
    """

    def __init__(self, store: Store, weights: Iterable[Weight] = WEIGHTS) -> None:
        """Only listings of these weights are looked at."""
        self._store = store
        self._weights = frozenset(weights)
        self._users: Mapping[Resource, Users] = {}
        self._read_ms = -USERS_MS

    def owned(self, listings: Sequence[Listing], now_ms: int) -> dict[str, list[Own]]:
        """The listings of each customer that has one.

        Raises:
            StoreError: the store failed.
        """
        asked = [each for each in listings if each.weight in self._weights]
        resources = {(each.kind, each.resource) for each in asked}
        if now_ms - self._read_ms >= USERS_MS or not resources <= self._users.keys():
            found = users_between(self._store, resources, now_ms // 1000 - USED_WITHIN_S, FOREVER_S)
            self._users = {each: found.get(each[1], NOBODY) for each in resources}
            self._read_ms = now_ms
        return by_owner(asked, self._users)


def by_owner(listings: Iterable[Listing], users: Mapping[Resource, Users]) -> dict[str, list[Own]]:
    """The listings of each customer that alone used the resource. Pure."""
    owned: dict[str, list[Own]] = defaultdict(list)
    for each in listings:
        used_by = users.get((each.kind, each.resource), NOBODY)
        if (customer := used_by.alone) is not None:
            owned[customer].append(Own(each, used_by.one_stream))
    return owned


def add_listings(found: Subjects, windows_ms: Sequence[int], owned: Mapping[str, Sequence[Own]], now_ms: int) -> None:
    """Fill in how many listings of each weight were in force in each window, and for how long.

    A stream has those of resources that it alone used, and so has the sub-account that it belongs to. Critical listings
    are the whole customer's in `critical_listings`, which a rule judges of customers only.
    """
    if not owned:
        return
    for row, (customer, scope) in enumerate(zip(found.customers, found.scopes, strict=True)):
        for own in owned.get(customer, ()):
            if scope == CUSTOMER or (own.stream is not None and scope in scopes_of(own.stream)):
                _add(found, row, own.listing, windows_ms, now_ms)


def add_attributed(
    found: Subjects, windows_ms: Sequence[int], attributed: Mapping[str, Sequence[Listing]], now_ms: int
) -> None:
    """Fill in of how many listings, in force in each window, each customer is the likely cause."""
    if not attributed:
        return
    for row, (customer, scope) in enumerate(zip(found.customers, found.scopes, strict=True)):
        if scope == CUSTOMER:
            for each in attributed.get(customer, ()):
                found.counts[row, :, PLACE["attributed_listings"]] += [
                    in_force(each, length, now_ms) for length in windows_ms
                ]


def in_force(listing: Listing, window_ms: int, now_ms: int) -> bool:
    """Whether a listing was in force at some time of a window that ends now."""
    return listing.to_ms is None or listing.to_ms > now_ms - window_ms


def listed_s(from_s: int, to_s: int, window_s: int, now_s: int) -> int:
    """For how many seconds of a window that ends now something lasted (all in s)."""
    return max(0, min(to_s, now_s) - max(from_s, now_s - window_s))


def _add(found: Subjects, row: int, listing: Listing, windows_ms: Sequence[int], now_ms: int) -> None:
    to_s = FOREVER_S if listing.to_ms is None else listing.to_ms // 1000
    of_customer = found.scopes[row] == CUSTOMER and listing.weight == "critical"
    for place, length in enumerate(windows_ms):
        if in_force(listing, length, now_ms):
            found.counts[row, place, LISTINGS_OF[listing.weight]] += 1
            found.counts[row, place, PLACE["critical_listings"]] += of_customer
        seconds = listed_s(listing.from_ms // 1000, to_s, length // 1000, now_ms // 1000)
        found.counts[row, place, LISTED_S_OF[listing.weight]] += seconds
