"""A server on a thread of its own, as a test needs one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tests.support.waiting import wait_for


@contextmanager
def serving(config: uvicorn.Config) -> Iterator[tuple[str, int]]:
    """Where it answers, for the block."""
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "the server")
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield host, port
    finally:
        server.should_exit = True
        thread.join(30)
