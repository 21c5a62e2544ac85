"""Runs one contender in a process of its own and measures it from its first message to its last."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.broker import BenchmarkError
from benchmarks.measure import Peak, family

ROOT = Path(__file__).parents[1]
#: The interpreter of the stream processors in comparison.
OTHERS = ROOT / ".venv-bench" / "bin" / "python"
LOOK_S = 0.05
END_S = 60.0


class Process:
    """A contender at work: `with` starts it and makes sure that it ends."""

    def __init__(
        self,
        module: str | Path,
        arguments: Sequence[object] = (),
        *,
        python: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`module` is its name, or the file of a program."""
        self.name = module.stem if isinstance(module, Path) else module.rpartition(".")[2]
        program = [str(module)] if isinstance(module, Path) else ["-m", module]
        self._command = [str(python or sys.executable), *program, *map(str, arguments)]
        self._environ = {**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})}
        self._folder = tempfile.TemporaryDirectory(prefix="repmon-bench-")
        self._read = b""

    def __enter__(self) -> "Process":
        self._errors = (Path(self._folder.name) / "stderr").open("wb+")
        theirs, self._stdin = os.pipe()
        self._stdout, out = os.pipe()
        self._process = subprocess.Popen(
            self._command, stdin=theirs, stdout=out, stderr=self._errors, cwd=self._folder.name, env=self._environ
        )
        os.close(theirs)
        os.close(out)
        self._peak = Peak(self._process.pid)
        self._peak.__enter__()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._peak.__exit__()
        os.close(self._stdin)
        os.close(self._stdout)
        self._errors.close()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def peak_bytes(self) -> int:
        """The most resident memory so far, with all its children."""
        return self._peak.bytes

    def go(self) -> None:
        """Let it begin, once it is ready."""
        os.write(self._stdin, b"go\n")

    def mark(self, what: str, deadline_s: float) -> dict[str, Any]:
        """Wait until it says this.

        Raises:
            BenchmarkError: it ended, or did not say so in time.
        """
        deadline = time.monotonic() + deadline_s
        while (found := self._marked(what)) is None:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{self.name}: not {what} within {deadline_s:g} s{self.said()}")
            self.check()
        return found

    def check(self) -> None:
        """It must still run.

        Raises:
            BenchmarkError: it ended.
        """
        if self._process.poll() is not None and not self._read:
            raise BenchmarkError(f"{self.name}: ended with {self._process.returncode}{self.said()}")

    def drain(self, wait_s: float) -> None:
        """Pass over what it prints within so long, so that it is never held up by that."""
        deadline = time.monotonic() + wait_s
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._stdout], [], [], left)[0] or not os.read(self._stdout, 65536):
                time.sleep(max(0.0, deadline - time.monotonic()))

    def end(self) -> None:
        """Tell it to end, and wait until it has.

        Raises:
            BenchmarkError: it does not, or with an error.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"{self.name}: does not end{self.said()}") from error
        if self._process.returncode not in (0, -signal.SIGTERM):
            raise BenchmarkError(f"{self.name}: ended with {self._process.returncode}{self.said()}")

    def said(self) -> str:
        """The end of what it wrote on standard error, to follow a message."""
        self._errors.flush()
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace").strip()
        return f":\n{text[-2000:]}" if text else ""

    def _marked(self, what: str) -> dict[str, Any] | None:
        """The next mark, if it is this one; other marks are passed over. Waits a moment for more output."""
        while b"\n" in self._read:
            line, _, self._read = self._read.partition(b"\n")
            if line.startswith(b'{"mark"'):
                found: dict[str, Any] = json.loads(line)
                if found["mark"] == what:
                    return found
        if select.select([self._stdout], [], [], LOOK_S)[0]:
            self._read += os.read(self._stdout, 65536)
        return None


def cpu_seconds(pid: int) -> float:
    """Processor time, user and system, that a process and all below it have used so far."""
    total = 0
    for each in family(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))  # utime, stime, and those of ended children (proc(5))
    return total / os.sysconf("SC_CLK_TCK")


def wait_until(done: Callable[[], bool], running: Sequence[Process], what: str, deadline_s: float) -> float:
    """The moment (monotonic) at which `done` was found to hold, while all these run.

    Raises:
        BenchmarkError: one ended, or it was not done within the deadline.
    """
    deadline = time.monotonic() + deadline_s
    while not done():
        for each in running:
            each.check()
        if time.monotonic() > deadline:
            said = "".join(each.said() for each in running)
            raise BenchmarkError(f"{what}: not done within {deadline_s:g} s{said}")
        time.sleep(LOOK_S)
    return time.monotonic()


def command(*arguments: str, environ: Mapping[str, str]) -> None:
    """Run one `repmon` command to its end.

    Raises:
        BenchmarkError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "api.cli.main", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"repmon {' '.join(arguments)}: {done.stderr.strip()}")
