"""Whether a process that runs for long stays as it is: samples of its memory, files and threads, and what they say."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import resident

#: The first part of a run, in which caches fill and limits are reached (ratio).
WARM_UP = 1 / 3
#: What may come and go by chance between two looks.
SPARE_FILES, SPARE_THREADS = 8, 3
#: Growth that is none: ratio an hour.
MOST_GROWTH = 0.01
#: What waits may be so many times what waited before, and so many seconds of the load besides.
MOST_LAG, SPARE_LAG_S = 1.5, 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process: `at_s` since the run began, memory in bytes."""

    at_s: float
    memory: int
    files: int
    threads: int


def look(pid: int, at_s: float) -> Sample | None:
    """How a process is now; None if it is gone."""
    try:
        files, threads = (sum(1 for _ in Path(f"/proc/{pid}/{each}").iterdir()) for each in ("fd", "task"))
    except OSError:
        return None
    memory = resident(pid)
    return Sample(at_s, memory, files, threads) if memory else None


def warm(samples: Sequence[Sample], until_s: float) -> list[Sample]:
    """Those after the warm-up."""
    return [each for each in samples if each.at_s >= WARM_UP * until_s]


def growth(samples: Sequence[Sample]) -> tuple[float, float]:
    """How memory grows, as a ratio an hour of what it is in the middle, and how uncertain that is (twice its standard
    error): the median of the slopes from each sample of the first half to its like in the second (after Theil and Sen),
    which a few high samples do not move. The error is that of a median, by the median deviation. 0 and infinity where
    there are too few samples to say."""
    half = len(samples) // 2
    slopes = [
        3600 * (late.memory - early.memory) / (late.at_s - early.at_s)
        for early, late in zip(samples[:half], samples[-half:], strict=True)
        if late.at_s > early.at_s
    ]
    if not slopes:
        return 0.0, math.inf
    usual = statistics.median(each.memory for each in samples)
    middle = statistics.median(slopes)
    spread = 1.4826 * statistics.median(abs(each - middle) for each in slopes)
    return middle / usual, 2 * 1.2533 * spread / math.sqrt(len(slopes)) / usual


def unsteady(name: str, samples: Sequence[Sample]) -> list[str]:
    """What of a process is not as it was: a line each. `samples` are those after the warm-up."""
    third = len(samples) // 3
    if not third:
        return [f"{name}: too few samples"]
    found = []
    grown, error = growth(samples)
    if grown - error > MOST_GROWTH:
        found.append(f"{name}: memory grows by {grown:.1%} an hour, give or take {error:.1%}")
    first, last = samples[:third], samples[-third:]
    for what, spare in (("files", SPARE_FILES), ("threads", SPARE_THREADS)):
        before, after = (max(int(getattr(each, what)) for each in part) for part in (first, last))
        if after > before + spare:
            found.append(f"{name}: {before} {what} became {after}")
    return found


def lagging(lags: Sequence[float], rate: float) -> list[str]:
    """Whether more waits at the end than at the beginning: `lags` are events that wait, after the warm-up."""
    third = len(lags) // 3
    if not third:
        return ["lag: too few samples"]
    before, after = statistics.median(lags[:third]), statistics.median(lags[-third:])
    if after > MOST_LAG * before + SPARE_LAG_S * rate:
        return [f"lag: {before:,.0f} events waited, then {after:,.0f}"]
    return []
