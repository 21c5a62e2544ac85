"""Lengths of time, the clock, and epoch times as the store takes them. Everything is UTC."""

from datetime import UTC, datetime
from time import time_ns

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
#: The letters by which lengths of time are written in policies and settings.
UNIT_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
#: Later than any time that the store can tell: the largest number of 32 bits (2106-02-07, epoch s).
FOREVER_S = 2**32 - 1


def utc_now_ms() -> int:
    """The time now, epoch ms. Only the edges ask for it: what decides has the time passed in."""
    return time_ns() // 1_000_000


def utc_time(ms: float) -> datetime:
    """Epoch ms as a time with its zone."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def epoch_ms(time: int | datetime) -> int:
    """Epoch ms of a time as it stands in an event: a number is that already, and a time without an offset is UTC."""
    if isinstance(time, int):
        return time
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)
