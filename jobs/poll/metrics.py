"""What polling says of itself."""

from dataclasses import dataclass, field

from jobs.poll.reading import Source
from jobs.poll.round import Round
from streams.io.instrument import counter, gauge


@dataclass
class PollMetrics:
    """Running totals of one source, and when it was last well."""

    source: Source
    rounds: int = counter("Rounds of asking, by source.")
    days_read: int = counter(
        "Days that a domain or an address was reported of; a day that is asked about again counts."
    )
    errors: int = counter("Domains or days that were not answered, credentials refused, requests for patience.")
    last_success_ms: int = gauge(
        "When a round was last answered in full (epoch ms, UTC); 0 where none was known of yet."
    )
    last_round_ms: int = gauge("When a round last ended, however (epoch ms, UTC).")
    labels: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Name the source."""
        self.labels = {"source": self.source}

    def note(self, found: Round, now_ms: int) -> None:
        """Add what a round brought."""
        self.rounds += 1
        self.days_read += len({(each.resource, each.day) for each in found.readings})
        self.errors += len(found.faults)
        self.last_round_ms = now_ms
        if not found.faults and not found.later:
            self.last_success_ms = now_ms
