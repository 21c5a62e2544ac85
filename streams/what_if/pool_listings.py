"""The listings of IP pools that several customers share, and the mail that was exposed by them, over the stored hours:
what `streams.listings.pools` would have read at each full hour, and what became of their alerts.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

import msgspec
import numpy as np

from schemas.policy import Policy
from schemas.policy_metric import OF_POOLS, window_ms
from schemas.scope import POOL
from schemas.times import HOUR_S
from streams.alerts.lifecycle import Transition
from streams.io.store import Store
from streams.listings.causes import CausedListing
from streams.listings.exposure import EXPOSING, SENT_MAIL, THROUGH_LISTED, listed_parameters
from streams.listings.intervals import ListingInterval
from streams.listings.pools import shared_listings
from streams.subjects.arrays import FIELD_INDEX, FIELDS, LISTED_S_OF, LISTINGS_OF, Counts
from streams.what_if.backtest import Life
from streams.what_if.each_rule import each_rule, hours_of
from streams.what_if.hourly_subjects import Extent
from streams.windows.pools import NOBODY, pooled_rules

SENT = f"""
SELECT value, toUInt32(toStartOfHour(bucket)) AS hour, toInt64(sum({SENT_MAIL}))
FROM counts
WHERE dimension = 'pool' AND value IN {{pools:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
GROUP BY value, hour
"""  # noqa: S608 - made of names from this project only
EXPOSED = f"""
SELECT value, toUInt32(toStartOfHour(bucket)) AS hour, toInt64(sumIf({SENT_MAIL}, {THROUGH_LISTED}))
FROM counts
WHERE dimension = 'ip' AND value IN {{ips:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
GROUP BY value, hour
"""  # noqa: S608 - made of names from this project only


def replay_pool_listings(store: Store, extent: Extent, policy: Policy) -> Iterator[Transition]:
    """What a policy would have said of the pools that have listings.

    Raises:
        StoreError: the store failed.
    """
    rules = tuple(rule for rule in pooled_rules(policy, POOL) if rule.metric in OF_POOLS)
    pools = shared_listings(store, extent.start_s * 1000, extent.end_s * 1000) if rules else {}
    if not pools:
        return
    mail = _mail(store, extent, pools) if any(rule.metric == "exposure" for rule in rules) else {}
    steps = np.arange(extent.first, extent.hours + 1)
    times = extent.start_s + steps * HOUR_S
    for alone in each_rule(msgspec.structs.replace(policy, rules=rules, overrides=()), minutes=True):
        (rule,) = alone.rules
        for pool, listings in sorted(pools.items()):
            counts = np.zeros((len(steps), len(rule.windows), len(FIELDS)), np.int64)
            for column, window in enumerate(rule.windows):
                for each in listings:
                    _add(counts[:, column], each, times, window_ms(window) // 1000)
                if rule.metric == "exposure" and pool in mail:
                    first = np.maximum(steps - hours_of(window), 0)
                    for field, total in zip(("sent", "exposed"), mail[pool], strict=True):
                        counts[:, column, FIELD_INDEX[field]] = np.maximum(total[steps] - total[first], 0)
            yield from Life(NOBODY, f"{POOL}:{pool}", alone, (times * 1000).tolist(), counts).replay(None)


def _add(counts: Counts, listing: CausedListing, times: Counts, length_s: int) -> None:
    began = listing.began_ms // 1000
    ended = inf if listing.ended_ms is None else listing.ended_ms / 1000
    counted = (listing.began_ms <= times * 1000) & (ended > times - length_s)
    counts[:, LISTINGS_OF[listing.weight]] += counted
    if listing.weight == "critical":
        counts[:, FIELD_INDEX["critical_listings"]] += counted
    lasted = np.minimum(np.floor(ended), times) - np.maximum(began, times - length_s)
    counts[:, LISTED_S_OF[listing.weight]] += np.maximum(lasted, 0).astype(np.int64)


def _mail(store: Store, extent: Extent, pools: dict[str, list[CausedListing]]) -> dict[str, tuple[Counts, Counts]]:
    """Running totals of what each pool sent, and of what of it was exposed."""
    exposing = [each for listings in pools.values() for each in listings if each.weight in EXPOSING]
    asked: dict[str, Any] = {"since": extent.start_s, "until": extent.end_s, "pools": sorted(pools)}
    asked |= listed_parameters(
        ListingInterval(each.resource, each.zone, each.weight, each.began_ms, each.ended_ms) for each in exposing
    )
    sent = {pool: np.zeros(extent.hours + 1, np.int64) for pool in pools}
    exposed = {pool: np.zeros(extent.hours + 1, np.int64) for pool in pools}
    _fill(sent, store.rows(SENT, asked), {pool: pool for pool in pools}, extent)
    if exposing:
        _fill(exposed, store.rows(EXPOSED, asked), {each.resource: each.pool for each in exposing}, extent)
    return {pool: (np.cumsum(sent[pool]), np.cumsum(exposed[pool])) for pool in pools}


def _fill(into: dict[str, Counts], rows: Sequence[Sequence[Any]], pool_of: dict[str, str], extent: Extent) -> None:
    for name, hour, many in rows:
        into[pool_of[name]][(int(hour) - extent.start_s) // HOUR_S + 1] += max(0, int(many))
