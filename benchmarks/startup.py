"""How long commands take to start, beside a bare `python -c pass`, and what memory they take.

    python -m benchmarks.startup
    python -m benchmarks.startup --before COMMIT

Each command is run in its turn, round after round, so that whatever else the machine does meets all of them. The
smallest time counts: it is the one with the least of that in it. `repmon alerts` asks a `repmon up` of its own, to
which the mail of a few customers was sent.

Beside the interpreter that runs this, in which the project may be installed for editing, it is measured in an
environment of its own with the wheel installed: without the finder that an editable install loads at each start. With
`--before` an earlier commit is measured too, as a wheel, in the same rounds.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import results
from benchmarks.measure import cores
from benchmarks.results import Figure
from schemas.policy import default_file

ROUNDS = 20
BARE = "python -c pass"
ROOT = Path(__file__).parents[1]
#: So many alerts there are at least before they are asked for.
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


class Install(NamedTuple):
    """One installed version: the folder of its `python` and `repmon`, that of its running `up`, and its policy: an
    earlier one does not know every field of today's."""

    name: str
    scripts: Path
    data: Path
    policy: Path

    def command(self, *words: str) -> list[str]:
        """A command of it, on its data folder."""
        return ["/usr/bin/env", f"REPMON_EMBEDDED__DATA={self.data}", str(self.scripts / "repmon"), *words]


class Took(NamedTuple):
    """The least that one command took: seconds on the clock, seconds of processor time, bytes of resident memory."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


#: By install and command.
Least = dict[tuple[str, str], Took]


def commands(install: Install) -> dict[str, list[str]]:
    """What is measured, each as its arguments. The bare interpreter too is begun by `env`."""
    return {
        BARE: ["/usr/bin/env", f"REPMON_EMBEDDED__DATA={install.data}", str(install.scripts / "python"), "-c", "pass"],
        "repmon --help": install.command("--help"),
        "repmon policy check": install.command("policy", "check", str(install.policy)),
        "repmon alerts": install.command("alerts"),
    }


def measured(installs: Sequence[Install], rounds: int, folder: Path) -> Least:
    """The least that each command of each install took in so many rounds, run in `folder`."""
    least: Least = {}
    asked = {(each.name, name): words for each in installs for name, words in commands(each).items()}
    for _ in range(rounds + 1):  # the first fills the caches of the file system, and of compiled modules
        for which, words in asked.items():
            took = once(words, folder)
            known = least.get(which, took)
            least[which] = Took(
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
def running(install: Install) -> Iterator[None]:
    """A `repmon up` of it, with alerts.

    Raises:
        RuntimeError: it does not start, or ends.
    """
    environment = os.environ | {
        "REPMON_EMBEDDED__BROKER_PORT": "0",
        "REPMON_EMBEDDED__STORE_PORT": "0",
        "REPMON_API__PORT": "0",
    }
    folder = install.data.parent
    up = subprocess.Popen(install.command("up"), cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for_alerts(up, install, 0)
        simulate = ["simulate", "--customers", "200", "--messages", "100000", "--rate", "0"]
        subprocess.run(install.command(*simulate), cwd=folder, check=True, stdout=subprocess.DEVNULL)
        wait_for_alerts(up, install, ALERTS)
        yield
    finally:
        up.terminate()
        up.wait(60)


def wait_for_alerts(up: "subprocess.Popen[bytes]", install: Install, wanted: int) -> None:
    """Wait until there are so many to be printed.

    Raises:
        RuntimeError: there never are.
    """
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        if up.poll() is not None:
            raise RuntimeError("repmon up did not start")
        told = subprocess.run(install.command("alerts"), capture_output=True, cwd=install.data.parent, check=False)
        if told.returncode == 0 and told.stdout.count(b"\n") >= wanted:
            return
        time.sleep(0.2)
    raise RuntimeError(f"no {wanted} alerts were sent")


def wheel_installed(name: str, folder: Path, commit: str) -> Install:
    """An environment with a wheel of the project at a commit, which uses the packages that are installed here."""
    source = folder / "source"
    source.mkdir(parents=True)
    archive = folder / "source.tar"
    subprocess.run(["git", "archive", "--output", str(archive), commit], cwd=ROOT, check=True)
    subprocess.run(["tar", "-xf", str(archive), "-C", str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True)
    packages = folder / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (packages / "packages-of-the-project.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return Install(name, python.parent, folder / "data", packages / "schemas" / "policy.toml")


def figures(least: Least) -> Iterator[Figure]:
    """What is kept of it."""
    for (how, name), took in least.items():
        note = f"{took.peak_bytes / 1e6:.0f} MB, {took.cpu_seconds * 1000:.0f} ms of processor time; {how}"
        yield Figure(name=name, value=took.seconds * 1000, unit="ms", note=note)
        if name != BARE:
            times = took.seconds / least[how, BARE].seconds
            yield Figure(name=f"{name} / {BARE}", value=times, unit="times", note=how)


def measure(rounds: int, before: str) -> list[Figure]:
    """All installs, in the same rounds."""
    with tempfile.TemporaryDirectory(prefix="repmon-startup-") as name, ExitStack() as stack:
        folder = Path(name)
        installs = [
            Install("installed here", Path(sys.executable).parent, folder / "data-here", default_file()),
            wheel_installed("installed from a wheel", folder / "wheel", "HEAD"),
        ]
        if before:
            installs.append(wheel_installed(f"a wheel of {before}", folder / "before", before))
        for each in installs:
            stack.enter_context(running(each))
        return list(figures(measured(installs, rounds, folder)))


def main() -> None:
    """Measure, print and save."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--before", default="", metavar="COMMIT", help="measure this commit too")
    options.add_argument("--trial", action="store_true", help="leave no file among the results")
    given = options.parse_args()
    found = measure(given.rounds, given.before)
    command = "python -m benchmarks.startup" + (f" --before {given.before}" if given.before else "")
    results.save("startup", command, figures=found, trial=given.trial)
    print(f"start-up, the least of {given.rounds} rounds, {cores()}")
    for each in found:
        print(f"  {each.name:<38} {each.value:>8,.1f} {each.unit:<6} {each.note}")


if __name__ == "__main__":
    main()
