"""A chDB store as a process of its own, so that several workers share it and it can be killed.

Run as `python -m tests.support.store_process PATH PORT PASSWORD`; it serves until SIGTERM.
"""

import http.client
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from jobs.embedded.broker import end_with_parent
from schemas.settings import ClickHouse
from tests.support.real_kafka import free_ports
from tests.support.root import ROOT
from tests.support.waiting import wait_for

PASSWORD = "of-the-tests"
START_S = 30.0


class StoreProcess:
    """One store on a folder. Port and folder stay the same from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (self.port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> ClickHouse:
        """Settings with which it is reached directly."""
        return ClickHouse(url=f"http://127.0.0.1:{self.port}", password=PASSWORD)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            RuntimeError: it ended instead.
        """
        log = self._folder / "store.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(self._folder / "chdb"), str(self.port), PASSWORD],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no locks
            )
        process = self._process

        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the store ended: {log.read_text()[-2000:]}")
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            try:
                connection.request("GET", "/ping")
                return connection.getresponse().status == 200
            except OSError:
                return False
            finally:
                connection.close()

        wait_for(answers, f"the store to answer; see {log}", START_S)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def _serve(path: str, port: int, password: str) -> None:
    from api.stack.running import tune_memory

    tune_memory()  # as `repmon up` does; before the engine is loaded
    import chdb

    from jobs.embedded.store_server import StoreServer
    from streams.io.engine import engine_address

    # The engine ends with its last handle and would be started again for each statement.
    handle: Any = chdb.connect(engine_address(path))  # type: ignore[no-untyped-call]
    over = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: over.set())
    server = StoreServer(path, port, password)
    server.start()
    over.wait()
    server.stop()
    handle.close()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
