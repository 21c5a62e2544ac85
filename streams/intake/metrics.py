"""What one ingest worker says of itself."""

from dataclasses import dataclass, field

from streams.io.instrument import counter, gauge


@dataclass
class IngestMetrics:
    """Running totals of one worker, and how it is now."""

    messages: int = counter("Messages taken from the broker.")
    stored: int = counter("Messages whose counts this worker stored.")
    dead_letters: int = counter("Dead letters: messages that could not be read, or the bad records of one.")
    refused_customers: int = counter(
        "Messages of customers who were one new one too many in an hour (ingest.new_customers_per_hour); dead letters."
    )
    refused_names: int = counter(
        "Events counted without a stream, sub-account, address, pool or domain that was one new one too many in an "
        "hour (ingest.new_streams_per_hour and the like)."
    )
    duplicates: int = counter("Deliveries and the like that came before and were not counted again.")
    negative_duplicates: int = counter("Bounces, complaints and the like that came before and were not counted again.")
    forgotten_ids: int = counter("Event ids forgotten before 24 hours for want of memory: a repetition counts again.")
    expected_errors: float = counter("Events taken for repetitions without being any, as many as are to be expected.")
    known_ids: int = gauge("Event ids held in memory.")
    known_ids_bytes: int = gauge("Memory that the event ids take, in bytes.")
    flushes: int = counter("Batches stored.")
    fenced: int = counter("Batches that another worker had stored first.")
    flush_messages: int = gauge("Messages in the batch stored last.")
    flush_seconds: float = gauge("How long the last flush took.")
    flush_seconds_total: float = counter("How long all flushes took together.")
    store_failures: int = counter("Failures of store or broker while storing; each was tried again.")
    pauses: int = counter("How often reading was paused because storing was behind.")
    gaps: int = counter("How often messages were gone from the broker before they were read.")
    lost_messages: int = counter("Messages gone from the broker before they were read.")
    lag: float = gauge(
        "Messages in the broker whose counts are not stored, taken or not, but for topics that are read no more or "
        "are gone; not a number while the broker does not say."
    )
    lag_known_ms: int = gauge("When the broker last said what it has (epoch ms, UTC).")
    lag_since_ms: int = gauge("Since when there is a lag (epoch ms, UTC); 0 while there is none.")
    last_stored_ms: int = gauge("When the last flush began (epoch ms, UTC).")
    waiting: bool = gauge("Whether reading is paused now.")
    stopped_topics: int = gauge("Topics that are read no more, since too large a share of them cannot be read.")
    #: Why each of those is read no more, by topic.
    stopped: dict[str, str] = field(default_factory=dict)
    deleted_topics: int = gauge("Topics that are not there any more, though they were read.")
    #: What is to be said of each of those, by topic.
    deleted: dict[str, str] = field(default_factory=dict)
    #: What keeps the worker from storing now; empty when nothing does.
    trouble: str = ""

    @property
    def fault(self) -> str:
        """What is wrong with the worker now; empty when nothing is."""
        return "; ".join(filter(None, (self.trouble, *self.deleted.values(), *self.stopped.values())))

    @property
    def paused(self) -> bool:
        """Whether storing is stuck or behind."""
        return bool(self.trouble) or self.waiting
