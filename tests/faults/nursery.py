"""Where stages are born: one process imports what all of them need, and each stage is a fork of it, which runs the
command `repmon` from there on. A start of the command by itself takes a second of a core for its imports alone, and
the tests kill and start a hundred stages. That the command starts by itself is tested elsewhere (tests/integration).

Run as `python -m tests.faults.nursery`: it reads a request a line, and answers each with a line.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from jobs.embedded.broker import end_with_parent
from tests.support.root import ROOT

#: Between two looks whether a stage has ended, in s.
LOOK_S = 0.01


class StartStage(msgspec.Struct, tag="start"):
    """Start `repmon` with these words; what it says on stderr goes to the end of a file. Answered with its id."""

    words: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    errors: str


class AskEnded(msgspec.Struct, tag="ended"):
    """Whether it has ended. Answered with its exit code, or null."""

    pid: int


REQUEST = msgspec.json.Decoder(StartStage | AskEnded)


class Nursery:
    """The process from which stages are forked; it ends with this one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the tests, which end it
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no locks
        )
        self._asking = threading.Lock()

    def start(self, words: Sequence[str], environment: Mapping[str, str], folder: Path, errors: Path) -> "StageProcess":
        """One stage more."""
        return StageProcess(self, int(self.ask(StartStage(words, environment, str(folder), str(errors)))))

    def ask(self, request: StartStage | AskEnded) -> Any:
        """What it answers."""
        with self._asking:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
            return msgspec.json.decode(self._process.stdout.readline())

    def close(self) -> None:
        """End it, and all stages with it."""
        self._process.communicate()


class StageProcess:
    """A stage that was started, by its process id, which is nobody else's until its end was seen here."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._code: int | None = None
        self._one = threading.Lock()

    def poll(self) -> int | None:
        """Its exit code, negative if a signal ended it; None while it runs."""
        with self._one:
            return self._looked()

    def wait(self, most_s: float) -> int:
        """Its exit code once it has ended.

        Raises:
            subprocess.TimeoutExpired: it does not end.
        """
        end = time.monotonic() + most_s
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", most_s)
            time.sleep(LOOK_S)
        return code

    def send_signal(self, number: int) -> None:
        """Harmless if it is over."""
        with self._one:
            if self._looked() is None:
                os.kill(self.pid, number)

    def _looked(self) -> int | None:
        if self._code is None:
            self._code = self._nursery.ask(AskEnded(self.pid))
        return self._code


def _serve() -> None:
    import api.cli.ingest
    import api.cli.monitor
    import api.cli.notify
    import api.cli.up
    import api.stack.up  # noqa: F401 - for the forks

    for line in sys.stdin.buffer:
        request = REQUEST.decode(line)
        answer: int | None
        if isinstance(request, AskEnded):
            ended, status = os.waitpid(request.pid, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if not answer:
                _live(request)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _live(wanted: StartStage) -> None:
    """Be what was asked for, to the end. The nursery's own pipes are closed."""
    os.setsid()
    end_with_parent()
    with contextlib.ExitStack() as files:
        nothing = files.enter_context(Path(os.devnull).open("r+b", buffering=0))
        errors = files.enter_context(Path(wanted.errors).open("ab", buffering=0))
        for number, file in enumerate((nothing, nothing, errors)):
            os.dup2(file.fileno(), number)
    os.chdir(wanted.folder)
    os.environ.clear()
    os.environ.update(wanted.environment)
    sys.argv = ["repmon", *wanted.words]
    from api.cli.entry import main

    main()


if __name__ == "__main__":
    _serve()
