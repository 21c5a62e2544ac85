"""Waiting for a condition, with a deadline."""

import asyncio
import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], what: str, deadline_s: float = 30.0) -> None:
    """Return once `condition` holds; fail naming `what` after `deadline_s`."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:g} s in vain for {what}")
        time.sleep(0.02)


async def until(condition: Callable[[], bool], what: str, deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"waited {deadline_s:g} s in vain for {what}"
        await asyncio.sleep(0.02)
