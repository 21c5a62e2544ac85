"""What one blocklist scan found, as numbers and as lines for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jobs.blocklists.answer import Failed, Listed, Look
from jobs.blocklists.dnsbl import Resource
from jobs.blocklists.listing_life import NOTHING, owes_second_look
from jobs.blocklists.state import States
from jobs.blocklists.trusted_lookups import TrustedLookups
from jobs.blocklists.used_resources import ResourceUsers
from jobs.blocklists.zone_trust import ZoneFamily
from schemas.listing import BlocklistEvent
from schemas.times import HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneResult:
    """What a zone said: how many looks, how many of them found a listing, how many failed, and mostly why.

    `began` and `ended` are listings that were reported `listed` and `delisted`; `distrusted` is why nothing was
    trusted of what it said about one family or all, empty if it was.
    """

    zone: str
    looked: int
    listed: int
    began: int
    ended: int
    failed: int
    reason: str
    distrusted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """One scan: `events` were published, in order; `states` is what is known afterwards.

    `listed_looks` are the looks that found a listing, new or old. `answered` and `unanswered` are the listings in force
    (by resource and zone) that were asked about. `tested` are the zones whose trust was looked into, `distrusted` those
    of them that are not trusted, and why. `used` says who used what in the lookback. `invalid` is what the store names
    as an address or domain and is none. `keyless` are the zones that lack their key, `spared` those whose limit a day
    is used up; `unasked` counts open listings on zones that are not asked, which stay as they are. `late_ms` is how
    late the turn was that is most overdue, `rounds` how many zones have gone round with this scan.
    """

    now_ms: int
    resources: int
    zones: tuple[ZoneResult, ...]
    events: tuple[BlocklistEvent, ...]
    states: States
    listed_looks: tuple[Look, ...] = ()
    answered: frozenset[tuple[str, str]] = frozenset()
    unanswered: frozenset[tuple[str, str]] = frozenset()
    tested: tuple[ZoneFamily, ...] = ()
    distrusted: Mapping[ZoneFamily, str]
    used: Mapping[Resource, ResourceUsers] = field(default_factory=dict)
    invalid: tuple[str, ...] = ()
    keyless: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    unasked: int = 0
    late_ms: int = 0
    rounds: int = 0

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

    @property
    def open(self) -> int:
        """How many listings are in force."""
        return sum(1 for each in self.states.values() if each.listing)

    @property
    def waiting(self) -> int:
        """How many first looks wait for a second one."""
        return sum(1 for each in self.states.values() if owes_second_look(each))

    @property
    def unchecked_ms(self) -> Sequence[int]:
        """How long ago the last answer was, of each open listing about which this scan got none."""
        return [self.now_ms - self.states[key].looked_ms for key in sorted(self.unanswered)]

    def __str__(self) -> str:
        lines = [
            f"{self.resources:,} addresses and domains, {self.looked:,} looks: {self.listed:,} listed, "
            f"{self.delisted:,} delisted, {self.failed:,} failed"
        ]
        for each in self.zones:
            line = f"  {each.zone}: {each.listed:,} listed ({each.began:,} new), {each.ended:,} delisted"
            line += f", {each.failed:,} failed ({each.reason})" if each.failed else ""
            lines.append(line)
        lines += [f"  {zone}: not asked, it needs a key" for zone in self.keyless]
        lines += [f"  {zone}: not asked, its limit a day is used up for now" for zone in self.spared]
        if self.waiting:
            lines.append(f"  waiting for a second look: {self.waiting:,}")
        if unchecked := self.unchecked_ms:
            hours = max(unchecked) / HOUR_MS
            lines.append(
                f"  open listings that could not be checked: {len(unchecked):,}, one of them for {hours:.1f} h"
            )
        if self.invalid:
            such = self.invalid[0]
            lines.append(f"  {len(self.invalid):,} addresses and domains seen cannot be asked about, such as {such!r}")
        if self.unasked:
            lines.append(f"  {self.unasked:,} open listings are on zones that are not asked")
        return "\n".join(lines)


def scan_result(found: TrustedLookups, events: Sequence[BlocklistEvent], after: States, now_ms: int) -> ScanResult:
    """What follows from the looks. Pure."""
    answered: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    for each in found.looks:
        key = (each.resource, each.zone.zone)
        if after.get(key, NOTHING).listing:
            answered[not isinstance(each.outcome, Failed)].add(key)
    return ScanResult(
        now_ms=now_ms,
        resources=len({(each.zone.kind, each.resource) for each in found.looks}),
        zones=zone_results(found.looks, events, found.distrusted),
        events=tuple(events),
        states=after,
        listed_looks=tuple(each for each in found.looks if isinstance(each.outcome, Listed)),
        answered=frozenset(answered[True]),
        unanswered=frozenset(answered[False]),
        tested=found.tested,
        distrusted=found.distrusted,
    )


def zone_results(
    looks: Iterable[Look], events: Iterable[BlocklistEvent], distrusted: Mapping[ZoneFamily, str]
) -> tuple[ZoneResult, ...]:
    """One result for each zone that was asked, ordered by its name. Pure."""
    said: Mapping[tuple[str, str], int] = Counter((each.zone, each.type) for each in events)
    fallen = {held.zone: reason for held, reason in distrusted.items()}
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
                distrusted=fallen.get(zone, ""),
            )
        )
    return tuple(found)
