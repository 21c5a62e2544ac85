"""What one flush changed is judged together, though it comes in several messages."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from schemas.settings import Kafka, MonitorSettings
from streams.monitor.agent import Monitor
from streams.monitor.batch import BatchJudge
from tests.support.monitors import Recorder


def test_changes_that_come_a_moment_apart_are_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.monitor.agent.GATHER_S", 0.5)
    judge = Recorder()

    async def run() -> None:
        monitor = Monitor(Kafka(), MonitorSettings(), cast(BatchJudge, judge), tmp_path, 1)
        judging = asyncio.create_task(monitor._judging())
        for customer in ("acme", "zenith"):
            await asyncio.sleep(0.01)
            monitor._work.changed([customer])
            monitor._wake.set()
        async with asyncio.timeout(30):
            while len(judge.times()) < 2:  # noqa: ASYNC110 - written by a thread
                await asyncio.sleep(0.001)
        monitor._stopping.set()
        monitor._wake.set()
        await judging

    asyncio.run(run())
    assert [batch for _, batch in judge.judged] == [["acme", "zenith"]]
