"""A time for all that a peer says. Time-outs of sockets are for each part: a byte now and then is enough for them.

`within` ends the connections that are watched in it once the time is over; those of `requests` are in
`streams.io.watched_session`.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol


class HasSocket(Protocol):
    """A connection; `sock` is None while it is not open."""

    sock: Any


class WholeTime:
    """What is watched. `ended` says that the time was over."""

    def __init__(self) -> None:
        self.ended = False
        self._watched: list[HasSocket] = []
        self._lock = threading.Lock()

    def watch(self, connection: HasSocket) -> None:
        """End this one too, at once where the time is over already."""
        with self._lock:
            self._watched.append(connection)
            if self.ended:
                _end(connection)

    def end(self) -> None:
        """The time is over."""
        with self._lock:
            self.ended = True
            for each in self._watched:
                _end(each)


_here = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[WholeTime]:
    """For all that is done in it, on this thread.

    Raises:
        TimeoutError: it took longer.
    """
    whole = WholeTime()
    timer = threading.Timer(seconds, whole.end)
    timer.daemon = True
    before = getattr(_here, "whole", None)
    _here.whole = whole
    timer.start()
    try:
        yield whole
    except Exception as error:
        if whole.ended:
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        _here.whole = before
    if whole.ended:
        raise TimeoutError


def _end(connection: HasSocket) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def watch_here(connection: HasSocket) -> None:
    """Have this one ended by the `within` that this thread is in, if it is in one."""
    whole: WholeTime | None = getattr(_here, "whole", None)
    if whole is not None:
        whole.watch(connection)
