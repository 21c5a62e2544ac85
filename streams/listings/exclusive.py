"""Listings that are one customer's alone: how many, and for how long.

A listing is a customer's own if nobody else sent through the address or domain in the 48 hours before it began, or if
the address is of a pool that is set up for the customer. A customer that uses it later did not cause the listing, and
one that stopped using it still did.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.listing import WEIGHTS, Weight
from schemas.scope import CUSTOMER
from schemas.times import FOREVER_S
from streams.io.store import Store
from streams.listings.causes import COUNTED, RECOUNT_MS, ListingKey, key_of, read_owners, runs
from streams.listings.exposure import SENT_MAIL
from streams.listings.intervals import USED_WITHIN_S, ListingInterval
from streams.listings.of_pools import AloneListed, of_pools
from streams.listings.resource_use import NOBODY, Users, used
from streams.subjects.arrays import FIELD_INDEX, LISTED_S_OF, LISTINGS_OF, Subjects
from streams.subjects.fresh_starts import Since
from streams.subjects.scopes import scopes_of

#: Two of each are enough to know that there are several.
SENDERS = f"""
SELECT place, groupUniqArray(2)(customer), groupUniqArray(2)(stream)
FROM
(
    SELECT place, customer, stream
    FROM ({{used}}) AS counted
    INNER JOIN
    (
        SELECT each.1 AS resource, each.2 AS began, each.3 AS place
        FROM (SELECT arrayJoin(arrayZip({{{{names:Array(String)}}}}, {{{{begins:Array(UInt32)}}}},
            arrayEnumerate({{{{names:Array(String)}}}}))) AS each)
    ) AS asked ON asked.resource = counted.resource
    WHERE bucket >= toDateTime(began - {USED_WITHIN_S}) AND bucket < toDateTime(began)
    GROUP BY place, customer, stream
    HAVING toInt64(sum({SENT_MAIL})) > 0
)
GROUP BY place
"""  # noqa: S608 - made of names from this project only


class ExclusiveListing(NamedTuple):
    """A listing that is one customer's; `stream` is the only stream that sent there, where that is known."""

    listing: ListingInterval
    stream: str | None = None


class OwnListings:
    """Listings by whose own they are; what is nobody's own accuses nobody.

    Who sent before each began is read when there is a new one, and again every `RECOUNT_MS`: counts may come late.
    """

    def __init__(self, store: Store, weights: Iterable[Weight] = WEIGHTS) -> None:
        """Only listings of these weights are looked at."""
        self._store = store
        self._weights = frozenset(weights)
        self._users: dict[ListingKey, Users] = {}
        self._read_ms = -RECOUNT_MS

    def owned(self, listings: Sequence[ListingInterval], now_ms: int) -> dict[str, list[ExclusiveListing]]:
        """The listings of each customer that has one.

        Raises:
            StoreError: the store failed.
        """
        asked = [each for each in listings if each.weight in self._weights]
        # Read in the future means that the clock was set back since.
        fresh = self._read_ms <= now_ms < self._read_ms + RECOUNT_MS
        if not fresh or not self._users.keys() >= {key_of(each) for each in asked}:
            self._users, self._read_ms = users_before(self._store, asked), now_ms
        return by_owner(asked, self._users, read_owners(self._store, asked))


def users_before(store: Store, listings: Sequence[ListingInterval]) -> dict[ListingKey, Users]:
    """Who sent through the resource of each listing in the 48 hours before it began; nobody where that is the matter of
    a pool (`of_pools`).

    Raises:
        StoreError: the store failed.
    """
    found = {key_of(each): NOBODY for each in listings}
    for some in runs(store, listings):
        begins = [each.from_ms // 1000 for each in some]
        asked = {"names": [each.resource for each in some], "begins": begins}
        resources = [(each.kind, each.resource) for each in some]
        columns = f"customer, stream, bucket, {', '.join(COUNTED)}"
        rows = used(store, SENDERS, columns, resources, min(begins) - USED_WITHIN_S, max(begins), asked)
        for place, customers, streams in rows:
            found[key_of(some[int(place) - 1])] = Users(tuple(customers), tuple(streams))
    alone = [AloneListed(each, who) for each in listings if (who := found[key_of(each)].alone) is not None]
    users = {each: found[key_of(each)].customers for each in listings}
    for each in of_pools(store, alone, users, {}):
        found[key_of(each)] = NOBODY
    return found


def by_owner(
    listings: Iterable[ListingInterval], users: Mapping[ListingKey, Users], owners: Mapping[ListingKey, str]
) -> dict[str, list[ExclusiveListing]]:
    """The listings of each customer that sent alone, or that the address is set up for. Pure."""
    owned: dict[str, list[ExclusiveListing]] = defaultdict(list)
    for each in listings:
        used_by = users.get(key_of(each), NOBODY)
        if (customer := used_by.alone or owners.get(key_of(each))) is not None:
            owned[customer].append(ExclusiveListing(each, used_by.one_stream))
    return owned


def add_listings(
    found: Subjects,
    windows_ms: Sequence[int],
    owned: Mapping[str, Sequence[ExclusiveListing]],
    now_ms: int,
    since: Since,
) -> None:
    """Fill in how many listings of each weight were in force in each window, and for how long.

    A stream has those of resources that it alone used, and so has the sub-account that it belongs to. Critical listings
    are the whole customer's in `critical_listings`, which a rule judges of customers only.

    What is listed is a fact of today: after a fresh start (`since`) a listing from before counts while it is in force,
    one that ended before does not, and hours count from then on.
    """
    if not owned:
        return
    for row, (customer, scope) in enumerate(zip(found.customers, found.scopes, strict=True)):
        for own in owned.get(customer, ()):
            if scope == CUSTOMER or (own.stream is not None and scope in scopes_of(own.stream)):
                _add(found, row, own.listing, _cut(windows_ms, now_ms, since.get(customer)), now_ms)


def add_attributed(
    found: Subjects,
    windows_ms: Sequence[int],
    attributed: Mapping[str, Sequence[ListingInterval]],
    now_ms: int,
    since: Since,
) -> None:
    """Fill in of how many listings, in force in each window, each customer is the likely cause.

    That is said by the mail of before the listing began, so after a fresh start (`since`) only those count that began
    since.
    """
    if not attributed:
        return
    for row, (customer, scope) in enumerate(zip(found.customers, found.scopes, strict=True)):
        if scope == CUSTOMER:
            anew_ms = since.get(customer, 0) * 1000
            for each in attributed.get(customer, ()):
                if each.from_ms < anew_ms:
                    continue
                found.counts[row, :, FIELD_INDEX["attributed_listings"]] += [
                    in_force(each, length, now_ms) for length in windows_ms
                ]


def _cut(windows_ms: Sequence[int], now_ms: int, since_s: int | None) -> Sequence[int]:
    """The lengths of windows that end now and begin no earlier than a fresh start."""
    return windows_ms if since_s is None else [min(each, max(0, now_ms - since_s * 1000)) for each in windows_ms]


def in_force(listing: ListingInterval, window_ms: int, now_ms: int) -> bool:
    """Whether a listing was in force at some time of a window that ends now."""
    return listing.to_ms is None or listing.to_ms > now_ms - window_ms


def listed_s(from_s: int, to_s: int, window_s: int, now_s: int) -> int:
    """For how many seconds of a window that ends now something lasted (all in s)."""
    return max(0, min(to_s, now_s) - max(from_s, now_s - window_s))


def _add(found: Subjects, row: int, listing: ListingInterval, windows_ms: Sequence[int], now_ms: int) -> None:
    to_s = FOREVER_S if listing.to_ms is None else listing.to_ms // 1000
    of_customer = found.scopes[row] == CUSTOMER and listing.weight == "critical"
    for place, length in enumerate(windows_ms):
        if in_force(listing, length, now_ms):
            found.counts[row, place, LISTINGS_OF[listing.weight]] += 1
            found.counts[row, place, FIELD_INDEX["critical_listings"]] += of_customer
        seconds = listed_s(listing.from_ms // 1000, to_s, length // 1000, now_ms // 1000)
        found.counts[row, place, LISTED_S_OF[listing.weight]] += seconds
