"""How fast a monitor reads changed customers from the topic: one a message, and many."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from benchmarks.results import Figure
from jobs.embedded.broker import EmbeddedBroker
from jobs.setup.topics import remake_topics
from schemas import topics
from schemas.alert import AlertEvent
from schemas.change import Change
from schemas.settings import Kafka, MonitorSettings
from streams.io.broker import Publisher
from streams.io.changes import messages, partition_of
from streams.monitor.agent import Monitor
from streams.monitor.batch import BatchJudge, BatchResult

LAST_S = 120.0
MANY = 10


class Idle:
    """A judge without work: what is measured is what comes before judging."""

    reads_ahead = False

    def __init__(self) -> None:
        self.judged = 0

    def judge_customers(self, customers: list[str], _now_ms: int) -> BatchResult:
        self.judged += len(customers)
        return BatchResult()

    def everybody(self, _now_ms: int) -> set[str]:
        return set()

    def not_good(self) -> set[str]:
        return set()

    def judge_pools(self, _now_ms: int) -> list[AlertEvent]:
        return []

    def forget(self) -> None:
        """Nothing is kept."""


def changes_read(count: int) -> Iterator[Figure]:
    """`count` changes one a message, then ten times as many, many to a message."""
    with tempfile.TemporaryDirectory(prefix="repmon-changes-") as folder:
        broker = EmbeddedBroker(0, Path(folder) / "broker.log")
        broker.start()
        try:
            for many in (False, True):
                customers = [f"customer-{number}" for number in range(count * MANY if many else count)]
                seconds = asyncio.run(_read(broker.kafka, customers, many, Path(folder) / str(many)))
                yield Figure(
                    name=f"changes read, {'many' if many else 'one'} to a message",
                    value=len(customers) / seconds,
                    unit="customers/s",
                    note="from the embedded broker through Faust to the judge",
                )
        finally:
            broker.stop()


async def _read(kafka: Kafka, customers: list[str], many: bool, folder: Path) -> float:
    """Seconds from the first customer that reaches the judge to the last."""
    kafka = msgspec.structs.replace(kafka, group=f"changes-{many}")
    specs = topics.load_topics()
    remake_topics(kafka, list(specs.values()))
    partitions = specs[topics.REPUTATION_CHANGES].partitions
    publisher = Publisher(kafka)
    if many:
        for key, value, partition in messages(customers, 0, partitions):
            publisher.publish(topics.REPUTATION_CHANGES, key, value, partition)
    else:
        for each in customers:
            value = msgspec.json.encode(Change(customer=each, stored_ms=0))
            publisher.publish(topics.REPUTATION_CHANGES, each.encode(), value, partition_of(each, partitions))
    publisher.flush(60)
    judge: Any = Idle()
    monitor = Monitor(kafka, MonitorSettings(min_batch_interval_s=0.001), cast(BatchJudge, judge), folder, partitions)
    await monitor.start()
    deadline = time.monotonic() + LAST_S
    began, first = 0.0, 0
    try:
        while judge.judged < len(customers):
            if judge.judged and not began:
                began, first = time.monotonic(), judge.judged
            if time.monotonic() > deadline:
                raise TimeoutError(f"{judge.judged:,} of {len(customers):,} customers were read in {LAST_S:g} s")
            await asyncio.sleep(0.001)
        # Those that came with the first look count neither way.
        return (time.monotonic() - began) * len(customers) / max(1, len(customers) - first)
    finally:
        await monitor.stop(10)
