"""The ingest stage: Kafka in, counts and evidence into ClickHouse, `reputation.changes` out.

One thread takes messages and collects them in batches, another (streams/intake/flusher.py) stores batches. Which
partitions are read, and from where on, is in streams/intake/partitions.py. The offset committed to Kafka only serves
tools that show lag.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import TypeVar, cast

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from schemas.settings import Ingest as IngestSettings
from schemas.settings import Kafka
from schemas.times import utc_now_ms
from schemas.topics import MAIL_BLOCKLISTINGS
from streams.intake.batch import BatchReader, DeadShareError
from streams.intake.bounds import time_bounds
from streams.intake.flusher import Flusher
from streams.intake.listing_readers import ListingReader
from streams.intake.metrics import IngestMetrics
from streams.intake.partitions import PartitionKey, Partitions
from streams.intake.refusals import Refused
from streams.intake.stored_refusals import refresh
from streams.io import tracing
from streams.io.broker import BrokerError, Publisher, runs_by_partition
from streams.io.pulse import Pulse
from streams.io.store import Store, StoreError

log = logging.getLogger("repmon.ingest")

POLL_S = 0.1
#: How often topic ids are asked for, to see a topic that was deleted and made again.
IDS_S = 3.0
#: While a drain is under way the broker is asked whether anything is left once nothing has come for this long.
QUIET_S = 0.25
#: How long a stop, or giving partitions back, waits for the store.
LAST_FLUSH_S = 20.0
#: Reading is paused when storing is behind for so long; before that it only waits.
PATIENCE_S = 1.0
#: How often it is noted what the last fetches said, and how often the broker is asked what it has.
FETCHED_S = 0.5
LAG_S = 2.0
#: How old its answer may be before nobody knows: a question to one that is frozen lasts longer than its time-out.
LAG_OLD_S = 10.0
#: A flush is due, or the worker behind, at so many distinct keys, however few events: keys are what takes memory.
MOST_KEYS = 60_000
#: Senders whose names are kept as numbers from flush to flush, about 400 bytes each.
MOST_SENDERS = 100_000
#: Between the beginnings of two flushes there is so many times what the last one took, so that storing leaves time for
#: the rest: larger flushes have fewer rows an event and cost less each. But no more than so many times the setting, and
#: not once nothing comes any more: waiting gathers nothing then.
FLUSH_PACE = 5.0
MOST_PACED = 5.0
MAX_DEAD_LETTER_BYTES = 16_000_000

T = TypeVar("T")


def flush_every_s(setting_s: float, took_s: float, quiet_s: float) -> float:
    """How long after the beginning of the last flush the next is due, in s, when that one took `took_s` and nothing has
    come for `quiet_s`."""
    if quiet_s >= QUIET_S:
        return setting_s
    return min(max(setting_s, FLUSH_PACE * took_s), MOST_PACED * setting_s)


class IngestWorker:
    """One consumer and its unflushed batches. `run` uses the caller's thread for the consumer."""

    def __init__(
        self,
        kafka: Kafka,
        settings: IngestSettings,
        store: Store,
        readers: Mapping[str, BatchReader],
        clock: Callable[[], int] = utc_now_ms,
        refused: Refused | None = None,
        beside: Sequence[Pulse[None]] = (),
    ) -> None:
        """`readers` are by topic; that of our own listings need not be among them. `beside` runs while it does."""
        self.settings = settings
        self.readers: dict[str, BatchReader] = {MAIL_BLOCKLISTINGS: ListingReader(time_bounds(settings)), **readers}
        self.clock = clock
        self.metrics = IngestMetrics()
        self.metrics.lag, self._lag_known_s, self._fetched_s = nan, 0.0, 0.0
        self._partitions = Partitions(kafka, settings, self.readers, self, clock, self.metrics)
        self._publisher = Publisher(kafka, **{"message.max.bytes": MAX_DEAD_LETTER_BYTES})
        self._flusher = Flusher(
            store, self._publisher, settings.change_debounce_s, self.metrics, clock, refused, lease_s=settings.lease_s
        )
        self._refused = refused
        self._beside = beside
        self._drained: Callable[[], None] | None = None
        self._count_keys_at = MOST_KEYS

    def run(self, stop: threading.Event) -> None:
        """Take events in until `stop` is set, then store what was taken.

        Raises:
            BrokerError: the topics are missing, the broker refuses, or its log ends before what was counted.
            StoreError: the store failed at the start or at the end. In between it is tried again.
        """
        self._flusher.stopped = stop.is_set
        lag = Pulse("lag", self.measure_lag, LAG_S)
        pulses = [lag, *self._beside]
        try:
            self._open()
            for pulse in pulses:
                pulse.start()
            self._loop(stop)
            self._flusher.ending.set()
            if self._flusher.abandoned.is_set():
                self._partitions.batches.clear()
                return
            self.store_all()
            self._flusher.begin([])  # announces who is not announced yet
            self._flusher.finished(LAST_FLUSH_S)
            self._publisher.flush()
            tracing.stop()
        except:  # a KafkaError that leaves the client derives from nothing that could be named here
            # What was not stored is for the next owner: closing must not store it.
            self._partitions.batches.clear()
            raise
        finally:
            for pulse in pulses:
                pulse.stop()
            self._flusher.ending.set()
            try:
                self._partitions.close()
            finally:
                self._flusher.close()

    def behind(self) -> int:
        """How many messages the broker has that are not taken, as it says now. Any thread may ask.

        Raises:
            BrokerError: it does not answer.
        """
        return self._partitions.behind()

    def abandon(self) -> None:
        """Once asked to stop, end as soon as the flush under way has. What is taken and not stored is left to the next
        worker."""
        self._flusher.ending.set()
        self._flusher.abandoned.set()

    def when_drained(self, action: Callable[[], None]) -> None:
        """Once nothing more comes and all is stored, run `action` on the worker's thread, then open the
        topics again. For the embedded broker, whose topics are remade to give memory back: topics that were read no
        more are read to their end before, and what cannot be read is set aside."""
        self._drained = action

    def ask(self, question: Callable[[Store], T]) -> T:
        """Ask the store until it answers.

        Raises:
            StoreError: it was given up, since the worker is to stop.
        """
        return self._flusher.ask(question)

    def stopped(self) -> bool:
        """Whether the worker is asked to stop."""
        return self._flusher.stopped()

    def store_all(self) -> None:
        """Store everything taken so far and wait for it.

        Raises:
            StoreError, BrokerError: it cannot be stored; the next owner of the partitions takes it again.
        """
        deadline = time.monotonic() + LAST_FLUSH_S
        while True:
            if not self._settle(max(0.0, deadline - time.monotonic())):
                raise StoreError(f"{LAST_FLUSH_S:g} s were not enough to store what was taken")
            if not self._waiting() or self._flusher.abandoned.is_set():
                return
            self._begin_flush()

    def _open(self, *, made_by_us: bool = False) -> None:
        refused = self._refused
        if refused is not None:
            self.ask(lambda store: refresh(refused, store, self.clock()))
        self._partitions.open(self._publisher, made_by_us=made_by_us)

    def _loop(self, stop: threading.Event) -> None:
        flushed = ids_read = quiet_since = time.monotonic()
        behind_since: float | None = None
        partitions = self._partitions
        while not stop.is_set() and (source := partitions.consumer) is not None:
            behind_since = self._wait_while_behind(source, behind_since)
            if behind_since is None and (messages := source.consume(self.settings.batch_events, POLL_S)):
                self._take(messages)
                quiet_since = time.monotonic()
            if partitions.failure is not None:
                partitions.check()
            self._settle(0.0)
            now = time.monotonic()
            self._watch_lag(now)
            if behind_since is not None:
                quiet_since = now  # nothing came since nothing was read
            every_s = flush_every_s(self.settings.flush_seconds, self.metrics.flush_seconds, now - quiet_since)
            due = self._full() or now - flushed >= every_s
            if due and not self._flusher.busy:
                self._begin_flush()
                flushed = now
            if self._drained is not None and now - quiet_since >= QUIET_S:
                quiet_since = now
                if self.metrics.stopped:
                    partitions.read_stopped()
                elif partitions.all_taken():
                    self._reopen_topics(stop)
            elif partitions.stale or now - ids_read >= IDS_S:
                ids_read = now
                if partitions.look_at_topics():
                    self._reopen_topics(stop)

    def _waiting(self) -> int:
        return sum(batch.messages for batch in self._partitions.batches.values())

    def _full(self) -> bool:
        return self._waiting() >= self.settings.flush_events or self._has_many_keys()

    def _has_many_keys(self) -> bool:
        """Whether `MOST_KEYS` are reached. They are counted when there may be so many, each event with one of its own,
        which is seldom."""
        tallies = [batch.tally for batch in self._partitions.batches.values()]
        events = sum(len(each.cells) for each in tallies)
        if events < self._count_keys_at:
            return False
        keys = sum(len(each.counted().grouped()[1]) for each in tallies)
        self._count_keys_at = events + MOST_KEYS - keys
        return keys >= MOST_KEYS

    def _wait_while_behind(self, source: Consumer, since: float | None) -> float | None:
        """Back-pressure: with a full batch waiting and another being stored nothing is read. After a while the
        partitions are paused, so that the group still hears from us. Returns since when it is behind."""
        if not self._flusher.busy or not self._full():
            if self.metrics.waiting:
                self.metrics.waiting = False
                self._partitions.resume()
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
            self._take(source.consume(1, POLL_S))
        else:
            self._settle(POLL_S)
        return since

    def _watch_lag(self, now_s: float) -> None:
        if now_s - self._fetched_s >= FETCHED_S:
            self._fetched_s = now_s
            self._partitions.note_fetched()
        if now_s - self._lag_known_s > LAG_OLD_S:
            self.metrics.lag = nan

    def measure_lag(self) -> None:
        """Ask the broker what it has, and note how much of that is not stored. What the last fetches said would not do:
        nothing is fetched while storing is behind, and a broker that is silent has as much as before. Any thread may
        ask.

        Raises:
            BrokerError: it does not answer; then nobody knows.
        """
        metrics = self.metrics
        try:
            metrics.lag = self._partitions.unstored()
        except BrokerError:
            metrics.lag = nan
            raise
        metrics.lag_known_ms, self._lag_known_s = self.clock(), time.monotonic()
        if not metrics.lag:
            metrics.lag_since_ms = 0
        elif not metrics.lag_since_ms:
            metrics.lag_since_ms = metrics.lag_known_ms

    def _take(self, messages: list[Message]) -> None:
        now_ms = self.clock()
        if any(map(Message.error, messages)):
            for message in messages:
                if (error := message.error()) is not None:
                    self._partitions.handle_error(message, error)
            messages = [message for message in messages if message.error() is None]
        for key, run in runs_by_partition(messages):
            self._take_run(key, run, now_ms)
        self.metrics.messages += len(messages)

    def _take_run(self, key: PartitionKey, messages: Sequence[Message], now_ms: int) -> None:
        batch = self._partitions.batches.get(key)
        if batch is None or key[0] in self.metrics.stopped:
            return
        offsets = cast(list[int], list(map(Message.offset, messages)))
        values = list(map(Message.value, messages))
        payloads = cast(list[bytes], [value or b"" for value in values] if None in values else values)
        if offsets[0] < batch.next_offset:  # fetched before a seek
            kept = [at for at, offset in enumerate(offsets) if offset >= batch.next_offset]
            offsets, payloads = [offsets[at] for at in kept], [payloads[at] for at in kept]
            if not kept:
                return
        unread = batch.unread
        self.readers[key[0]](batch, payloads, offsets, now_ms)
        bad = batch.unread - unread
        share = self._partitions.shares[key]
        share.note(len(offsets) - bad, bad, batch.dead[-1].reason if bad else "")
        try:
            share.check()
        except DeadShareError as error:
            self._partitions.stop_topic(key[0], str(error))

    def _begin_flush(self) -> None:
        batches = self._partitions.batches
        full = [(key, batch) for key, batch in batches.items() if batch.messages]
        self._flusher.begin([batch for _, batch in full])
        self._count_keys_at = MOST_KEYS
        forget = sum(len(batch.tally.senders) for batch in batches.values()) > MOST_SENDERS
        for key, batch in full:
            batches[key] = batch.next(forget=forget)

    def _settle(self, wait_s: float | None) -> bool:
        """Look at what became of the flush under way; True once there is none. Where another worker stored first,
        continue behind what that one stored."""
        done = self._flusher.finished(wait_s)
        if done is None:
            return not self._flusher.busy
        source = self._partitions.consumer
        for each in done:
            key = (each.batch.source.topic, each.batch.source.partition)
            current = self._partitions.batches.get(key)
            if current is None or current.source is not each.batch.source or source is None:
                continue
            self._partitions.stored[key] = each.stored + 1
            if not each.ours:
                log.warning(
                    "%s: another worker stored first; continuing at %s", each.batch.source.name, each.stored + 1
                )
                self._partitions.continue_behind(key)
            _commit(source, TopicPartition(*key, each.stored + 1))
        return True

    def _reopen_topics(self, stop: threading.Event) -> None:
        """Store what came, let the topics be remade if that was asked for, and open those that are there now.

        The consumer is closed meanwhile: one of librdkafka 2.16 crashes in its metadata cache when a topic it has
        read is deleted and made again, even when it is no longer assigned.
        """
        action, self._drained = self._drained, None
        while self._waiting() or self._flusher.busy:
            if self._flusher.abandoned.is_set():
                return  # what is not stored must stay in the topics: they are not to be remade
            self._settle(POLL_S)
            if not self._flusher.busy and self._waiting():
                self._begin_flush()
            if stop.is_set():
                self._flusher.ending.set()
        self._partitions.batches.clear()
        self._partitions.close()
        if action is not None:
            action()
        if not stop.is_set():
            self._open(made_by_us=action is not None)
            log.info("topics reopened under the ids %s", self._partitions.topics.ids)


def _commit(source: Consumer, where: TopicPartition) -> None:
    try:
        source.commit(offsets=[where], asynchronous=True)
    except KafkaException as error:
        log.debug("offset of %s not committed: %s", where, error)
