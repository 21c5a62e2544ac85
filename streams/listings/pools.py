"""What is listed of IP pools that several customers share: how many listings, for how long, and how much mail went
through what was listed.

A pool has the listings of its addresses that no customer has to itself (`attributed` is `shared`). The pool of an
address is what its bounces and complaints named last (`streams.listings.causes`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from schemas.counts import WindowCounts
from schemas.times import FOREVER_S
from streams.io.store import Store
from streams.listings.causes import CausedListing, stored_causes
from streams.listings.exclusive import in_force, listed_s
from streams.listings.exposure import EXPOSING, SENT_MAIL, THROUGH_LISTED, listed_parameters
from streams.listings.intervals import ListingInterval
from streams.listings.left_out import with_incidents
from streams.subjects.totals import begin

#: So many likely causes are named of a listing.
NAMED = 3

#: All mail of pools, no matter who sent it.
SENT = f"""
SELECT value, toInt64(sum({SENT_MAIL}))
FROM counts
WHERE dimension = 'pool' AND value IN {{pools:Array(String)}} AND bucket >= toDateTime({{since:UInt32}})
GROUP BY value
"""  # noqa: S608 - made of names from this project only
EXPOSED = f"""
SELECT value, toInt64(sumIf({SENT_MAIL}, {THROUGH_LISTED}))
FROM counts
WHERE dimension = 'ip' AND value IN {{ips:Array(String)}} AND bucket >= toDateTime({{since:UInt32}})
GROUP BY value
"""  # noqa: S608 - made of names from this project only


def shared_listings(store: Store, since_ms: int, now_ms: int, pool: str = "") -> dict[str, list[CausedListing]]:
    """The listings of shared pools in force at or after `since_ms` (epoch ms), by pool; of one of them if given.

    Those that are held against nobody are not among them.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[CausedListing]] = defaultdict(list)
    for each in all_shared_listings(store, since_ms, now_ms, pool):
        if not each.incident:
            found[each.pool].append(each)
    return found


def all_shared_listings(store: Store, since_ms: int, now_ms: int, pool: str = "") -> list[CausedListing]:
    """The same, with those that are held against nobody, which say because of which incident.

    Raises:
        StoreError: the store failed.
    """
    return [
        each
        for each in with_incidents(store, stored_causes(store, since_ms))
        if each.attributed == "shared" and each.pool and pool in ("", each.pool) and each.began_ms <= now_ms
    ]


def pool_windows(
    store: Store, windows: Mapping[str, int], exposure: Iterable[str], now_ms: int
) -> dict[str, dict[str, WindowCounts]]:
    """What each pool with listings has in each window (name to length in ms); mail in those named in `exposure` alone.

    Raises:
        StoreError: the store failed.
    """
    pools = shared_listings(store, now_ms - max(windows.values(), default=0), now_ms)
    if not pools:
        return {}
    mail = {name: _mail(store, pools, begin(windows[name], now_ms)) for name in exposure}
    return {
        pool: {
            name: WindowCounts(**_listed(listings, length, now_ms), **mail.get(name, {}).get(pool, {}))
            for name, length in windows.items()
        }
        for pool, listings in pools.items()
    }


def listing_evidence(listing: CausedListing) -> str:
    """A pool's listing as evidence for operators, with its likeliest causes."""
    said = f"{listing.resource} on {listing.zone} ({listing.weight}), shared by {listing.users:,}"
    causes = [f"{each.customer} {each.share:.2f}" for each in listing.causes[:NAMED] if each.share > 0]
    return f"{said}: {', '.join(causes)}" if causes else f"{said}: nobody stands out"


def _listed(listings: Sequence[CausedListing], length_ms: int, now_ms: int) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for each in listings:
        if in_force(_interval(each), length_ms, now_ms):
            found[f"listings_{each.weight}"] += 1
            found["critical_listings"] += each.weight == "critical"
        to_s = FOREVER_S if each.ended_ms is None else each.ended_ms // 1000
        found[f"listed_s_{each.weight}"] += listed_s(each.began_ms // 1000, to_s, length_ms // 1000, now_ms // 1000)
    return found


def _interval(listing: CausedListing) -> ListingInterval:
    return ListingInterval(listing.resource, listing.zone, listing.weight, listing.began_ms, listing.ended_ms)


def _mail(store: Store, pools: Mapping[str, Sequence[CausedListing]], since_s: int) -> dict[str, dict[str, int]]:
    """`sent` and `exposed` of each pool since `since_s` (epoch s)."""
    exposing = [each for listings in pools.values() for each in listings if each.weight in EXPOSING]
    sent = {pool: max(0, int(many)) for pool, many in store.rows(SENT, {"pools": sorted(pools), "since": since_s})}
    asked = {
        **listed_parameters(map(_interval, exposing)),
        "since": since_s,
    }
    of = {each.resource: each.pool for each in exposing}
    found = {pool: {"sent": many, "exposed": 0} for pool, many in sent.items()}
    for address, many in store.rows(EXPOSED, asked) if exposing else ():
        if (mail := found.get(of[address])) is not None:
            mail["exposed"] += max(0, int(many))
    return found
