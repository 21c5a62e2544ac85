"""What the blocklist scan knows between two scans, in ClickHouse: listings, first looks, which zones are trusted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jobs.blocklists.listing_life import NOTHING, FirstLook, ReportedListing, State
from jobs.blocklists.zone_trust import Untrusted, ZoneFamily
from schemas.times import utc_time
from streams.io.store import Store

#: The last event of each listing that has not ended; at the same time `delisted` comes first.
OPEN_LISTINGS = """
SELECT kind, resource, zone, weight, codes, confirmed, toUnixTimestamp64Milli(time), monitor
FROM
(
    SELECT kind, resource, zone, weight, codes, confirmed, time, type, monitor
    FROM listing_events
    WHERE type IN ('listed', 'still_listed', 'delisted')
    ORDER BY time DESC, type DESC
    LIMIT 1 BY resource, zone
)
WHERE type != 'delisted'
ORDER BY resource, zone
"""

LOOKS = """
SELECT resource, zone, said, toUnixTimestamp64Milli(since), resolver, toUnixTimestamp64Milli(looked)
FROM blocklist_looks FINAL
ORDER BY resource, zone
"""

TRUST = """
SELECT zone, family, trusted, reason, toUnixTimestamp64Milli(since)
FROM blocklist_trust FINAL
ORDER BY zone, family
"""

#: By resource and zone.
States = dict[tuple[str, str], State]


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether a zone is trusted, since when (epoch ms, UTC), and why not."""

    since_ms: int
    reason: str = ""


def open_listings(store: Store) -> list[ReportedListing]:
    """Every listing in force, by the events stored.

    Raises:
        StoreError: the store failed.
    """
    return [
        ReportedListing(
            kind=kind,
            resource=resource,
            zone=zone,
            weight=weight,
            codes=tuple(codes),
            confirmed=bool(confirmed),
            said_ms=int(said_ms),
            monitor=monitor,
        )
        for kind, resource, zone, weight, codes, confirmed, said_ms, monitor in store.rows(OPEN_LISTINGS)
    ]


def read_states(store: Store) -> States:
    """Every listing in force, and everything that waits for a second look.

    Raises:
        StoreError: the store failed.
    """
    states: States = {
        (each.resource, each.zone): State(listing=each, looked_ms=each.said_ms) for each in open_listings(store)
    }
    for resource, zone, said, since_ms, resolver, looked_ms in store.rows(LOOKS):
        first = FirstLook(said=said, since_ms=int(since_ms), resolver=resolver) if said else None
        known = states.get((resource, zone), NOTHING)
        if first or known.listing:
            states[resource, zone] = replace(known, first=first, looked_ms=max(known.looked_ms, int(looked_ms)))
    return states


def write_states(store: Store, before: Mapping[tuple[str, str], State], after: States, now_ms: int) -> None:
    """Store the states that differ from those before.

    Raises:
        StoreError: the store failed.
    """
    changed = {key: state for key, state in after.items() if state != before.get(key, NOTHING)}
    if not changed:
        return
    firsts = [state.first for state in changed.values()]
    store.insert(
        "blocklist_looks",
        {
            "resource": [resource for resource, _ in changed],
            "zone": [zone for _, zone in changed],
            "said": [first.said if first else "" for first in firsts],
            "since": [utc_time(first.since_ms if first else 0) for first in firsts],
            "resolver": [first.resolver if first else "" for first in firsts],
            "looked": [utc_time(state.looked_ms) for state in changed.values()],
            "updated": [utc_time(now_ms)] * len(changed),
        },
    )


def read_trust(store: Store) -> dict[ZoneFamily, Trust]:
    """What was last thought of each zone and family.

    Raises:
        StoreError: the store failed.
    """
    return {
        ZoneFamily(zone, family): Trust(int(since_ms), "" if trusted else reason)
        for zone, family, trusted, reason, since_ms in store.rows(TRUST)
    }


def write_trust(
    store: Store, before: Mapping[ZoneFamily, Trust], tested: Collection[ZoneFamily], distrusted: Untrusted, now_ms: int
) -> list[ZoneFamily]:
    """Store whether each of `tested` is trusted; returns those that are not, and were until now. Each of them is an
    incident for operators.

    Raises:
        StoreError: the store failed.
    """
    after = {held: _trust(before.get(held), distrusted.get(held, ""), now_ms) for held in tested}
    changed = {held: trust for held, trust in after.items() if trust != before.get(held)}
    _insert(
        store,
        "blocklist_trust",
        [
            {
                "zone": held.zone,
                "family": held.family,
                "trusted": not trust.reason,
                "reason": trust.reason,
                "since": utc_time(trust.since_ms),
                "updated": utc_time(now_ms),
            }
            for held, trust in changed.items()
        ],
    )
    fallen = [held for held in changed if after[held].reason and not (held in before and before[held].reason)]
    _insert(
        store,
        "incidents",
        [
            {
                "time": utc_time(now_ms),
                "kind": "blocklist_distrusted",
                "source": held.zone,
                "lost": 0,
                "detail": f"{utc_time(now_ms):%Y-%m-%dT%H:%M:%SZ} {held.zone} ({held.family}): {after[held].reason}",
            }
            for held in fallen
        ],
    )
    return fallen


def _trust(before: Trust | None, reason: str, now_ms: int) -> Trust:
    same = before is not None and bool(before.reason) == bool(reason)
    return Trust(before.since_ms if before and same else now_ms, reason)


def _insert(store: Store, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        store.insert(table, {name: [row[name] for row in rows] for name in rows[0]})
