"""Waiting for a condition, with a deadline.

One that takes a while to ask, such as a query, is asked less often: who waits leaves nine tenths of a core to
what is waited for.
"""

import asyncio
import time
from collections.abc import Callable

#: Between two questions, in s, and how many times as long as one took.
PAUSE_S, TIMES = 0.02, 8


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = 30.0) -> None:
    """Return once `condition` holds; fail naming `what` after `deadline_s`."""
    end = time.monotonic() + deadline_s
    asked = time.monotonic()
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:g} s in vain for {what}")
        time.sleep(pause_s(asked))
        asked = time.monotonic()


async def until(condition: Callable[[], bool], what: str, deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    asked = time.monotonic()
    while not condition():
        assert time.monotonic() < end, f"waited {deadline_s:g} s in vain for {what}"
        await asyncio.sleep(pause_s(asked))
        asked = time.monotonic()


def pause_s(asked: float, least_s: float = PAUSE_S) -> float:
    """How long to wait, in s, before a condition is asked again that was asked at `asked` (monotonic, s)."""
    return max(least_s, min(0.5, TIMES * (time.monotonic() - asked)))
