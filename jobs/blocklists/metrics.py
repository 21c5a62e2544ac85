"""What the blocklist scan says of itself."""

from dataclasses import dataclass, field

from jobs.blocklists.result import ScanResult
from jobs.blocklists.zone_trust import ZoneFamily
from streams.io.instrument import counter, gauge


@dataclass
class ScanMetrics:
    """Running totals, and how it is now."""

    scans: int = counter("Scans in which zones took their turn.")
    rounds: int = counter("Rounds: a zone was asked about all addresses and domains.")
    looks: int = counter("Questions to blocklists.")
    failed_looks: int = counter("Questions that taught nothing: no answer, a refusal, a zone that is not trusted.")
    last_scan_ms: int = gauge("When zones last took their turn (epoch ms, UTC).")
    turn_late_seconds: float = gauge("How late the zone was that waited longest for its turn in the last scan.")
    distrusted_zones: int = gauge("Zones not trusted when they were last asked, for one kind of address or all.")
    open_listings: int = gauge("Listings in force.")
    unchecked_listings: int = gauge("Listings in force about which the last question got no answer.")
    oldest_answer_seconds: float = gauge("Age of the last answer about the listing that was longest without one.")
    second_looks_owed: int = gauge("First looks that wait for a second one.")
    #: When the next zone has its turn (epoch ms); far away where none is asked.
    due_ms: int = 0
    _unchecked: frozenset[tuple[str, str]] = frozenset()
    _distrusted: set[ZoneFamily] = field(default_factory=set)

    def note(self, result: ScanResult, *, second_looks: bool) -> None:
        """Add what one scan found; one that only took second looks is no turn."""
        self.looks += result.looked
        self.failed_looks += result.failed
        listed = {key: state.looked_ms for key, state in result.states.items() if state.listing}
        self.open_listings = len(listed)
        self.second_looks_owed = result.waiting
        self._unchecked = (self._unchecked - result.answered | result.unanswered).intersection(listed)
        self.unchecked_listings = len(self._unchecked)
        # What only an outside monitor reported, on a list that is not asked, is as old as that one's last word.
        ours = [each.looked_ms for each in result.states.values() if each.listing and not each.listing.monitor]
        self.oldest_answer_seconds = max((result.now_ms - each for each in ours), default=0) / 1000
        self._distrusted = self._distrusted.difference(result.tested).union(result.distrusted)
        self.distrusted_zones = len({held.zone for held in self._distrusted})
        if second_looks:
            return
        self.scans += 1
        self.rounds += result.rounds
        self.last_scan_ms = result.now_ms
        self.turn_late_seconds = result.late_ms / 1000
