"""A store in a process of its own, served over HTTP: what several ingest processes share.

    python -m benchmarks.store_process STORE_FOLDER

Says its port in a mark, and ends on SIGTERM.
"""

import signal
import sys
import threading

from benchmarks.contenders.marks import mark
from jobs.embedded.store_server import StoreServer
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse

PASSWORD = "benchmark"  # noqa: S105 - of a store on loopback that lives for a minute


def main(folder: str) -> None:
    """Serve until asked to end."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    migrate(ClickHouse(path=folder))
    server = StoreServer(folder, 0, PASSWORD)
    server.start()
    mark("serving", port=server.port)
    over.wait()
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
