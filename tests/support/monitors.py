"""A monitor around a judge that records who is judged."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from schemas import settings as all_settings
from schemas.alert import AlertEvent
from schemas.settings import Kafka
from streams.monitor.agent import Monitor
from streams.monitor.batch import BatchJudge, BatchResult
from streams.monitor.totals import JudgingTotals
from tests.support.changes import PARTITIONS

HOUR_S = 3_600.0


class Recorder:
    """Stands in for the judge: records who is judged, knows everybody, and fails as often as it is asked to."""

    reads_ahead = False

    def __init__(self, everybody: Iterable[str] = (), not_good: Iterable[str] = ()) -> None:
        self.judged: list[tuple[float, list[str]]] = []
        self.known = set(everybody)
        self.bad = set(not_good)
        self.failures: list[Exception] = []
        self.again_ms = 0
        self.forgotten = 0
        self.pools = 0
        self.metrics = JudgingTotals()

    def judge_customers(self, customers: list[str], now_ms: int) -> BatchResult:
        if self.failures:
            raise self.failures.pop()
        self.judged.append((time.monotonic(), customers))
        return BatchResult(again=[(each, now_ms + self.again_ms) for each in customers if self.again_ms])

    def everybody(self, _now_ms: int) -> set[str]:
        return self.known

    def not_good(self) -> set[str]:
        return self.bad

    def judge_pools(self, _now_ms: int) -> list[AlertEvent]:
        self.pools += 1
        return []

    def forget(self) -> None:
        self.forgotten += 1

    def times(self) -> Counter[str]:
        return Counter(name for _, batch in self.judged for name in batch)


@asynccontextmanager
async def running(kafka: Kafka, judge: Recorder, folder: Path, **settings: Any) -> AsyncIterator[Monitor]:
    every_s = settings.get("judge_every_s", HOUR_S)
    # Few customers change here, and those would be judged again sooner.
    given = {"judge_every_s": every_s, "cooldown_idle_s": every_s, "sweep_s": HOUR_S, "min_batch_interval_s": 0.01}
    causes = settings.pop("refresh_causes", None)
    failed = {"failed": settings.pop("failed")} if "failed" in settings else {}
    chosen = all_settings.MonitorSettings(**{**given, **settings})
    monitor = Monitor(kafka, chosen, cast(BatchJudge, judge), folder, PARTITIONS, refresh_causes=causes, **failed)
    await monitor.start()
    try:
        yield monitor
    finally:
        assert await monitor.stop(10)
