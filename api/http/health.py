"""The health of the stages of this process, as it is served: what is seen of their parts, and the numbers of that.

Broker and store are asked again and again, each on a thread of its own, whether or not anybody wants to know.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka.admin import AdminClient

from jobs.blocklists.metrics import ScanMetrics
from schemas.settings import ClickHouse, Kafka, Settings
from schemas.times import utc_now_ms
from streams.intake.metrics import IngestMetrics
from streams.io.broker import admin, topic_states
from streams.io.health import Disk, Flushing, HealthLimits, HealthVerdict, Judging, Observations, verdict
from streams.io.instrument import gauge
from streams.io.pulse import Pulse
from streams.io.store import Store, StoreError, open_store
from streams.monitor.totals import JudgingTotals

#: How often broker and store are asked, and how long each may take, in s.
EVERY_S = 3.0
ANSWER_S = 5.0
#: The disk with the smallest part of it free; one whose room nobody knows, as that of an object store, has none.
DISKS = """
SELECT path, toUInt64(free_space), toUInt64(total_space) FROM system.disks
WHERE total_space > 0 AND total_space < 1e18 ORDER BY free_space / total_space LIMIT 1
"""


@dataclass
class PartsMetrics:
    """What a stage sees of what it needs."""

    broker_answered_ms: int = gauge("When the broker last answered (epoch ms, UTC); 0 where it is not asked.")
    missing_topics: int = gauge("Topics that the broker does not have.")
    store_answered_ms: int = gauge("When the store last answered (epoch ms, UTC); 0 where it is not asked.")
    disk_free_bytes: int = gauge("Room left on the store's disk; 0 where nobody knows.")
    disk_total_bytes: int = gauge("Size of the store's disk; 0 where nobody knows.")


class BrokerQuestion:
    """Which of some topics are missing, and since when that is known (epoch ms)."""

    def __init__(self, kafka: Kafka, topics: Sequence[str], clock: Callable[[], int]) -> None:
        self._kafka = kafka
        self._topics = tuple(topics)
        self._clock = clock
        self._client: AdminClient | None = None
        self._missing: dict[str, int] = {}

    def __call__(self) -> tuple[tuple[str, int], ...]:
        """Ask.

        Raises:
            BrokerError: no answer.
        """
        self._client = self._client or admin(self._kafka, ANSWER_S)
        found = topic_states(self._client, self._topics, ANSWER_S)
        now_ms = self._clock()
        self._missing = {name: self._missing.get(name, now_ms) for name in self._topics if name not in found}
        return tuple(self._missing.items())


class StoreQuestion:
    """How much room the store has; None where it does not say."""

    def __init__(self, settings: ClickHouse) -> None:
        self._settings = msgspec.structs.replace(settings, timeout_s=min(settings.timeout_s, ANSWER_S))
        self._store: Store | None = None

    def __call__(self) -> Disk | None:
        """Ask.

        Raises:
            StoreError: no answer.
        """
        self._store = self._store or open_store(self._settings)
        try:
            self._store.rows("SELECT 1")
        except StoreError:
            self.close()
            raise
        return self.disk_of(self._store)

    def close(self) -> None:
        """Give the connection back."""
        opened, self._store = self._store, None
        if opened is not None:
            opened.close()

    def disk_of(self, store: Store) -> Disk | None:
        """The room that a store has; None where it does not say."""
        if self._settings.path:
            return room(self._settings.path)
        try:
            found = store.rows(DISKS)
        except StoreError:  # a user who may not read it
            return None
        return next(
            (Disk(where=str(path), free_bytes=int(free), total_bytes=int(of)) for path, free, of in found), None
        )


def room(folder: str) -> Disk | None:
    """The room on the disk of a folder; None where it has none yet."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Disk(where=folder, free_bytes=found.f_bavail * found.f_frsize, total_bytes=found.f_blocks * found.f_frsize)


class StageHealth:
    """What is seen of the stages of one process. Questions are asked from `start` to `stop`.

    `topics` are those that must be there; without any, the broker is not asked. `numbers` are the metrics of the stages
    by their names; a stage that is not among them yet is starting, where it is one of `awaited`.
    """

    def __init__(
        self,
        stage: str,
        settings: Settings,
        topics: Sequence[str] = (),
        *,
        store: bool = True,
        awaited: Sequence[str] = (),
        limits: HealthLimits | None = None,
        every_s: float = EVERY_S,
        clock: Callable[[], int] = utc_now_ms,
    ) -> None:
        least_free = settings.metrics.least_free_mb * 1_000_000
        self.stage = stage
        self.numbers: dict[str, Any] = {}
        self.limits = limits or HealthLimits(least_free_bytes=least_free)
        self._awaited = tuple(awaited)
        self._clock = clock
        self._began_ms = clock()
        self._broker = (
            Pulse("ask broker", BrokerQuestion(settings.kafka, topics, clock), every_s, clock) if topics else None
        )
        self._store_question = StoreQuestion(settings.clickhouse)
        self._store = Pulse("ask store", self._store_question, every_s, clock) if store else None

    def start(self) -> None:
        """Begin to ask."""
        self._began_ms = self._clock()
        for each in (self._broker, self._store):
            if each is not None:
                each.start()

    def stop(self) -> None:
        """Ask no more."""
        if self._broker is not None:
            self._broker.stop()
        if self._store is not None and self._store.stop():
            self._store_question.close()

    def observed(self) -> Observations:
        """What is seen now."""
        broker, store = self._broker, self._store
        return Observations(
            now_ms=self._clock(),
            starting=any(name not in self.numbers for name in self._awaited),
            broker=broker.contact if broker else None,
            missing=(broker.value or ()) if broker else (),
            store=store.contact if store else None,
            disk=store.value if store else None,
            **seen_of(self.numbers, self._began_ms),
        )

    def verdict(self) -> HealthVerdict:
        """What is wrong now."""
        return verdict(self.stage, self.observed(), self.limits)

    def metrics(self) -> Mapping[str, Any]:
        """The numbers of the stages, and of what they need, as `health`."""
        return {**self.numbers, "health": parts_metrics(self.observed())}


def parts_metrics(seen: Observations) -> PartsMetrics:
    """What is seen, as numbers."""
    return PartsMetrics(
        broker_answered_ms=seen.broker.answered_ms if seen.broker else 0,
        missing_topics=len(seen.missing),
        store_answered_ms=seen.store.answered_ms if seen.store else 0,
        disk_free_bytes=seen.disk.free_bytes if seen.disk else 0,
        disk_total_bytes=seen.disk.total_bytes if seen.disk else 0,
    )


def seen_of(numbers: Mapping[str, Any], began_ms: int) -> dict[str, Any]:
    """What the numbers of stages that run since then (epoch ms) say of their work, by the names of `Observations`."""
    found: dict[str, Any] = {}
    for each in numbers.values():
        if isinstance(each, IngestMetrics):
            found["flushing"] = Flushing(
                unstored=each.lag,
                last_ms=max(began_ms, each.last_stored_ms, each.lag_since_ms),
                trouble=each.trouble,
                stopped=tuple(each.stopped.values()),
                deleted=tuple(each.deleted.items()),
            )
        elif isinstance(each, JudgingTotals):
            found["judging"] = Judging(since_ms=each.judging_since_ms, trouble=each.trouble)
        elif isinstance(each, ScanMetrics):
            found["scan_due_ms"] = max(began_ms, each.last_scan_ms, each.due_ms)
    return found
