"""Hooks as processes that can be killed. One process imports everything, and each hook is a fork of it.

Run as `python -m tests.support.hook_process`: each line that it reads starts a hook by the settings of its environment,
whose id it prints.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jobs.embedded.broker import end_with_parent
from jobs.hooks.lines import Said
from tests.support.root import ROOT


class HookProcesses:
    """Starts hooks, and kills them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no locks
        )
        assert self._nursery.stdout is not None
        assert self._nursery.stdout.readline() == "ready\n"
        self.pid = 0
        self.kills = 0

    def start(self) -> None:
        """One hook more."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write("start\n")
        self._nursery.stdin.flush()
        self.pid = int(self._nursery.stdout.readline())

    def kill(self) -> None:
        """End the last one at once, wherever it is."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            self.kills += 1

    def close(self) -> None:
        """End all."""
        self.kill()
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        self._nursery.wait(timeout=20)


def _say(said: Said) -> None:
    sys.stderr.write(f"{said.text}\n")


def _serve() -> None:
    from api.stack.hook import run_hook
    from schemas.settings_file import load_settings

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children that ended are not waited for
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            end_with_parent()
            settings = load_settings(Path(os.environ["REPMON_TEST_CONFIG"]), {})
            run_hook(settings, _say, threading.Event(), act=True)
            return
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
