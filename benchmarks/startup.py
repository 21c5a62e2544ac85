"""How long commands take to start, beside a bare `python -c pass`, and what memory they take.

    python -m benchmarks.startup

Each command is run in its turn, round after round, so that whatever else the machine does meets all of them. The
smallest time counts: it is the one with the least of that in it. `repmon alerts` asks a `repmon up` in which a few
customers were simulated.

Beside the interpreter that runs this, in which the project may be installed for editing, it is measured in an
environment of its own with the wheel installed: without the finder that an editable install loads at each start.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import results
from benchmarks.measure import cores
from benchmarks.results import Figure
from jobs.embedded.folder import RUNNING
from schemas.policy import default_file

ROUNDS = 20
BARE = "python -c pass"
ROOT = Path(__file__).parents[1]
#: So many alerts are printed.
ALERTS = 10
#: How long `up` may take to be reached, and to send them, in s.
UP_S = 180.0


#: Runs a command and prints what it took. A process counts the memory of the one that started it as its own, so that
#: one is as small as can be.
LAUNCH = """
import json, os, sys, time
nothing = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
began = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=nothing)
_, status, used = os.wait4(pid, 0)
took = time.perf_counter() - began
print(json.dumps([took, used.ru_utime + used.ru_stime, used.ru_maxrss, os.waitstatus_to_exitcode(status)]))
"""


class Took(NamedTuple):
    """The least that one command took: seconds on the clock, seconds of processor time, bytes of resident memory."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def commands(scripts: Path, data: Path) -> dict[str, list[str]]:
    """What is measured, each as its arguments; `scripts` is the folder of the interpreter and of `repmon`."""
    repmon = str(scripts / "repmon")
    return {
        BARE: [str(scripts / "python"), "-c", "pass"],
        "repmon --help": [repmon, "--help"],
        "repmon --version": [repmon, "--version"],
        "repmon policy check": [repmon, "policy", "check", str(default_file())],
        "repmon alerts": [repmon, "--data", str(data), "alerts", "--limit", str(ALERTS)],
    }


def measured(asked: dict[str, list[str]], rounds: int, folder: Path) -> dict[str, Took]:
    """The least that each took in so many rounds, run in `folder`."""
    least: dict[str, Took] = {}
    for _ in range(rounds + 1):  # the first fills the caches of the file system, and of compiled modules
        for name, words in asked.items():
            took = once(words, folder)
            known = least.get(name, took)
            least[name] = Took(
                min(known.seconds, took.seconds),
                min(known.cpu_seconds, took.cpu_seconds),
                min(known.peak_bytes, took.peak_bytes),
            )
    return least


def once(words: Sequence[str], folder: Path) -> Took:
    """Run one command to its end.

    Raises:
        RuntimeError: it did not end well.
    """
    launch = [sys.executable, "-I", "-S", "-c", LAUNCH, *words]
    done = subprocess.run(launch, cwd=folder, capture_output=True, text=True, check=True)
    seconds, cpu_seconds, kilobytes, code = msgspec.json.decode(done.stdout, type=tuple[float, float, int, int])
    if code != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {code}: {done.stderr}")
    return Took(seconds, cpu_seconds, kilobytes * 1024)


@contextmanager
def running(scripts: Path, data: Path) -> Iterator[None]:
    """A `repmon up` on this data folder, with alerts in it.

    Raises:
        RuntimeError: it does not start, or ends.
    """
    environment = os.environ | {
        "REPMON_EMBEDDED__BROKER_PORT": "0",
        "REPMON_EMBEDDED__STORE_PORT": "0",
        "REPMON_API__PORT": "0",
    }
    words = [str(scripts / "repmon"), "up", "--data", str(data)]
    up = subprocess.Popen(words, cwd=data.parent, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(up, data / RUNNING)
        simulate = ["--data", str(data), "simulate", "--customers", "200", "--messages", "100000", "--rate", "0"]
        subprocess.run([words[0], *simulate], cwd=data.parent, check=True, stdout=subprocess.DEVNULL)
        wait_for_alerts(words[0], data)
        yield
    finally:
        up.terminate()
        up.wait(60)


def wait_for(up: "subprocess.Popen[bytes]", file: Path) -> None:
    """Wait until `up` says where it can be reached."""
    deadline = time.monotonic() + UP_S
    while not file.exists():
        if up.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("repmon up did not start")
        time.sleep(0.1)


def wait_for_alerts(repmon: str, data: Path) -> None:
    """Wait until there is something to be printed."""
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        told = subprocess.run([repmon, "--data", str(data), "alerts"], capture_output=True, check=True).stdout
        if told.count(b"\n") >= ALERTS:
            return
    raise RuntimeError(f"no {ALERTS} alerts were sent")


@contextmanager
def wheel_installed() -> Iterator[Path]:
    """The scripts of an environment with a wheel of the project, which uses the packages that are installed here."""
    with tempfile.TemporaryDirectory(prefix="repmon-startup-") as folder:
        here = Path(folder)
        source = here / "source"  # a build leaves files among what it builds from, and takes those of another in
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "target", "tests", "*.egg-info"))
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, str(source)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = here.glob("*.whl")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(here / "venv")], check=True)
        python = here / "venv" / "bin" / "python"
        subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True)
        packages = here / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        (packages / "packages-of-the-project.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        yield python.parent


def figures(least: dict[str, Took], how: str) -> Iterator[Figure]:
    """What is kept of it."""
    bare = least[BARE]
    for name, took in least.items():
        note = f"{took.peak_bytes / 1e6:.0f} MB, {took.cpu_seconds * 1000:.0f} ms of processor time; {how}"
        yield Figure(name=name, value=took.seconds * 1000, unit="ms", note=note)
        if name != BARE:
            yield Figure(name=f"{name} / {BARE}", value=took.seconds / bare.seconds, unit="times", note=how)


def measure(rounds: int) -> list[Figure]:
    """Both installs, one after the other."""
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="repmon-startup-") as folder:
        data = Path(folder) / "data"
        with running(scripts, data):
            found = list(figures(measured(commands(scripts, data), rounds, data.parent), "installed here"))
            with wheel_installed() as wheel:
                found += figures(measured(commands(wheel, data), rounds, data.parent), "installed from a wheel")
    return found


def main() -> None:
    """Measure, print and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--trial", action="store_true", help="leave no file among the results")
    given = options.parse_args()
    found = measure(given.rounds)
    results.save("startup", "python -m benchmarks.startup", figures=found, trial=given.trial)
    print(f"start-up, the least of {given.rounds} rounds, {cores()}")
    for each in found:
        print(f"  {each.name:<40} {each.value:>8,.1f} {each.unit:<6} {each.note}")


if __name__ == "__main__":
    main()
