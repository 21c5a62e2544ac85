"""Where a full batch waits, it is read while the one before is judged: by a judge that only takes down what it did."""

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.settings import Kafka, MonitorSettings
from streams.io.store import StoreError
from streams.monitor.agent import Monitor
from streams.monitor.ahead import ReadAhead
from streams.monitor.batch import BatchJudge, BatchResult
from streams.monitor.totals import JudgingTotals

NOBODY: Any = None


class Judge:
    """Judges the first batch only once something was read ahead, if anything is to be."""

    def __init__(self, *, reads_ahead: bool = True) -> None:
        self.reads_ahead = reads_ahead
        self.metrics = JudgingTotals()
        self.failing: list[str] = []
        self.reading = threading.Event()
        #: Who was judged, and whether by what was read ahead for them.
        self.judged: list[tuple[str, bool]] = []

    def read_ahead(self, customers: list[str], now_ms: int) -> ReadAhead:
        self.reading.set()
        self._fail("reading")
        return ReadAhead(customers, now_ms, {}, NOBODY, [], 0)

    def judge_customers(self, customers: list[str], now_ms: int, ahead: ReadAhead | None = None) -> BatchResult:
        if self.reads_ahead:
            assert self.reading.wait(30), "the next batch is read meanwhile"
        assert ahead is None or (ahead.customers, ahead.now_ms) == (customers, now_ms)
        self._fail("judging" if ahead else "")
        self.judged.append(("".join(customers), ahead is not None))
        return BatchResult()

    def _fail(self, what: str) -> None:
        if what in self.failing:
            self.failing.remove(what)
            raise StoreError("switched off")


def judged(judge: Judge, folder: Path, changed: str, also: str = "") -> list[tuple[str, bool]]:
    """Two at a time, until all have been."""

    async def run() -> None:
        settings = MonitorSettings(batch=2, min_batch_interval_s=0.0, judge_every_s=0.01)
        monitor = Monitor(Kafka(), settings, cast(BatchJudge, judge), folder, 1)
        monitor._work.changed(changed)
        judging = asyncio.create_task(monitor._judging())
        async with asyncio.timeout(30):
            while judge.metrics.last_batch_ms == 0:  # noqa: ASYNC110 - written by a task
                await asyncio.sleep(0.001)
            monitor._work.changed(also)
            while sum(len(each) for each, _ in judge.judged) < len(changed + also):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        monitor._stopping.set()
        monitor._wake.set()
        await judging

    asyncio.run(run())
    return judge.judged


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.monitor.agent.RETRY_S", (0.001, 0.001))


def test_full_batch_is_read_while_the_one_before_is_judged_and_less_is_not(tmp_path: Path) -> None:
    assert judged(Judge(), tmp_path, "abcde") == [("ab", False), ("cd", True), ("e", False)]


def test_without_a_connection_for_it_nothing_is_read_ahead(tmp_path: Path) -> None:
    assert judged(Judge(reads_ahead=False), tmp_path, "abcd") == [("ab", False), ("cd", False)]


@pytest.mark.parametrize("what", ["reading", "judging"])
def test_batch_that_failed_is_read_when_it_is_judged(tmp_path: Path, what: str) -> None:
    judge = Judge()
    judge.failing.append(what)
    assert judged(judge, tmp_path, "abcd") == [("ab", False), ("cd", False)]


def test_who_changes_after_being_taken_ahead_is_judged_once_more(tmp_path: Path) -> None:
    """What was read does not have that change."""
    found = judged(Judge(), tmp_path, "abcd", "c")
    assert found[:2] == [("ab", False), ("cd", True)]
    assert found[2:] == [("c", False)]
