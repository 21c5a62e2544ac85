"""How long the timers of a monitor rest: by what their own questions took; and that they end when asked to."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.settings import Kafka, MonitorSettings
from streams.monitor.agent import Monitor
from streams.monitor.timers import pools_rest_s


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> str:
        self.now += seconds
        return "asked"


@pytest.mark.parametrize(
    ("took_s", "rest_s"), [(0.0, 15.0), (0.5, 15.0), (1.0, 20.0), (5.0, 100.0), (10.0, 120.0), (30.0, 270.0)]
)
def test_pools_are_judged_for_a_small_part_of_the_time_but_often(took_s: float, rest_s: float) -> None:
    assert pools_rest_s(took_s, 15.0) == rest_s


def test_waiting_for_others_in_the_thread_is_no_time_that_a_question_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pools were judged again only after twenty times as long as many customers were judged before them."""
    clock = Clock()
    monkeypatch.setattr("streams.monitor.agent._seconds", clock)
    judge: Any = None
    monitor = Monitor(Kafka(), MonitorSettings(), judge, tmp_path, 1)
    free = threading.Event()

    def many() -> str:
        assert free.wait(30)
        return clock.passes(100.0)

    async def run() -> tuple[str, float]:
        others = asyncio.create_task(monitor._asked(many))
        mine = asyncio.create_task(monitor._timed(lambda: clock.passes(2.0)))
        await asyncio.sleep(0)
        free.set()
        await others
        return await mine

    assert asyncio.run(run()) == ("asked", 2.0)


@pytest.mark.parametrize("steps", range(6))
def test_timer_that_is_woken_as_it_is_to_end_ends(tmp_path: Path, steps: int) -> None:
    """As when a monitor is stopped that has just been given partitions: whichever of both comes first, and however many
    steps of the loop lie in between."""
    judge: Any = SimpleNamespace(everybody=lambda _now_ms: [])

    async def run() -> None:
        monitor = Monitor(Kafka(), MonitorSettings(), judge, tmp_path, 1)
        timer = asyncio.create_task(monitor._timers.everybody())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        monitor._gained.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        timer.cancel()
        await asyncio.wait({timer}, timeout=10)
        assert timer.cancelled()

    asyncio.run(run())
