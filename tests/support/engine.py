"""Whether the chDB engine of this process runs, as the names of its threads show (Linux)."""

from pathlib import Path


def engine_runs() -> bool:
    """Whether there are threads of its that merge; once the last handle is closed there are none."""
    return any("MergeMutate" in name for name in _names())


def _names() -> list[str]:
    found = []
    for thread in Path("/proc/self/task").iterdir():
        try:
            found.append((thread / "comm").read_text())
        except OSError:  # it ended meanwhile
            continue
    return found
