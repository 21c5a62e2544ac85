"""What all benchmarks share: memory of a process and its children, percentiles, the machine's name."""

import os
import platform
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

LOOK_S = 0.1


class Peak:
    """Watches the resident memory of this process and all below it while the `with` block runs."""

    def __init__(self, pid: int | None = None) -> None:
        self._pid = os.getpid() if pid is None else pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        #: The highest sum seen, in bytes.
        self.bytes = 0

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, sum(map(resident, family(self._pid))))
            if self._over.wait(LOOK_S):
                return


def family(pid: int) -> list[int]:
    """A process and all below it, as far as they still run."""
    found = [pid]
    for each in found:
        # Processes and threads may end while they are looked at.
        with suppress(OSError):
            for thread in Path(f"/proc/{each}/task").iterdir():
                with suppress(OSError):
                    found += map(int, (thread / "children").read_text().split())
    return found


def resident(pid: int) -> int:
    """Resident memory in bytes; 0 for a process that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent of the values do not exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def cores() -> str:
    """The machine, in a few words."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"
