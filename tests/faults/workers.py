"""Stages as processes of their own: started, killed, stopped in mid-air, and gone on with."""

import atexit
import contextlib
import os
import signal
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from tests.faults.nursery import Nursery, StageProcess

#: What a stage may take to finish its work when it is asked to stop.
STOP_S = 30.0
SAID_BYTES = 3000

Stage = Literal["ingest", "monitor", "notify", "up"]


class Worker:
    """One `repmon` stage. It can be started again after it ended; what it says on stderr goes on in one file."""

    def __init__(self, name: str, stage: Stage, environment: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.stage: Stage = stage
        self._environment = {**os.environ, **environment}
        self._folder = folder
        self._process: StageProcess | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended, be it stopped in mid-air."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """Its exit code if it ended by itself or by a signal; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def said(self) -> str:
        """The end of what it wrote to stderr since its first start."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / f"{self.name}.err").read_bytes()[-SAID_BYTES:].decode(errors="replace")
        return ""

    def start(self) -> None:
        """Start it. Returns at once."""
        errors = self._folder / f"{self.name}.err"
        # In a folder where no repmon.toml is.
        self._process = _nursery().start([self.stage], self._environment, self._folder, errors)

    def kill(self) -> None:
        """End it at once (SIGKILL); harmless if it is over already. May be called from any thread."""
        process = self._process
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(STOP_S)

    def terminate(self) -> None:
        """Tell it to stop (SIGTERM)."""
        self._signal(signal.SIGTERM)

    def stop(self) -> int:
        """Tell it to stop (SIGTERM) and wait for it; its exit code.

        Raises:
            subprocess.TimeoutExpired: it does not end.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        self.terminate()
        return self._process.wait(STOP_S)

    def pause(self) -> None:
        """Stop it in mid-air (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, signal_: int) -> None:
        if self._process is not None:
            self._process.send_signal(signal_)


@cache
def _nursery() -> Nursery:
    """One for all tests of this process."""
    made = Nursery()
    atexit.register(made.close)
    return made
