"""The thread that stores: one flush at a time, tried until the store answers, then the changed customers announced.

The consumer keeps taking messages meanwhile. Everything that asks the store runs on this one thread, so a worker has
one connection. What became of a flush goes back to the consumer's thread: only there may offsets be committed and
partitions moved.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.times import FOREVER_S
from schemas.topics import DEAD_LETTERS, REPUTATION_CHANGES
from streams.intake.batch import Batch
from streams.intake.flush import Flushed, flush
from streams.intake.message_senders import name_senders
from streams.intake.metrics import IngestMetrics
from streams.intake.refusals import Refused
from streams.intake.stored_refusals import refresh
from streams.io import tracing
from streams.io.broker import BrokerError, Publisher, UnacknowledgedError
from streams.io.changes import AnnouncementThrottle, messages
from streams.io.store import Store, StoreError
from streams.listings.intervals import USED_WITHIN_S
from streams.listings.resource_use import customers_of

log = logging.getLogger("repmon.flush")

#: Retry waits after a failure, with full jitter: first, and at most.
RETRY_S = (0.2, 10.0)
#: How often a flush is tried once the worker is ending.
LAST_TRIES = 5
LAST_WAIT_S = 0.5
#: How long dead letters may wait for the broker before that is logged, and waited for again.
ACKNOWLEDGED_S = 5.0
#: Who was announced so much less (ms) than the debounce ago is due all the same: flushes come about as far apart as
#: that is long, and one that begins a few ms early would leave its customers to the next.
EARLY_MS = 200

T = TypeVar("T")


class Flusher:
    """Stores batches and announces whose counts changed. `ending` makes it try no longer than a few times."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        change_debounce_s: float,
        metrics: IngestMetrics,
        clock: Callable[[], int],
        refused: Refused | None = None,
        *,
        lease_s: float,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._partitions = publisher.partitions(REPUTATION_CHANGES)
        self._changed = AnnouncementThrottle(max(0, int(change_debounce_s * 1000) - EARLY_MS))
        #: Of each source the ids known, the bytes they take, and the errors expected of them.
        self._seen: dict[str, tuple[int, int, float]] = {}
        self._metrics = metrics
        self._clock = clock
        self._refused = refused
        self._lease_s = lease_s
        self._thread = ThreadPoolExecutor(1, "flush")
        self._running: Future[list[Flushed]] | None = None
        self.ending = threading.Event()
        #: What fails then is not tried again.
        self.abandoned = threading.Event()
        #: Whether the worker is asked to stop: questions are then given up, as nobody waits for their answers.
        self.stopped: Callable[[], bool] = self.ending.is_set

    @property
    def busy(self) -> bool:
        """Whether a flush is under way or its outcome not yet asked for."""
        return self._running is not None

    def begin(self, batches: Sequence[Batch]) -> None:
        """Store these batches; only when not `busy`."""
        self._running = self._thread.submit(self._flush, list(batches))

    def finished(self, wait_s: float | None = 0.0) -> list[Flushed] | None:
        """What became of the batches begun last, or None while they are not stored.

        Raises:
            StoreError, BrokerError: it was given up, since the worker is ending.
        """
        if self._running is None or not wait([self._running], wait_s).done:
            return None
        done, self._running = self._running, None
        return done.result()

    def ask(self, question: Callable[[Store], T]) -> T:
        """Ask the store, again and again until it answers; waits for the flush under way.

        Raises:
            StoreError: it was given up, since the worker is to stop.
        """
        return self._thread.submit(self._retried, lambda: question(self._store), self.stopped).result()

    def close(self) -> None:
        """End the thread once it is through."""
        self._thread.shutdown()

    def _flush(self, batches: list[Batch]) -> list[Flushed]:
        began, now_ms = time.monotonic(), self._clock()
        refused = self._refused
        if refused is not None:
            self._retried(lambda: refresh(refused, self._store, now_ms))
        if any(batch.unnamed for batch in batches):
            self._retried(lambda: name_senders(self._store, batches, now_ms))
        dead = [letter for batch in batches for letter in batch.dead]
        if dead:
            self._retried(lambda: self._set_aside(dead))
        flushed = self._retried(lambda: flush(self._store, batches, now_ms, lease_s=self._lease_s)) if batches else []
        listed = {(event.kind, event.resource) for batch in batches for _, event in batch.listings}
        for each in flushed:
            self._changed.pending |= each.batch.customers
            self._note(each)
        if tracing.ACTIVE is not None:
            done = [(each.batch.source.name, each.batch) for each in flushed if each.ours]
            tracing.ACTIVE.note_flush(
                time.monotonic() - began, [(name, batch.position, batch.next_offset - 1) for name, batch in done]
            )
        if listed:
            now_s = now_ms // 1000
            self._changed.pending |= self._retried(
                lambda: customers_of(self._store, listed, now_s - USED_WITHIN_S, FOREVER_S)
            )
        self._announce(now_ms)
        if batches:
            self._metrics.last_stored_ms = now_ms
            self._metrics.flush_seconds = time.monotonic() - began
            self._metrics.flush_seconds_total += self._metrics.flush_seconds
        return flushed

    def _note(self, flushed: Flushed) -> None:
        """Add what became of one batch to the numbers of the worker."""
        metrics = self._metrics
        if not flushed.ours:
            metrics.fenced += 1
            return
        batch, unseen, seen = flushed.batch, flushed.batch.unseen, flushed.batch.source.seen
        metrics.flushes += 1
        metrics.flush_messages = batch.messages
        metrics.stored += batch.messages
        metrics.dead_letters += len(batch.dead)
        metrics.refused_customers += batch.not_admitted
        if (gate := batch.tally.senders.gate) is not None and gate.refused:
            metrics.refused_names += gate.take_refused()
        if unseen is not None:
            metrics.duplicates += unseen.duplicates
            metrics.negative_duplicates += unseen.negative_duplicates
        metrics.forgotten_ids += seen.take_forgotten()
        if (earlier := batch.source.earlier) is not None:
            metrics.forgotten_ids += earlier.take_forgotten()
        self._seen[batch.source.name] = (seen.known, seen.memory_bytes, seen.expected_errors)
        metrics.known_ids = sum(known for known, _, _ in self._seen.values())
        metrics.known_ids_bytes = sum(size for _, size, _ in self._seen.values())
        metrics.expected_errors = sum(errors for _, _, errors in self._seen.values())

    def _set_aside(self, dead: Sequence[DeadLetter]) -> None:
        for letter in dead:
            self._publisher.publish(DEAD_LETTERS, letter.topic.encode(), msgspec.json.encode(letter))
        while not self._acknowledged():
            log.warning("%s; waiting on", self._metrics.trouble)
            if self.ending.is_set():
                raise UnacknowledgedError(self._metrics.trouble)

    def _acknowledged(self) -> bool:
        """Unacknowledged messages are still in the client's queue: sending them again is not wanted."""
        try:
            self._publisher.flush(ACKNOWLEDGED_S)
        except UnacknowledgedError as error:
            self._metrics.trouble = str(error)
            return False
        return True

    def _announce(self, now_ms: int) -> None:
        # What is not due yet when the worker ends would never be.
        changed = self._changed.rest() if self.ending.is_set() else self._changed.due(now_ms)
        values = []
        for each in messages(changed, now_ms, self._partitions):
            values.append(each.value)
            self._publisher.publish(REPUTATION_CHANGES, each.key, each.value, each.partition)
        if tracing.ACTIVE is not None and values:
            tracing.ACTIVE.note_announced(values)

    def _retried(self, action: Callable[[], T], over: Callable[[], bool] | None = None) -> T:
        """Try until store and broker answer, waiting longer each time, or until it is `over`."""
        over = over or self.ending.is_set
        tries, longest = 0, RETRY_S[0]
        while True:
            try:
                result = action()
            except (StoreError, BrokerError) as error:
                tries += 1
                self._metrics.store_failures += 1
                self._metrics.trouble = str(error)
                if over() and (tries >= LAST_TRIES or self.abandoned.is_set()):
                    raise
                log.warning("%s; trying again in at most %.1f s", error, longest)
                pause = random.uniform(0, longest)
                if over():
                    time.sleep(min(pause, LAST_WAIT_S))
                else:
                    self.ending.wait(pause)
                longest = min(longest * 2, RETRY_S[1])
            else:
                self._metrics.trouble = ""
                return result
