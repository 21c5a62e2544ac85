"""What one ingest worker says of itself."""

from dataclasses import dataclass, field

from streams.flush import Flushed


@dataclass
class Metrics:
    """Running totals of one worker, and how it is now. Each field's note is its help text."""

    messages: int = 0  #: Messages taken from the broker.
    stored: int = 0  #: Messages whose counts this worker stored.
    dead_letters: int = 0  #: Messages that could not be read.
    duplicates: int = 0  #: Deliveries and the like that came before and were not counted again.
    negative_duplicates: int = 0  #: Bounces, complaints and the like that came before and were not counted again.
    forgotten_ids: int = 0  #: Event ids forgotten within 24 h for want of memory: a repetition would count again.
    expected_errors: float = 0.0  #: How many events were taken for repetitions without being any, as expected.
    known_ids: int = 0  #: Event ids held in memory.
    known_ids_bytes: int = 0  #: Memory that these take.
    flushes: int = 0  #: Batches stored.
    fenced: int = 0  #: Batches that another worker had stored first.
    flush_messages: int = 0  #: Messages in the last batch stored.
    flush_seconds: float = 0.0  #: How long the last flush took.
    flush_seconds_total: float = 0.0  #: How long all flushes took.
    store_failures: int = 0  #: Failures of the store or of the broker while storing; each was tried again.
    pauses: int = 0  #: How often reading was paused since storing was behind.
    gaps: int = 0  #: How often messages were gone from the broker before they were read.
    lost_messages: int = 0  #: Messages gone from the broker before they were read.
    lag: int = 0  #: Messages in the broker not yet taken, as far as known.
    last_stored_ms: int = 0  #: When the last flush began (epoch ms, UTC).
    waiting: bool = False  #: Whether reading is paused now.
    trouble: str = ""  #: What keeps the worker from storing now; empty when nothing does.
    sources: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    @property
    def paused(self) -> bool:
        """Whether storing is stuck or behind."""
        return bool(self.trouble) or self.waiting

    def note(self, flushed: Flushed) -> None:
        """Add what became of one batch."""
        batch, fresh = flushed.batch, flushed.batch.fresh
        if not flushed.ours:
            self.fenced += 1
            return
        self.flushes += 1
        self.flush_messages = batch.messages
        self.stored += batch.messages
        self.dead_letters += len(batch.dead)
        if fresh is not None:
            self.duplicates += fresh.duplicates
            self.negative_duplicates += fresh.negative_duplicates
        seen = batch.source.seen
        self.sources[batch.source.name] = (seen.known, seen.memory_bytes, seen.expected_errors)
        self.forgotten_ids += seen.take_forgotten()
        self.known_ids = sum(known for known, _, _ in self.sources.values())
        self.known_ids_bytes = sum(size for _, size, _ in self.sources.values())
        self.expected_errors = sum(errors for _, _, errors in self.sources.values())
