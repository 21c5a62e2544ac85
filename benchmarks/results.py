"""What a benchmark found, as it is kept: one JSON file each in `benchmarks/results`, from which the report is made."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

FOLDER = Path(__file__).with_name("results")
#: Where a small trial run leaves its files: not tracked.
TRIAL_FOLDER = Path(__file__).parents[1] / "target" / "bench-quick"
PACKAGES = ("confluent-kafka", "msgspec", "chdb", "clickhouse-connect", "faust-streaming")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on: nothing that names the machine itself."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One contender, once.

    `seconds` are from the first message taken to the last one done, `cpu_seconds` (user and system, with children)
    are used in that time, `peak_bytes` is resident memory with children. `store_cpu_seconds` and
    `store_peak_bytes` are those of a store in a process of its own. `bytes` are the values of the messages.
    """

    contender: str
    events: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    bytes: int = 0
    workers: int = 1
    store_cpu_seconds: float = 0.0
    store_peak_bytes: int = 0

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_per_million(self) -> float:
        """Processor seconds a million events."""
        return self.cpu_seconds / self.events * 1e6


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number by itself. `unit` follows it; `note` says what it is of."""

    name: str
    value: float
    unit: str
    note: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All that one benchmark found, by its runs or in single figures. `name` is the file's, `command` repeats it."""

    name: str
    command: str
    date: str
    commit: str
    machine: Machine
    runs: list[Run] = []
    figures: list[Figure] = []


def save(
    name: str, command: str, runs: list[Run] | None = None, figures: list[Figure] | None = None, *, trial: bool = False
) -> Path:
    """Write a benchmark's file again; a trial's goes elsewhere, so that it replaces no real one."""
    result = Result(
        name=name,
        command=command,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        commit=_commit(),
        machine=machine(),
        runs=runs or [],
        figures=figures or [],
    )
    folder = TRIAL_FOLDER if trial else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return file


def load(folder: Path) -> dict[str, Result]:
    """All results of a folder by name."""
    found = (msgspec.json.decode(file.read_bytes(), type=Result) for file in sorted(folder.glob("*.json")))
    return {each.name: each for each in found}


def machine() -> Machine:
    """This machine."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(
        processor=_first(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)") or platform.machine(),
        cores=os.cpu_count() or 1,
        memory_gib=round(int(_first(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)") or 0) / 2**20, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages=packages,
    )


def _first(file: Path, pattern: str) -> str:
    try:
        found = re.search(pattern, file.read_text())
    except OSError:
        return ""
    return found[1].strip() if found else ""


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
