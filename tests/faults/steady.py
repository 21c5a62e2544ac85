"""Whether a process that runs for long stays as it is: samples of its memory, files and threads, and what they say."""

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

#: The first part of a run, in which caches fill and limits are reached (ratio): of half an hour ten minutes. A store
#: keeps parts that were merged away for eight minutes; a monitor reads what is usual, and asks about every rule once.
WARM_UP = 1 / 3
#: Looks are taken together in so many parts of the time: what goes up and down between two batches, flushes or merges
#: is within one, so that the parts may count as independent.
PARTS = 12
#: Of a normal distribution: 95 % are within so many standard deviations.
SURE = 1.96
#: What may come and go by chance between two looks.
SPARE_FILES, SPARE_THREADS = 8, 3
#: Growth that is none, of what a process usually takes: ratio an hour.
MOST_GROWTH = 0.01
#: What waits may be so many times what waited before, and so many seconds of the load besides.
MOST_LAG, SPARE_LAG_S = 1.5, 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process: `at_s` since the run began; `memory` is what no file holds, `mapped` the pages of files,
    mostly libraries, that it has looked at, which the system may take back; in bytes."""

    at_s: float
    memory: int
    files: int
    threads: int
    mapped: int = 0


@dataclass(frozen=True, slots=True)
class Slope:
    """How memory grows, as a ratio an hour of what it usually is, and between what the truth is with 95 %."""

    middle: float
    low: float
    high: float

    @property
    def said(self) -> str:
        """For people."""
        if math.isinf(self.high):
            return "too few looks to say whether memory grows"
        return f"memory grows by {self.middle:.1%} an hour (surely {self.low:.1%} to {self.high:.1%})"

    @property
    def judged(self) -> str:
        """What that says of the bound."""
        if self.low > MOST_GROWTH:
            return "grows"
        return "steady" if self.high <= MOST_GROWTH else "too uncertain to say"


def look(pid: int, at_s: float) -> Sample | None:
    """How a process is now; None if it is gone."""
    try:
        files, threads = (sum(1 for _ in Path(f"/proc/{pid}/{each}").iterdir()) for each in ("fd", "task"))
        memory, mapped = parsed(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return Sample(at_s, memory, files, threads, mapped) if memory else None


def parsed(status: str) -> tuple[int, int]:
    """Of /proc/PID/status (proc(5)): bytes of resident pages that no file holds, and of those that one does."""
    found = {name: int(size) * 1024 for name, size in re.findall(r"^Rss(\w+):\s+(\d+) kB$", status, re.MULTILINE)}
    return found.get("Anon", 0) + found.get("Shmem", 0), found.get("File", 0)


def warm(samples: Sequence[Sample], until_s: float) -> list[Sample]:
    """Those after the warm-up."""
    return [each for each in samples if each.at_s >= WARM_UP * until_s]


def growth(samples: Sequence[Sample]) -> Slope:
    """How memory grows over these looks: the median of the slopes between all pairs of parts of the time, each part by
    its median (Theil 1950, Sen 1968), which a few high looks do not move, with Sen's bounds of it by ranks."""
    parts = [part for part in _parts(samples) if part]
    looks = [(statistics.median(each.at_s for each in p), statistics.median(each.memory for each in p)) for p in parts]
    count = len(looks)
    slopes = sorted(
        3600 * (after - before) / (late - early) for (early, before), (late, after) in combinations(looks, 2)
    )
    # Of Kendall's rank correlation, of which the bounds are made.
    rank = (len(slopes) - SURE * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)) / 2
    if rank < 1:
        return Slope(0.0, -math.inf, math.inf)
    usual = statistics.median(each.memory for each in samples)
    place = int(rank) - 1
    return Slope(statistics.median(slopes) / usual, slopes[place] / usual, slopes[-1 - place] / usual)


def _parts(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Equal parts of the time."""
    parts: list[list[Sample]] = [[] for _ in range(PARTS)]
    if samples:
        began, took = samples[0].at_s, samples[-1].at_s - samples[0].at_s
        for each in samples:
            parts[min(PARTS - 1, int(PARTS * (each.at_s - began) / took)) if took else 0].append(each)
    return parts


def unsteady(name: str, samples: Sequence[Sample]) -> list[str]:
    """What of a process is not as it was: a line each. `samples` are those after the warm-up."""
    third = len(samples) // 3
    if not third:
        return [f"{name}: too few samples"]
    found = []
    slope = growth(samples)
    if slope.judged == "grows":
        found.append(f"{name}: {slope.said}")
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
