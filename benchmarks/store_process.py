"""A store in a process of its own, served over HTTP: what several ingest processes share.

    python -m benchmarks.store_process STORE_FOLDER

Says its port in a mark, and ends on SIGTERM.
"""

import signal
import sys
import threading

from api.stack.running import tune_memory
from benchmarks.contenders.marks import mark
from jobs.embedded.store_server import StoreServer
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from streams.io.store import open_store

PASSWORD = "benchmark"  # noqa: S105 - of a store on loopback that lives for a minute


def main(folder: str) -> None:
    """Serve until asked to end."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    tune_memory()  # as `repmon up` does
    migrate(ClickHouse(path=folder))
    server = StoreServer(folder, 0, PASSWORD)
    server.start()
    # The engine ends with its last handle, and would be started again for each query: 100 ms of processor time.
    handle = open_store(ClickHouse(path=folder))
    mark("serving", port=server.port)
    over.wait()
    server.stop()
    handle.close()


if __name__ == "__main__":
    main(sys.argv[1])
