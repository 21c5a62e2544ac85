"""The ingest stage: Kafka in, counts and evidence into ClickHouse, `reputation.changes` out.

One thread takes messages and collects them in batches, another (streams/intake/flusher.py) stores batches. Positions
come from the store, never from Kafka: a worker that is given a partition resumes one behind the last offset stored with
the counts. The offset committed to Kafka only serves tools that show lag.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from itertools import groupby

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.settings import Ingest as IngestSettings
from schemas.settings import Kafka
from schemas.times import DAY_MS, HOUR_MS, utc_now_ms
from schemas.topics import MAIL_BLOCKLISTINGS
from streams.intake import gaps
from streams.intake.batch import Batch, BatchReader, SourcePartition, TimeBounds, take_listing
from streams.intake.dead_share import DeadShare
from streams.intake.flush import load_seen, stored_offsets
from streams.intake.flusher import Flusher
from streams.intake.metrics import IngestMetrics
from streams.intake.refusals import Refused
from streams.intake.seen import SeenIds
from streams.intake.topic_identity import KNOWN_S, TopicIdentity
from streams.io.broker import REACH_S, BrokerError, Publisher, admin, consumer, ends
from streams.io.store import Store, StoreError

log = logging.getLogger("repmon.ingest")

POLL_S = 0.1
#: How often topic ids are asked for, to see a topic that was deleted and made again.
IDS_S = 10.0
#: While a drain is under way the broker is asked whether anything is left once nothing has come for this long.
QUIET_S = 0.25
#: How long a stop, or giving partitions back, waits for the store.
LAST_FLUSH_S = 20.0
#: Reading is paused when storing is behind for so long; before that it only waits.
PATIENCE_S = 1.0
LAG_S = 0.5
#: A flush is due, or the worker behind, at so many distinct keys, however few events: keys are what takes memory.
MOST_KEYS = 30_000
#: The client's queue: bounded, and filled again soon after it was full (the default is a pause of a second).
PREFETCH = {"queued.max.messages.kbytes": 8_192, "fetch.queue.backoff.ms": 20}
MAX_DEAD_LETTER_BYTES = 16_000_000
_REFUSALS = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)

PartitionKey = tuple[str, int]


class IngestWorker:
    """One consumer and its unflushed batches. `run` uses the caller's thread for the consumer."""

    def __init__(
        self,
        kafka: Kafka,
        settings: IngestSettings,
        store: Store,
        takes: dict[str, BatchReader],
        clock: Callable[[], int] = utc_now_ms,
        refused: Refused | None = None,
    ) -> None:
        self.kafka = kafka
        self.settings = settings
        self.takes = dict(takes)
        self.takes.setdefault(MAIL_BLOCKLISTINGS, take_listing(bounds(settings)))
        self.clock = clock
        self.metrics = IngestMetrics()
        self._admin = admin(kafka)
        self._publisher = Publisher(kafka, **{"message.max.bytes": MAX_DEAD_LETTER_BYTES})
        self._flusher = Flusher(
            store, self._publisher, settings.change_debounce_s, self.metrics, clock, refused, lease_s=settings.lease_s
        )
        self._topics = TopicIdentity(self._admin, self.takes)
        self._refused = refused
        self._batches: dict[PartitionKey, Batch] = {}
        self._shares: dict[PartitionKey, DeadShare] = {}
        self._drained: Callable[[], None] | None = None
        #: A topic was seen to be another one of the same name: all are reopened once all are there.
        self._stale = False
        self._consumer: Consumer | None = None

    def run(self, stop: threading.Event) -> None:
        """Take events in until `stop` is set, then store what was taken.

        Raises:
            BrokerError: the topics are missing, the broker refuses, or its log ends before what was counted.
            StoreError: the store failed at the start or at the end. In between it is tried again.
            DeadShareError: too large a share of a partition cannot be read. Its last batch is not stored.
        """
        self._flusher.stopped = stop.is_set
        try:
            self._open()
            self._loop(stop)
            self._flusher.ending.set()
            self._store_all()
            self._flusher.begin([])  # announces who is not announced yet
            self._flusher.finished(LAST_FLUSH_S)
            self._publisher.flush()
        except BaseException:
            self._batches.clear()  # what was not stored is for the next owner: closing must not store it
            raise
        finally:
            self._flusher.ending.set()
            self._close()
            self._flusher.close()

    def when_drained(self, action: Callable[[], None]) -> None:
        """Once nothing more comes and all is stored, run `action` on the worker's thread, then open the
        topics again. For the embedded broker, whose topics are remade to give memory back."""
        self._drained = action

    def _open(self) -> None:
        """Open the topics under the ids they have now."""
        self._topics.read(self._flusher.stopped)
        self._stale = False
        refused = self._refused
        if refused is not None:
            self._flusher.ask(lambda store: refused.refresh(store, self.clock()))
        # Lost messages must be seen: a position that the broker no longer has is an error, not a silent jump.
        options = {"auto.offset.reset": "error", **PREFETCH, **self.kafka.options}
        source = self._consumer = consumer(self.kafka, "ingest", **options)
        if self.kafka.static_assignment:
            self._assign_all(source)
        else:
            source.subscribe(list(self.takes), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def _close(self) -> None:
        source, self._consumer = self._consumer, None
        if source is not None:
            source.close()

    def _loop(self, stop: threading.Event) -> None:
        flushed = ids_read = quiet_since = lag_read = time.monotonic()
        behind_since: float | None = None
        while not stop.is_set() and (source := self._consumer) is not None:
            behind_since = self._wait_while_behind(source, behind_since)
            if behind_since is None and (messages := source.consume(self.settings.batch_events, POLL_S)):
                self._take(source, messages)
                quiet_since = time.monotonic()
            self._settle(0.0)
            now = time.monotonic()
            if behind_since is not None:
                quiet_since = now  # nothing came since nothing was read
            due = self._full() or now - flushed >= self.settings.flush_seconds
            if due and not self._flusher.busy:
                self._begin_flush()
                flushed = now
            if now - lag_read >= LAG_S:
                lag_read, self.metrics.lag = now, self._lag(source)
            if self._drained is not None and now - quiet_since >= QUIET_S:
                quiet_since = now
                if self._all_taken():
                    self._reopen_topics(stop)
            elif self._stale or now - ids_read >= IDS_S:
                ids_read = now
                if self._topics.changed():
                    self._reopen_topics(stop)

    def _waiting(self) -> int:
        return sum(batch.messages for batch in self._batches.values())

    def _full(self) -> bool:
        keys = sum(len(batch.tally.keys) for batch in self._batches.values())
        return keys >= MOST_KEYS or self._waiting() >= self.settings.flush_events

    def _wait_while_behind(self, source: Consumer, since: float | None) -> float | None:
        """Back-pressure: with a full batch waiting and another being stored nothing is read. After a while the
        partitions are paused, so that the group still hears from us. Returns since when it is behind."""
        if not self._flusher.busy or not self._full():
            if self.metrics.waiting:
                source.resume(source.assignment())
                self.metrics.waiting = False
            return None
        now = time.monotonic()
        if since is None:
            since = now
        if not self.metrics.waiting and now - since > PATIENCE_S:
            source.pause(source.assignment())
            self.metrics.waiting = True
            self.metrics.pauses += 1
            log.info("storing is behind: reading is paused")
        if self.metrics.waiting:
            self._take(source, source.consume(1, POLL_S))
        else:
            self._settle(POLL_S)
        return since

    def _lag(self, source: Consumer) -> int:
        """Messages known to be in the broker and not yet taken, from what the last fetches said."""
        lag = 0
        for (topic, partition), batch in self._batches.items():
            _, high = source.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            lag += max(0, high - batch.next_offset)
        return lag

    def _all_taken(self) -> bool:
        """Whether the broker has nothing that is not taken. What the last fetches said is not enough to know: on a
        busy machine they may be older than the last acknowledged message."""
        try:
            found = ends(self._admin, list(self._batches))
        except BrokerError as error:
            log.warning("%s", error)
            return False
        return all(batch.next_offset >= found[where] for where, batch in self._batches.items())

    def _take(self, source: Consumer, messages: list[Message]) -> None:
        now_ms = self.clock()
        # Methods are mapped over the messages here and below: half the cost of calling them one by one.
        if any(map(Message.error, messages)):
            for message in messages:
                if (error := message.error()) is not None:
                    self._note(source, message, error)
            messages = [message for message in messages if message.error() is None]
        # Messages come in runs of one partition, which are taken at once.
        end = 0
        for (topic, partition), run in groupby(
            zip(map(Message.topic, messages), map(Message.partition, messages), strict=True)
        ):
            start, end = end, end + len(list(run))
            self._take_run((topic or "", partition or 0), messages[start:end], now_ms)
        self.metrics.messages += len(messages)

    def _take_run(self, where: PartitionKey, messages: Sequence[Message], now_ms: int) -> None:
        batch = self._batches.get(where)
        if batch is None:
            return
        offsets = [offset or 0 for offset in map(Message.offset, messages)]
        payloads = [value or b"" for value in map(Message.value, messages)]
        if offsets[0] < batch.next_offset:  # fetched before a seek
            kept = [at for at, offset in enumerate(offsets) if offset >= batch.next_offset]
            offsets, payloads = [offsets[at] for at in kept], [payloads[at] for at in kept]
            if not kept:
                return
        dead = len(batch.dead)
        self.takes[where[0]](batch, payloads, offsets, now_ms)
        bad = len(batch.dead) - dead
        share = self._shares[where]
        share.note(len(offsets) - bad, bad, batch.dead[-1].reason if bad else "")
        share.check()

    def _begin_flush(self) -> None:
        full = [(where, batch) for where, batch in self._batches.items() if batch.messages]
        self._flusher.begin([batch for _, batch in full])
        for where, batch in full:
            self._batches[where] = batch.next()

    def _settle(self, wait_s: float | None) -> bool:
        """Look at what became of the flush under way; True once there is none. Where another worker stored first,
        go on behind what that one stored."""
        done = self._flusher.finished(wait_s)
        if done is None:
            return not self._flusher.busy
        source = self._consumer
        for each in done:
            where = (each.batch.source.topic, each.batch.source.partition)
            current = self._batches.get(where)
            if current is None or current.source is not each.batch.source or source is None:
                continue
            if not each.ours:
                log.warning(
                    "%s: another worker stored first; continuing at %s", each.batch.source.name, each.stored + 1
                )
                self._start_partitions([where])
                self._go_to(source, where)
            self._commit(source, TopicPartition(*where, each.stored + 1))
        return True

    def _store_all(self) -> None:
        """Store everything taken so far and wait for it.

        Raises:
            StoreError, BrokerError: it cannot be stored; the next owner of the partitions takes it again.
        """
        deadline = time.monotonic() + LAST_FLUSH_S
        while True:
            if not self._settle(max(0.0, deadline - time.monotonic())):
                raise StoreError(f"{LAST_FLUSH_S:g} s were not enough to store what was taken")
            if not self._waiting():
                return
            self._begin_flush()

    def _commit(self, source: Consumer, where: TopicPartition) -> None:
        try:
            source.commit(offsets=[where], asynchronous=True)
        except KafkaException as error:
            log.debug("offset of %s not committed: %s", where, error)

    def _go_to(self, source: Consumer, where: PartitionKey) -> None:
        """Move a partition to where its batch continues. A seek is refused while the partition is not being fetched,
        as right after an assignment or an error; then all partitions are assigned again, each where it is."""
        try:
            source.seek(TopicPartition(*where, self._batches[where].next_offset))
        except KafkaException:
            again = [TopicPartition(*each, batch.next_offset) for each, batch in self._batches.items()]
            source.assign(again)
            if self.metrics.waiting:
                source.pause(again)

    def _reopen_topics(self, stop: threading.Event) -> None:
        """Store what came, let the topics be remade if that was asked for, and open those that are there now.

        The consumer is closed meanwhile: one of librdkafka 2.16 crashes in its metadata cache when a topic it has
        read is deleted and made again, even when it is no longer assigned.
        """
        action, self._drained = self._drained, None
        while self._waiting() or self._flusher.busy:
            self._settle(POLL_S)
            if not self._flusher.busy and self._waiting():
                self._begin_flush()
            if stop.is_set():
                self._flusher.ending.set()
        self._batches.clear()
        self._close()
        if action is not None:
            action()
        if not stop.is_set():
            self._open()
            log.info("topics reopened under the ids %s", self._topics.ids)

    def _assign_all(self, source: Consumer) -> None:
        wanted = [
            TopicPartition(topic, partition)
            for topic in self.takes
            for partition in range(self._publisher.partitions(topic))
        ]
        self._assigned(source, wanted)

    def _assigned(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        self._topics.read(self._flusher.stopped)
        self._start_partitions([(each.topic, each.partition) for each in partitions])
        for each in partitions:
            position = self._batches[each.topic, each.partition].position
            each.offset = position or OFFSET_BEGINNING
        source.assign(partitions)
        if self.metrics.waiting:
            source.pause(partitions)

    def _start_partitions(self, places: Sequence[PartitionKey]) -> None:
        """Begin an empty batch behind what is stored of each partition, with what it brought lately in memory."""
        began_s = time.monotonic()
        memory = self.settings.dedup_memory_mb * 1_000_000 // max(1, len({*self._batches, *places}))
        sources = [
            SourcePartition(
                f"{topic}:{self._topics.ids[topic]}:{partition}", topic, partition, SeenIds(memory), began_s
            )
            for topic, partition in places
        ]
        stored = self._flusher.ask(lambda store: stored_offsets(store, [each.name for each in sources]))
        for each in sources:
            self._flusher.ask(lambda store, each=each: load_seen(store, each, self.clock()))  # type: ignore[misc]
            position = stored.get(each.name, -1) + 1
            where = (each.topic, each.partition)
            self._batches[where] = Batch(each, position, position)
            self._shares[where] = DeadShare(*where, self.settings.dead_letter_share, self.settings.dead_letter_window)

    def _revoked(self, _source: Consumer, partitions: list[TopicPartition]) -> None:
        """Store what was taken: what cannot be stored now is for the next owner to take again."""
        try:
            self._store_all()
        except (StoreError, BrokerError) as error:
            log.warning("left to the next owner: %s", error)
        self._lost(_source, partitions)

    def _lost(self, _source: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._batches.pop((each.topic, each.partition), None)

    def _note(self, source: Consumer, message: Message, error: KafkaError) -> None:
        """A consumer's error event: librdkafka continues by itself unless it is fatal."""
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._out_of_range(source, message)
        elif error.fatal() or error.code() in _REFUSALS:
            raise BrokerError(f"consuming: {error.str()}")
        else:
            log.debug("consuming: %s", error.str())

    def _out_of_range(self, source: Consumer, message: Message) -> None:
        """The broker does not have the position we want to read from: messages were deleted, the log was cut off, or
        this is another topic of the same name, seen before its id was looked at."""
        where = (message.topic() or "", message.partition() or 0)
        batch = self._batches.get(where)
        if batch is None:
            return
        try:
            low, high = source.get_watermark_offsets(TopicPartition(*where), timeout=REACH_S)
        except KafkaException as error:
            log.warning("%s: %s; asking again", batch.source.name, error)
            self._go_to(source, where)
            return
        if self._topics.was_recreated(where[0], 0.0 if low > batch.next_offset else KNOWN_S):
            self._stale = True
            return
        found = gaps.gap(batch.source.name, batch.next_offset, low, high)
        log.error("%s: %s", found.source, found)
        self.metrics.gaps += 1
        self.metrics.lost_messages += found.lost
        self._flusher.ask(lambda store: gaps.record(store, found, self.clock()))
        batch.next_offset = low
        self._go_to(source, where)


def bounds(settings: IngestSettings) -> TimeBounds:
    """How far event times may lie from now."""
    return TimeBounds(int(settings.max_ahead_hours * HOUR_MS), int(settings.max_behind_days * DAY_MS))
