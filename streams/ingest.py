"""The ingest stage: Kafka in, counts and evidence into ClickHouse, `reputation.changes` out.

Positions come from the store, never from Kafka: a worker that is given a partition resumes one behind the last
offset stored with the counts. The offset committed to Kafka only serves tools that show lag.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from zlib import crc32

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.change import Change
from schemas.settings import Ingest as IngestSettings
from schemas.settings import Kafka
from schemas.topics import DEAD_LETTERS, MAIL_BLOCKLISTINGS, REPUTATION_CHANGES
from streams.broker import BrokerError, Publisher, admin, consumer, topic_ids
from streams.flush import flush, stored_offset
from streams.intake import Batch, Take, TimeBounds, take_listing
from streams.listings import customers_of
from streams.store import Store, StoreError

log = logging.getLogger("repmon.ingest")

HOUR_MS = 3_600_000
POLL_S = 0.1
#: Retry waits after a failed flush, with full jitter: first, and at most.
RETRY_S = (0.2, 10.0)
#: How often topic ids are asked for, to see a topic that was deleted and made again.
IDS_S = 10.0
#: How long a topic may be unknown before it is taken to be missing.
KNOWN_S = 3.0
#: A drain is over when nothing has come for this long.
QUIET_S = 1.0
MAX_DEAD_LETTER_BYTES = 16_000_000
LAST_TRIES = 5
_REFUSALS = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)

T = TypeVar("T")


@dataclass
class Metrics:
    """Running totals of one worker."""

    messages: int = 0
    stored: int = 0
    dead_letters: int = 0
    flushes: int = 0
    fenced: int = 0
    store_failures: int = 0
    last_stored_ms: int = 0
    paused: bool = False
    lag: int = 0


@dataclass
class Debounce:
    """Which changed customers are due to be announced: each at most once in `every_ms`, none forgotten."""

    every_ms: int
    pending: set[str] = field(default_factory=set)
    _sent: dict[str, int] = field(default_factory=dict)

    def due(self, now_ms: int) -> list[str]:
        """The customers to announce now."""
        sent, oldest = self._sent, now_ms - self.every_ms
        due = [customer for customer in self.pending if sent.get(customer, -1) <= oldest]
        self.pending.difference_update(due)
        for customer in due:
            sent[customer] = now_ms
        if len(sent) > 2 * len(due) + 10_000:
            self._sent = {customer: when for customer, when in sent.items() if when > oldest}
        return due


class IngestWorker:
    """One consumer and its unflushed batches. `run` uses one thread, which owns consumer and store."""

    def __init__(
        self,
        kafka: Kafka,
        settings: IngestSettings,
        store: Store,
        takes: dict[str, Take],
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.kafka = kafka
        self.settings = settings
        self.store = store
        self.takes = dict(takes)
        self.takes.setdefault(MAIL_BLOCKLISTINGS, take_listing(bounds(settings)))
        self.clock = clock
        self.metrics = Metrics()
        self._admin = admin(kafka)
        self._publisher = Publisher(kafka, **{"message.max.bytes": MAX_DEAD_LETTER_BYTES})
        self._changes_partitions = self._publisher.partitions(REPUTATION_CHANGES)
        self._batches: dict[tuple[str, int], Batch] = {}
        self._ids: dict[str, str] = {}
        self._debounce = Debounce(int(settings.changes_every_s * 1000))
        self._drained: Callable[[], None] | None = None
        self._consumer: Consumer | None = None

    def run(self, stop: threading.Event) -> None:
        """Take events in until `stop` is set, then store what was taken.

        Raises:
            BrokerError: the topics are missing or the broker refuses.
            StoreError: the store failed at the start. Later failures are retried.
        """
        self._open()
        try:
            self._loop(stop)
            self._flush_all(stop=None)
            self._publisher.flush()
        finally:
            self._close()

    def when_drained(self, action: Callable[[], None]) -> None:
        """Once nothing more comes and all is stored, run `action` on the worker's thread, then take up the
        topics anew. For the embedded broker, whose topics are remade to give memory back."""
        self._drained = action

    def _open(self) -> None:
        """Take up the topics under the ids they have now."""
        self._read_ids()
        source = self._consumer = consumer(self.kafka, "ingest")
        if self.kafka.static_assignment:
            self._assign_all(source)
        else:
            source.subscribe(list(self.takes), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def _close(self) -> None:
        source, self._consumer = self._consumer, None
        if source is not None:
            source.close()

    def _loop(self, stop: threading.Event) -> None:
        flush_s = self.settings.flush_seconds
        flushed = ids_read = quiet_since = time.monotonic()
        while not stop.is_set() and (source := self._consumer) is not None:
            messages = source.consume(self.settings.batch_events, POLL_S)
            now = time.monotonic()
            if messages:
                self._take(messages)
                quiet_since = now
                self.metrics.lag = self._lag(source)
            waiting = sum(batch.messages for batch in self._batches.values())
            if waiting >= self.settings.flush_events or now - flushed >= flush_s:
                self._flush_all(stop)
                flushed = time.monotonic()
            if self._drained is not None and now - quiet_since >= QUIET_S:
                self._renew(stop)
            elif now - ids_read >= IDS_S:
                ids_read = now
                if self._ids_changed():
                    self._renew(stop)

    def _lag(self, source: Consumer) -> int:
        """Messages known to be in the broker and not yet taken, from what the last fetches said."""
        lag = 0
        for (topic, partition), batch in self._batches.items():
            _, high = source.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            lag += max(0, high - batch.next_offset)
        return lag

    def _take(self, messages: list[Message]) -> None:
        now_ms = self.clock()
        batches, takes = self._batches, self.takes
        topic, partition, batch, take = "", -1, None, None
        for message in messages:
            if (error := message.error()) is not None:
                _note(error)
                continue
            # Messages come in runs of one partition; the look-up is done once a run.
            if (at := message.partition()) != partition or message.topic() != topic:
                topic, partition = message.topic() or "", -1 if at is None else at
                batch, take = batches.get((topic, partition)), takes.get(topic)
            if batch is None or take is None:
                continue
            offset = message.offset()
            if offset is not None and offset >= batch.next_offset:
                take(batch, message.value() or b"", offset, now_ms)
        self.metrics.messages += len(messages)

    def _flush_all(self, stop: threading.Event | None) -> None:
        now_ms = self.clock()
        for batch in list(self._batches.values()):
            if batch.messages:
                self._flush(batch, now_ms, stop)
        self._announce(now_ms)

    def _flush(self, batch: Batch, now_ms: int, stop: threading.Event | None) -> None:
        changed, listed = batch.customers, {event.resource for _, event in batch.listings}
        messages, dead = batch.messages, len(batch.dead)
        for letter in batch.dead:
            self._publisher.publish(DEAD_LETTERS, letter.topic.encode(), msgspec.json.encode(letter))
        if dead:
            self._publisher.flush()
        ours = self._retried(lambda: flush(self.store, batch, now_ms), stop)
        if listed:
            changed |= self._retried(lambda: customers_of(self.store, listed, now_ms), stop)
        self._debounce.pending |= changed
        self.metrics.flushes += 1
        self.metrics.stored += messages if ours else 0
        self.metrics.dead_letters += dead
        self.metrics.last_stored_ms = now_ms
        source = self._consumer
        if source is None:
            return
        where = TopicPartition(batch.topic, batch.partition, batch.position)
        if not ours:
            self.metrics.fenced += 1
            log.warning("%s: another worker stored first; going on at %s", batch.source, batch.position)
            self._go_to(source, where)
        try:
            source.commit(offsets=[where], asynchronous=True)
        except KafkaException as error:
            log.debug("offset of %s not committed: %s", batch.source, error)

    def _go_to(self, source: Consumer, where: TopicPartition) -> None:
        """Move a partition's position. Right after an assignment a seek is refused; then it is assigned anew."""
        try:
            source.seek(where)
        except KafkaException:
            source.incremental_unassign([where])
            source.incremental_assign([where])

    def _announce(self, now_ms: int) -> None:
        for customer in self._debounce.due(now_ms):
            key = customer.encode()
            partition = crc32(key) % self._changes_partitions
            change = msgspec.json.encode(Change(customer=customer, stored_ms=now_ms))
            self._publisher.publish(REPUTATION_CHANGES, key, change, partition)

    def _retried(self, action: Callable[[], T], stop: threading.Event | None) -> T:
        """Try until the store answers, waiting longer each time. Nothing is consumed meanwhile, which is the
        back-pressure: the client's own queue is bounded. With `stop` set or None, five tries are all."""
        tries, wait = 0, RETRY_S[0]
        while True:
            try:
                result = action()
            except StoreError as error:
                tries += 1
                self.metrics.store_failures += 1
                self.metrics.paused = True
                ending = stop is None or stop.is_set()
                if ending and tries >= LAST_TRIES:
                    raise
                log.warning("%s; trying again in at most %.1f s", error, wait)
                pause = random.uniform(0, wait)
                if ending or stop is None:
                    time.sleep(min(pause, 0.5))
                else:
                    stop.wait(pause)
                wait = min(wait * 2, RETRY_S[1])
            else:
                self.metrics.paused = False
                return result

    def _read_ids(self) -> None:
        """Of a topic made just now, one broker of a cluster may know later than another."""
        deadline = time.monotonic() + KNOWN_S
        while missing := sorted(set(self.takes) - set(ids := topic_ids(self._admin, list(self.takes)))):
            if time.monotonic() > deadline:
                raise BrokerError(f"there is no topic {', '.join(missing)}; `repmon topics create` makes it")
            time.sleep(POLL_S)
        self._ids = ids

    def _ids_changed(self) -> bool:
        try:
            known = topic_ids(self._admin, list(self.takes))
        except BrokerError as error:
            log.warning("%s", error)
            return False
        return len(known) == len(self.takes) and known != self._ids

    def _renew(self, stop: threading.Event) -> None:
        """Store what came, let the topics be remade if that was asked for, and take up those that are there now.

        The consumer is closed meanwhile: one of librdkafka 2.16 crashes in its metadata cache when a topic it has
        read is deleted and made again, even when it is no longer assigned.
        """
        action, self._drained = self._drained, None
        self._flush_all(stop)
        self._batches.clear()
        self._close()
        if action is not None:
            action()
        if not stop.is_set():
            self._open()
            log.info("topics taken up anew: %s", self._ids)

    def _assign_all(self, source: Consumer) -> None:
        wanted = [
            TopicPartition(topic, partition)
            for topic in self.takes
            for partition in range(self._publisher.partitions(topic))
        ]
        self._assigned(source, wanted)

    def _assigned(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            name = f"{each.topic}:{self._ids[each.topic]}:{each.partition}"
            stored = self._retried(lambda name=name: stored_offset(self.store, name), None)  # type: ignore[misc]
            position = 0 if stored is None else stored + 1
            self._batches[each.topic, each.partition] = Batch(name, each.topic, each.partition, position, position)
            each.offset = position if position else OFFSET_BEGINNING
        source.assign(partitions)

    def _revoked(self, _source: Consumer, partitions: list[TopicPartition]) -> None:
        """Store what was taken, once: what cannot be stored now is for the next owner to take again."""
        for each in partitions:
            batch = self._batches.pop((each.topic, each.partition), None)
            if batch is not None and batch.messages:
                self._debounce.pending |= batch.customers
                try:
                    flush(self.store, batch, self.clock())
                except StoreError as error:
                    log.warning("%s: left to the next owner: %s", batch.source, error)

    def _lost(self, _source: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._batches.pop((each.topic, each.partition), None)


def bounds(settings: IngestSettings) -> TimeBounds:
    """How far event times may lie from now."""
    return TimeBounds(int(settings.max_ahead_hours * HOUR_MS), int(settings.max_behind_days * 24 * HOUR_MS))


def _note(error: KafkaError) -> None:
    """A consumer's error event: librdkafka goes on by itself unless it is fatal."""
    if error.fatal() or error.code() in _REFUSALS:
        raise BrokerError(f"consuming: {error.str()}")
    log.debug("consuming: %s", error.str())
