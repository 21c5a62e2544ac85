"""What one blocklist scan found, as numbers and as lines for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jobs.blocklist_state import States
from jobs.dnsbl_answer import Failed, Listed, Look
from jobs.listing_life import State, owes_second_look
from jobs.zone_trust import Held
from schemas.listing import BlocklistEvent

HOUR_MS = 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneResult:
    """What a zone said: how many looks, how many of them found a listing, how many failed, and mostly why.

    `began` and `ended` are listings that were reported `listed` and `delisted`; `distrusted` is why nothing was
    believed of what it said about one family or all, empty if it was.
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
    """One scan: `events` are what is to be published, in order; `states` is what is known afterwards.

    `invalid` are sending addresses in the store that are no IP addresses; `keyless` the zones that lack their
    key; `unasked` counts open listings on zones that are not asked, which this scan leaves as they are. `tested` are
    the zones whose trust was looked into, `distrusted` those of them that are not believed, and why.
    """

    now_ms: int
    resources: int
    zones: tuple[ZoneResult, ...]
    events: tuple[BlocklistEvent, ...]
    states: States
    tested: tuple[Held, ...] = ()
    distrusted: Mapping[Held, str]
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
        return [self.now_ms - each.looked_ms for each in self.states.values() if each.listing and self._stale(each)]

    def _stale(self, state: State) -> bool:
        return state.looked_ms < self.now_ms

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
        if self.waiting:
            lines.append(f"  waiting for a second look: {self.waiting:,}")
        if unchecked := self.unchecked_ms:
            hours = max(unchecked) / HOUR_MS
            lines.append(
                f"  open listings that could not be checked: {len(unchecked):,}, one of them for {hours:.1f} h"
            )
        if self.invalid:
            lines.append(f"  {len(self.invalid):,} sending addresses are no IP addresses, such as {self.invalid[0]!r}")
        if self.unasked:
            lines.append(f"  {self.unasked:,} open listings are on zones that are not asked")
        return "\n".join(lines)


def zone_results(
    looks: Iterable[Look], events: Iterable[BlocklistEvent], distrusted: Mapping[Held, str]
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
