"""The blocklist scan: ask about every address that sent lately, and report what began, goes on or ended."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from jobs.dnsbl import Failed, Listed, Look, Resource, is_address, look
from schemas.blocklists import Zone, load
from schemas.listing import BlocklistEvent, ListingType, ResourceKind, Weight
from schemas.settings import Blocklists
from streams.store import Store

DAY_S = 24 * 3600
#: A listing is reported again after this long, so that one nobody looks at any more can be told by its age.
SAY_AGAIN_MS = 6 * 3600 * 1000

SENDING_ADDRESSES = """
SELECT DISTINCT value FROM counts
WHERE dimension = 'ip' AND bucket >= toDateTime({since:UInt32})
ORDER BY value
"""

#: The last event of each listing that has not ended; at the same time `delisted` comes first.
OPEN_LISTINGS = """
SELECT kind, resource, zone, weight, codes, confirmed, toUnixTimestamp64Milli(time)
FROM
(
    SELECT kind, resource, zone, weight, codes, confirmed, time, type
    FROM listing_events
    WHERE type IN ('listed', 'still_listed', 'delisted')
    ORDER BY time DESC, type DESC
    LIMIT 1 BY resource, zone
)
WHERE type != 'delisted'
ORDER BY resource, zone
"""

#: Takes a message's key and value.
Publish = Callable[[bytes, bytes], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenListing:
    """A listing in force, as last reported at `said_ms` (epoch ms, UTC)."""

    kind: ResourceKind
    resource: str
    zone: str
    weight: Weight
    codes: tuple[str, ...]
    confirmed: bool
    said_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneResult:
    """What a zone said: how many looks, how many of them found a listing, how many failed, and mostly why.

    `began` and `ended` are listings that were reported `listed` and `delisted`.
    """

    zone: str
    looked: int
    listed: int
    began: int
    ended: int
    failed: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """One scan: `events` are what is to be published, in order.

    `invalid` are sending addresses in the store that are no IP addresses; `keyless` the zones that lack their
    key; `unasked` counts open listings on zones that are not asked, which this scan leaves as they are.
    """

    resources: int
    zones: tuple[ZoneResult, ...]
    events: tuple[BlocklistEvent, ...]
    invalid: tuple[str, ...] = ()
    keyless: tuple[str, ...] = ()
    unasked: int = 0

    @property
    def looked(self) -> int:
        """How many questions were to be answered."""
        return sum(each.looked for each in self.zones)

    @property
    def listed(self) -> int:
        """How many looks found a listing, new or old."""
        return sum(each.listed for each in self.zones)

    @property
    def delisted(self) -> int:
        """How many listings ended."""
        return sum(each.ended for each in self.zones)

    @property
    def failed(self) -> int:
        """How many looks failed."""
        return sum(each.failed for each in self.zones)

    def __str__(self) -> str:
        lines = [
            f"{self.resources:,} addresses and domains, {self.looked:,} looks: {self.listed:,} listed, "
            f"{self.delisted:,} delisted, {self.failed:,} failed"
        ]
        for each in self.zones:
            line = f"  {each.zone}: {each.listed:,} listed ({each.began:,} new), {each.ended:,} delisted"
            lines.append(line + (f", {each.failed:,} failed ({each.reason})" if each.failed else ""))
        lines += [f"  {zone}: not asked, it needs a key" for zone in self.keyless]
        if self.invalid:
            lines.append(f"  {len(self.invalid):,} sending addresses are no IP addresses, such as {self.invalid[0]!r}")
        if self.unasked:
            lines.append(f"  {self.unasked:,} open listings are on zones that are not asked")
        return "\n".join(lines)


def run_scan(store: Store, settings: Blocklists, publish: Publish, now_ms: int) -> ScanResult:
    """Scan once and publish what it found; `now_ms` (epoch ms, UTC) is the time of all its events.

    Raises:
        BlocklistsError: the table of zones cannot be used.
        SettingsError: a resolver is not an IP address.
        StoreError: the store failed.
    """
    zones = load(Path(settings.zones_file) if settings.zones_file else None)
    result = scan_once(store, settings, zones, open_listings(store), now_ms)
    for event in result.events:
        publish(event.resource.encode(), msgspec.json.encode(event))
    return result


def scan_once(
    store: Store, settings: Blocklists, zones: Sequence[Zone], previous: Sequence[OpenListing], now_ms: int
) -> ScanResult:
    """Look up the addresses seen in the last `lookback_days`, and all that is listed. Publishes nothing.

    Runs an event loop of its own, so it must be called from a thread in which none runs.

    Raises:
        SettingsError: a resolver is not an IP address.
        StoreError: the store failed.
    """
    since = max(0, now_ms // 1000 - settings.lookback_days * DAY_S)
    addresses = [str(value) for (value,) in store.rows(SENDING_ADDRESSES, {"since": since})]
    resources = {Resource("ip", each) for each in addresses if is_address(each)}
    resources |= {Resource(each.kind, each.resource) for each in previous}
    looks = asyncio.run(look(resources, zones, settings))
    events = transitions(previous, looks, now_ms)
    asked = {zone.zone for zone in zones if zone.asked_at}
    return ScanResult(
        resources=len(resources),
        zones=_zone_results(looks, events),
        events=tuple(events),
        invalid=tuple(each for each in addresses if not is_address(each)),
        keyless=tuple(zone.zone for zone in zones if not zone.asked_at),
        unasked=sum(1 for each in previous if each.zone not in asked),
    )


def open_listings(store: Store) -> list[OpenListing]:
    """Every listing in force, by the events stored.

    Raises:
        StoreError: the store failed.
    """
    return [
        OpenListing(
            kind=kind,
            resource=resource,
            zone=zone,
            weight=weight,
            codes=tuple(codes),
            confirmed=bool(confirmed),
            said_ms=int(said_ms),
        )
        for kind, resource, zone, weight, codes, confirmed, said_ms in store.rows(OPEN_LISTINGS)
    ]


def transitions(previous: Iterable[OpenListing], looks: Iterable[Look], now_ms: int) -> list[BlocklistEvent]:
    """What the looks change, given the listings in force. Pure; the same input gives the same ids.

    - The first look that finds a listing reports it unconfirmed, the next one confirms it.
    - A listing that goes on is reported again when its codes changed, or 6 h after it was last reported.
    - A listing whose weight changed ends and begins anew: whoever reads one weight only sees both ends of it.
    - A failed look changes no listing. A zone all of whose looks failed is one `check_failed` event, about a
      resource listed there if there is one; otherwise each listing that could not be checked is one.
    """
    known = {(each.resource, each.zone): each for each in previous}
    by_zone: dict[str, list[Look]] = defaultdict(list)
    for each in sorted(looks, key=lambda each: (each.zone.zone, each.resource)):
        by_zone[each.zone.zone].append(each)
    events: list[BlocklistEvent] = []
    for zone_looks in by_zone.values():
        failed = [each for each in zone_looks if isinstance(each.outcome, Failed)]
        told = [each.resource for each in failed if (each.resource, each.zone.zone) in known]
        if len(failed) == len(zone_looks):
            told = (told or [failed[0].resource])[:1]
        tell = set(told)
        for each in zone_looks:
            before = known.get((each.resource, each.zone.zone))
            if before is not None and before.said_ms >= now_ms:
                continue
            if not isinstance(each.outcome, Failed):
                events += _changes(before, each, now_ms)
            elif each.resource in tell:
                weight = before.weight if before else each.zone.weight
                events.append(_event("check_failed", each, weight, now_ms, reason=each.outcome.reason))
    return events


def _changes(before: OpenListing | None, found: Look, now_ms: int) -> list[BlocklistEvent]:
    """The events of a look that was answered."""
    outcome = found.outcome
    if not isinstance(outcome, Listed):
        return [_event("delisted", found, before.weight, now_ms)] if before else []
    if before is None:
        return [_listing("listed", found, outcome, now_ms, confirmed=False)]
    if before.weight != outcome.weight:
        # A millisecond apart, so that every reader takes them in this order.
        ended = _event("delisted", found, before.weight, now_ms - 1, reason=f"now {outcome.weight}")
        return [ended, _listing("listed", found, outcome, now_ms, confirmed=True)]
    changed = not before.confirmed or set(before.codes) != set(outcome.codes)
    if changed or now_ms - before.said_ms >= SAY_AGAIN_MS:
        return [_listing("still_listed", found, outcome, now_ms, confirmed=True)]
    return []


def _listing(kind: ListingType, found: Look, listed: Listed, time_ms: int, *, confirmed: bool) -> BlocklistEvent:
    event = _event(kind, found, listed.weight, time_ms)
    return msgspec.structs.replace(event, codes=listed.codes, meaning=listed.meaning, confirmed=confirmed)


def _event(kind: ListingType, found: Look, weight: Weight, time_ms: int, reason: str = "") -> BlocklistEvent:
    zone = found.zone
    return BlocklistEvent(
        id=_event_id(found.resource, zone.zone, kind, time_ms),
        type=kind,
        time=time_ms,
        kind=zone.kind,
        resource=found.resource,
        zone=zone.zone,
        weight=weight,
        reason=reason,
    )


def _event_id(resource: str, zone: str, kind: ListingType, time_ms: int) -> str:
    text = "\0".join((resource, zone, kind, str(time_ms)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _zone_results(looks: Iterable[Look], events: Iterable[BlocklistEvent]) -> tuple[ZoneResult, ...]:
    said: Mapping[tuple[str, str], int] = Counter((each.zone, each.type) for each in events)
    by_zone: dict[str, list[Look]] = defaultdict(list)
    for each in looks:
        by_zone[each.zone.zone].append(each)
    found = []
    for zone, zone_looks in sorted(by_zone.items()):
        reasons = Counter(each.outcome.reason for each in zone_looks if isinstance(each.outcome, Failed))
        found.append(
            ZoneResult(
                zone=zone,
                looked=len(zone_looks),
                listed=sum(1 for each in zone_looks if isinstance(each.outcome, Listed)),
                began=said[(zone, "listed")],
                ended=said[(zone, "delisted")],
                failed=reasons.total(),
                reason=reasons.most_common(1)[0][0] if reasons else "",
            )
        )
    return tuple(found)
