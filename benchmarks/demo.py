"""How much memory `repmon demo` takes: everything in one process, and the broker in another.

    python -m benchmarks.demo --seconds 60

It runs as its user starts it. Every quarter of a second the memory of all its processes is added up: resident memory,
which counts twice what two of them share; and proportional (PSS in proc(5)), which counts a shared page by its part for
each process that has it, those of others too. Both peaks are told; of the second, how much is pages of files, mostly
the store's library, which the system may take back at any time, and how much no file holds.
"""

import argparse
import re
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks import results
from benchmarks.broker import BenchmarkError
from benchmarks.measure import family
from benchmarks.process import Process
from benchmarks.results import Figure

LOOK_S = 0.25
STOP_S = 60.0


class Memory(NamedTuple):
    """Of some processes, in bytes: resident, proportional, and of the latter what no file holds and what one does."""

    resident: int = 0
    proportional: int = 0
    anonymous: int = 0
    files: int = 0

    def plus(self, other: "Memory") -> "Memory":
        """Both together."""
        return Memory(*map(sum, zip(self, other, strict=True)))


def parsed(text: str) -> Memory:
    """What /proc/PID/smaps_rollup says; its numbers are in KiB."""
    found = {name: int(size) * 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    return Memory(*(found.get(name, 0) for name in ("Rss", "Pss", "Pss_Anon", "Pss_File")))


def of_family(pid: int) -> Memory:
    """Of a process and all below it."""
    total = Memory()
    for each in family(pid):
        with suppress(OSError):
            total = total.plus(parsed(Path(f"/proc/{each}/smaps_rollup").read_text()))
    return total


def measure(seconds: int) -> list[Memory]:
    """The memory of a demo at each look, until it ends.

    Raises:
        BenchmarkError: it does not end.
    """
    samples = []
    with Process("api.cli.main", ["demo", "--for", f"{seconds}s"]) as demo:
        deadline = time.monotonic() + seconds + STOP_S
        while family_runs(demo.pid):
            samples.append(of_family(demo.pid))
            if time.monotonic() > deadline:
                raise BenchmarkError(f"the demo does not end{demo.said()}")
            demo.drain(LOOK_S)
        demo.end()
    return samples


def family_runs(pid: int) -> bool:
    """Whether a child of ours still runs: one that ended has no memory until it is waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def figures(samples: list[Memory]) -> Iterator[Figure]:
    """The peaks."""
    peak = max(samples, key=lambda each: each.proportional)
    note = f"no file holds {peak.anonymous / 1e6:,.0f}, files hold {peak.files / 1e6:,.0f}"
    yield Figure(name="peak, proportional", value=peak.proportional / 1e6, unit="MB", note=note)
    most = max(each.resident for each in samples)
    yield Figure(name="peak, resident", value=most / 1e6, unit="MB", note="pages that two processes share count twice")


def main(arguments: list[str]) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for how long it runs")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    found = list(figures(measure(chosen.seconds)))
    for each in found:
        print(f"  {each.name:<22}{each.value:>10,.0f} {each.unit}  ({each.note})")
    results.save("demo", shlex.join(["python", "-m", "benchmarks.demo", *arguments]), figures=found, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
