"""The causes of listings as stored: written when a listing begins, and again when what they rest on changed."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from schemas.counts import FINISHED
from schemas.listing import KINDS, WEIGHTS, ResourceKind, Weight
from schemas.times import DAY_MS, MINUTE_MS, utc_time
from streams.io.store import Store
from streams.listings.attribution import Attributed, Attribution, Cause, CustomerUse, attribute
from streams.listings.exposure import EXPOSING, SENT_MAIL
from streams.listings.intervals import USED_WITHIN_S, ListingInterval, read_listings
from streams.listings.of_pools import WITHIN_MS, AloneListed, of_pools, read_pools
from streams.listings.resource_use import used

#: Listings in force this long ago, or later, are looked at. Those that began in this time are counted again, but for
#: those on informational lists, which accuse nobody and may be as many as there are addresses.
LOOKED_AT_MS = 7 * DAY_MS
#: How often: counts of the hours before a listing may come late.
RECOUNT_MS = 10 * MINUTE_MS
#: So many customers are kept of each listing.
MOST = 100

#: What each customer did through each resource in the hours before `end`, for each place in what is asked.
USES = f"""
SELECT place, customer, toInt64(sum({SENT_MAIL})), sum(complained), sum(hard), sum(block)
FROM ({{used}}) AS counted
INNER JOIN
(
    SELECT each.1 AS resource, each.2 AS until, each.3 AS place
    FROM (SELECT arrayJoin(arrayZip({{{{names:Array(String)}}}}, {{{{ends:Array(UInt32)}}}},
        arrayEnumerate({{{{names:Array(String)}}}}))) AS each)
) AS asked ON asked.resource = counted.resource
WHERE bucket >= toDateTime(until - {USED_WITHIN_S}) AND bucket < toDateTime(until)
GROUP BY place, customer
"""  # noqa: S608 - made of names from this project only

STORED = """
SELECT resource, kind, zone, weight, toUnixTimestamp64Milli(listing_causes.began) AS began_ms, confirmed,
    toUnixTimestamp64Milli(ended) AS ended_ms, pool, attributed, users,
    customers, volume, complaints, invalid, blocked, excess, shares
FROM listing_causes FINAL
WHERE ({resource:String} = '' OR resource = {resource:String})
    AND ({zone:String} = '' OR zone = {zone:String})
    AND ({customer:String} = '' OR has(customers, {customer:String}))
    AND (ended_ms = 0 OR ended_ms > {since:Int64})
ORDER BY listing_causes.began DESC, resource, zone
LIMIT {limit:UInt32}
"""
EVERYTHING = 2**32 - 1
#: What of `counts` is asked for.
COUNTED = (*FINISHED, "complained")
#: Listings asked for in one query: of a server they must fit the address of a request, names and times twice over.
AT_ONCE, AT_ONCE_EMBEDDED = 200, 2_000

#: The likeliest cause of each listing that has one.
TOPS = """
SELECT resource, zone, toUnixTimestamp64Milli(listing_causes.began) AS began_ms, customers[1], shares[1]
FROM listing_causes FINAL
WHERE listing_causes.began >= fromUnixTimestamp64Milli({since:Int64}) AND shares[1] > 0
"""

#: Whose each listing is of which a pool's owner is the cause although others used the address too.
OWNERS = """
SELECT resource, zone, toUnixTimestamp64Milli(listing_causes.began) AS began_ms, customers[1]
FROM listing_causes FINAL
WHERE listing_causes.began >= fromUnixTimestamp64Milli({since:Int64}) AND attributed = 'dedicated' AND users > 1
"""

T = TypeVar("T")
#: A listing: resource, zone, and when it began (epoch ms).
ListingKey = tuple[str, str, int]


class CausedListing(msgspec.Struct, frozen=True, kw_only=True):
    """A listing with its likely causes. Times are epoch ms, UTC; `ended_ms` is None while it lasts.

    `users` is how many customers used the resource, of whom `causes` has the first. `incident` is the id of the
    incident because of which it is held against nobody, where that was asked for (`streams.listings.left_out`).
    """

    resource: str
    kind: ResourceKind
    zone: str
    weight: Weight
    began_ms: int
    ended_ms: int | None
    confirmed: bool
    pool: str
    attributed: Attributed
    users: int
    causes: tuple[Cause, ...]
    incident: str = ""

    @property
    def key(self) -> ListingKey:
        """What tells listings apart."""
        return self.resource, self.zone, self.began_ms

    @property
    def top(self) -> tuple[str, float] | None:
        """The likeliest cause and its share; None where nobody is likelier than others."""
        return (self.causes[0].customer, self.causes[0].share) if self.causes and self.causes[0].share > 0 else None


class ListingCauses:
    """Keeps the table. `owners` are the customers of pools that are set up for one. One thread at a time."""

    def __init__(self, store: Store, owners: Mapping[str, str]) -> None:
        self._store = store
        self._owners = owners
        self._recounted_ms = -RECOUNT_MS
        self._tops: dict[ListingKey, tuple[str, float]] = {}

    def refresh(self, now_ms: int) -> set[str]:
        """Write what is new or changed. Returns the customers who, since the last time, became the likeliest cause of
        a listing or are no longer, no matter who wrote it.

        Raises:
            StoreError: the store failed; what is not written is written the next time.
        """
        since_ms = now_ms - LOOKED_AT_MS
        listings = read_listings(self._store, since_ms, WEIGHTS, KINDS)
        known = {each.key: each for each in stored_causes(self._store, since_ms)} if listings else {}
        now = {key_of(each) for each in listings}
        recount = now_ms - self._recounted_ms >= RECOUNT_MS
        due = [
            each
            for each in listings
            if not _is_current(each, known.get(key_of(each)))
            or (recount and each.from_ms >= since_ms and each.weight in EXPOSING)
        ]
        found = find_causes(self._store, due, self._owners, listings)
        changed = [each for each in found if each != known.get(each.key)]
        _write(self._store, changed, now_ms)
        if recount:
            self._recounted_ms = now_ms
        known |= {each.key: each for each in changed}
        before, self._tops = self._tops, {key: top for key in now if key in known and (top := known[key].top)}
        differing = [key for key in before.keys() | self._tops.keys() if before.get(key) != self._tops.get(key)]
        return {tops[key][0] for tops in (before, self._tops) for key in differing if key in tops}


def find_causes(
    store: Store,
    listings: Sequence[ListingInterval],
    owners: Mapping[str, str],
    known: Sequence[ListingInterval] = (),
) -> list[CausedListing]:
    """Count who used the resource of each listing before it began, and rank them. Writes nothing. What else is `known`
    says whether one is the matter of a pool (`of_pools`).

    Raises:
        StoreError: the store failed.
    """
    counted = [*listings, *_beside(listings, known)]
    uses = _uses(store, counted)
    pools = read_pools(store, {each.resource: each.from_ms // 1000 for each in listings if each.kind == "ip"})
    users = {each: [use.customer for use in uses.get(key_of(each), ()) if use.volume > 0] for each in counted}
    alone = [AloneListed(each, users[each][0]) for each in listings if len(users[each]) == 1]
    theirs = of_pools(store, alone, users, owners)
    found = []
    for each in listings:
        if each in theirs:
            found.append(_caused(each, theirs[each].pool, attribute(theirs[each].uses)))
        else:
            pool = pools.get(each.resource, "") if each.kind == "ip" else ""
            found.append(_caused(each, pool, attribute(uses.get(key_of(each), ()), owners.get(pool))))
    return found


def _beside(listings: Sequence[ListingInterval], known: Sequence[ListingInterval]) -> list[ListingInterval]:
    """The others that are known of addresses and began within an hour of one of these."""
    some = set(listings)
    began = sorted(each.from_ms for each in listings if each.kind == "ip")
    return [each for each in known if each.kind == "ip" and each not in some and _is_near(each.from_ms, began)]


def _is_near(at_ms: int, began: Sequence[int]) -> bool:
    place = bisect_left(began, at_ms)
    return any(abs(each - at_ms) < WITHIN_MS for each in began[max(0, place - 1) : place + 1])


def stored_causes(
    store: Store,
    since_ms: int,
    *,
    resource: str = "",
    zone: str = "",
    customer: str = "",
    limit: int = EVERYTHING,
) -> list[CausedListing]:
    """The listings in force at or after `since_ms` (epoch ms), latest first; of one resource, zone or user if given.

    Raises:
        StoreError: the store failed.
    """
    asked = {"resource": resource, "zone": zone, "customer": customer, "since": since_ms, "limit": limit}
    return [_stored(row) for row in store.rows(STORED, asked)]


def current_causes(store: Store, since_ms: int, owners: Mapping[str, str]) -> list[CausedListing]:
    """The listings in force at or after `since_ms` (epoch ms), latest first, each with its causes.

    Those that no monitor has looked at yet are counted now.

    Raises:
        StoreError: the store failed.
    """
    known = {each.key: each for each in stored_causes(store, since_ms)}
    listings = read_listings(store, since_ms, WEIGHTS, KINDS)
    new = [each for each in listings if not _is_current(each, known.get(key_of(each)))]
    known |= {each.key: each for each in find_causes(store, new, owners, listings)}
    found = [known[key_of(each)] for each in listings]
    return sorted(found, key=lambda each: (-each.began_ms, each.resource, each.zone))


def runs(store: Store, some: Sequence[T]) -> Iterator[Sequence[T]]:
    """The listings, or what stands for them, in runs of as many as one query of the store is given."""
    most = AT_ONCE_EMBEDDED if store.settings.path else AT_ONCE
    return (some[start : start + most] for start in range(0, len(some), most))


def read_attributed(
    store: Store, listings: Sequence[ListingInterval], least: float
) -> dict[str, list[ListingInterval]]:
    """Of these listings, those of which a customer is the likeliest cause by a share of at least `least`.

    Raises:
        StoreError: the store failed.
    """
    found = read_attributed_shares(store, listings)
    return {customer: [each for each, share in caused if share >= least] for customer, caused in found.items()}


def read_attributed_shares(
    store: Store, listings: Sequence[ListingInterval]
) -> dict[str, list[tuple[ListingInterval, float]]]:
    """These listings by their likeliest cause, with its share. Those on informational lists accuse nobody.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[tuple[ListingInterval, float]]] = defaultdict(list)
    if listings:
        rows = store.rows(TOPS, {"since": min(each.from_ms for each in listings)})
        tops = {(resource, zone, int(began)): (str(customer), share) for resource, zone, began, customer, share in rows}
        for each in listings:
            if each.weight in EXPOSING and (top := tops.get(key_of(each))) is not None:
                found[top[0]].append((each, top[1]))
    return found


def read_owners(store: Store, listings: Sequence[ListingInterval]) -> dict[ListingKey, str]:
    """Of these listings, those of pools set up for one customer that others used too: whose they are.

    Raises:
        StoreError: the store failed.
    """
    if not listings:
        return {}
    rows = store.rows(OWNERS, {"since": min(each.from_ms for each in listings)})
    return {(resource, zone, int(began)): str(customer) for resource, zone, began, customer in rows}


def key_of(listing: ListingInterval) -> ListingKey:
    """What tells listings apart."""
    return listing.resource, listing.zone, listing.from_ms


def _is_current(listing: ListingInterval, known: CausedListing | None) -> bool:
    """Whether what is stored of a listing says of it what is known of it now."""
    return known is not None and (known.confirmed, known.ended_ms, known.weight) == (
        listing.confirmed,
        listing.to_ms,
        listing.weight,
    )


def _uses(store: Store, listings: Sequence[ListingInterval]) -> dict[ListingKey, list[CustomerUse]]:
    found: dict[ListingKey, list[CustomerUse]] = defaultdict(list)
    # Several lists may have begun to list a resource at the same moment.
    same: dict[tuple[ResourceKind, str, int], list[ListingKey]] = defaultdict(list)
    for each in listings:
        same[each.kind, each.resource, each.from_ms // 1000].append(key_of(each))
    for some in runs(store, sorted(same)):
        asked: dict[str, Any] = {"names": [name for _, name, _ in some], "ends": [end for _, _, end in some]}
        since, until = min(asked["ends"]) - USED_WITHIN_S, max(asked["ends"])
        resources = [(kind, name) for kind, name, _ in some]
        columns = f"customer, bucket, {', '.join(COUNTED)}"
        for place, customer, *numbers in used(store, USES, columns, resources, since, until, asked):
            use = CustomerUse(str(customer), *map(int, numbers))
            for key in same[some[int(place) - 1]]:
                found[key].append(use)
    return found


def _caused(listing: ListingInterval, pool: str, said: Attribution) -> CausedListing:
    return CausedListing(
        resource=listing.resource,
        kind=listing.kind,
        zone=listing.zone,
        weight=listing.weight,
        began_ms=listing.from_ms,
        ended_ms=listing.to_ms,
        confirmed=listing.confirmed,
        pool=pool,
        attributed=said.attributed,
        users=len(said.causes),
        causes=said.causes[:MOST],
    )


_ARRAYS = ("customer", "volume", "complaints", "invalid", "blocked", "excess", "share")


def _stored(row: Sequence[Any]) -> CausedListing:
    resource, kind, zone, weight, began_ms, confirmed, ended_ms, pool, attributed, users, *arrays = row
    return CausedListing(
        resource=resource,
        kind=kind,
        zone=zone,
        weight=weight,
        began_ms=int(began_ms),
        ended_ms=int(ended_ms) or None,
        confirmed=bool(confirmed),
        pool=pool,
        attributed=attributed,
        users=int(users),
        causes=tuple(Cause(**dict(zip(_ARRAYS, each, strict=True))) for each in zip(*arrays, strict=True)),
    )


def _write(store: Store, listings: Sequence[CausedListing], now_ms: int) -> None:
    if not listings:
        return
    columns = {"customer": "customers", "share": "shares"}
    store.insert(
        "listing_causes",
        {
            **{name: [getattr(each, name) for each in listings] for name in ("resource", "kind", "zone", "weight")},
            **{
                name: [getattr(each, name) for each in listings]
                for name in ("confirmed", "pool", "attributed", "users")
            },
            "began": [utc_time(each.began_ms) for each in listings],
            "ended": [utc_time(each.ended_ms or 0) for each in listings],
            **{
                columns.get(name, name): [[getattr(cause, name) for cause in each.causes] for each in listings]
                for name in _ARRAYS
            },
            "updated": [utc_time(now_ms)] * len(listings),
        },
    )


def about(listing: CausedListing, customer: str) -> str:
    """A listing as evidence against `customer`, who may read it: its own part in it, and nobody else's name."""
    said = f"{listing.resource} on {listing.zone} ({listing.weight})"
    own = next((each for each in listing.causes if each.customer == customer), None)
    if own is None:
        return said
    if listing.attributed == "dedicated":
        return f"{said}: used by this customer alone" if own.share else said
    return (
        f"{said}: shared by {listing.users:,}, this customer's share of the causes {own.share:.2f} ({own.complaints:,} "
        f"complaints, {own.invalid:,} invalid recipients, {own.blocked:,} refusals of {own.volume:,} mails in 48 h)"
    )
