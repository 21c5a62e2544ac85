"""What the blocklist scan says of itself."""

from dataclasses import dataclass

from jobs.scan_result import ScanResult
from streams.metric import counter, gauge


@dataclass
class ScanMetrics:
    """Running totals, and how it is since the last scan."""

    scans: int = counter("Scans of all addresses.")
    looks: int = counter("Questions to blocklists.")
    failed_looks: int = counter("Questions that taught nothing: no answer, a refusal, a zone that is not believed.")
    last_scan_ms: int = gauge("When the last scan of all addresses began (epoch ms, UTC).")
    distrusted_zones: int = gauge("Zones not believed at the last scan, for one kind of address or all.")
    open_listings: int = gauge("Listings in force.")
    unchecked_listings: int = gauge("Listings in force about which the last scan got no answer.")
    oldest_answer_seconds: float = gauge("Age of the last answer about the listing that was longest without one.")
    second_looks_owed: int = gauge("First looks that wait for a second one.")

    def note(self, result: ScanResult, *, second_looks: bool) -> None:
        """Add what one scan found; one that only took second looks says nothing of zones and the other listings."""
        self.looks += result.looked
        self.failed_looks += result.failed
        self.open_listings = result.open
        self.second_looks_owed = result.waiting
        if second_looks:
            return
        self.scans += 1
        self.last_scan_ms = result.now_ms
        self.distrusted_zones = len({held.zone for held in result.distrusted})
        self.unchecked_listings = len(result.unchecked_ms)
        self.oldest_answer_seconds = max(result.unchecked_ms, default=0) / 1000
