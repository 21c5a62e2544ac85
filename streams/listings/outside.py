"""What outside monitors say of listings, made to fit what is known: which begin, which continue, which have ended.

They only tell what they see, and have not seen what we have:

- A listing that is in force continues (`still_listed`), with the weight it has.
- `complete` ends what its resource was on by outside monitors' word alone and is not any more.
- Our own scan has the last word on what it saw itself: another's `delisted` is kept, and ends nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from schemas.listing import BlocklistEvent, Weight
from streams.adapt.common import stable_id
from streams.io.store import Store

#: The listings in force: who reported each since it began, and what was reported last.
IN_FORCE = """
SELECT resource, zone, groupUniqArray(monitor), argMax(weight, listing_events.time), argMax(codes, listing_events.time)
FROM listing_events
INNER JOIN
(
    SELECT resource, zone, maxIf(listing_events.time, type = 'delisted') AS ended
    FROM listing_events
    WHERE resource IN {resources:Array(String)}
    GROUP BY resource, zone
) AS last USING (resource, zone)
WHERE resource IN {resources:Array(String)} AND type IN ('listed', 'still_listed') AND listing_events.time > ended
GROUP BY resource, zone
"""

#: Our own scan, among monitors.
OURSELVES = ""


@dataclass(slots=True)
class OpenListing:
    """A listing in force: who reported it, and what it weighs."""

    weight: Weight
    codes: tuple[str, ...] = ()
    monitors: set[str] = field(default_factory=set)

    @property
    def is_ours(self) -> bool:
        """Whether our own scan saw it."""
        return OURSELVES in self.monitors


#: By resource and zone.
OpenListings = dict[tuple[str, str], OpenListing]


def open_listings_for(store: Store, events: Iterable[BlocklistEvent]) -> OpenListings:
    """The listings in force of whatever outside monitors speak of in `events`.

    Raises:
        StoreError: the store failed.
    """
    resources = sorted({event.resource for event in events if event.monitor != OURSELVES})
    if not resources:
        return {}
    return {
        (resource, zone): OpenListing(weight, tuple(codes), set(monitors))
        for resource, zone, monitors, weight, codes in store.rows(IN_FORCE, {"resources": resources})
    }


def reconciled(listings: Sequence[tuple[int, BlocklistEvent]], known: OpenListings) -> list[tuple[int, BlocklistEvent]]:
    """The events (each with its offset) as they are to be stored; `known` is brought up to date. Pure but for that."""
    return [(offset, event) for offset, reported in listings for event in _reconciled(reported, known)]


def _reconciled(event: BlocklistEvent, known: OpenListings) -> Iterator[BlocklistEvent]:
    key = event.resource, event.zone
    before = known.get(key)
    match event.type:
        case "complete":
            yield from _ended(event, known)
        case "delisted":
            if before is not None and before.is_ours and event.monitor != OURSELVES:
                reason = f"{event.monitor} sees it no longer; our own scan has yet to say so"
                yield msgspec.structs.replace(event, type="check_failed", reason=reason)
            else:
                known.pop(key, None)
                yield event
        case "listed" | "still_listed" if before is not None and event.monitor != OURSELVES:
            before.monitors.add(event.monitor)
            codes = event.codes or before.codes
            yield msgspec.structs.replace(event, type="still_listed", weight=before.weight, codes=codes)
        case "listed" | "still_listed":
            monitors = {event.monitor} | (before.monitors if before else set())
            known[key] = OpenListing(event.weight, event.codes, monitors)
            yield event if event.monitor == OURSELVES else msgspec.structs.replace(event, type="listed")
        case _:
            yield event


def _ended(event: BlocklistEvent, known: OpenListings) -> Iterator[BlocklistEvent]:
    over = [
        (resource, zone)
        for (resource, zone), each in known.items()
        if resource == event.resource and zone not in event.zones and not each.is_ours
    ]
    for key in sorted(over):
        ended = known.pop(key)
        yield msgspec.structs.replace(
            event, id=stable_id(event.id, key[1]), type="delisted", zone=key[1], weight=ended.weight, zones=()
        )
