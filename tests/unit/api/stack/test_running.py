"""Threads that a stage leaves behind, and what of their end is said."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from api.stack import running


@pytest.fixture(autouse=True)
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    yield


def test_a_thread_left_behind_that_finds_the_loop_closed_is_no_fault(capfd: pytest.CaptureFixture[str]) -> None:
    over = threading.Event()
    left: list[threading.Thread] = []

    async def stage() -> None:
        loop = asyncio.get_running_loop()

        def tell_of_the_end() -> None:
            over.wait(60)
            loop.call_soon_threadsafe(print)

        left.append(threading.Thread(target=tell_of_the_end))
        left[0].start()

    running.run(stage())
    over.set()
    left[0].join(60)
    assert capfd.readouterr().err == ""


def test_a_thread_that_fails_while_the_stage_runs_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError("the disk is full")

    async def main() -> None:
        thread = threading.Thread(target=fail)
        thread.start()
        await asyncio.to_thread(thread.join, 60)

    running.run(main())
    assert "RuntimeError: the disk is full" in capfd.readouterr().err
