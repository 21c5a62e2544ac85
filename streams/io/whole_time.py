"""A time for all that a peer says. Time-outs of sockets are for each part: a byte now and then is enough for them.

`within` ends the connections that are watched in it once the time is over. `session` makes one of `requests` whose
connections are; what ends within the header fields is no answer to it.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from streams.io.whole_header import WholeHeaderConnection, WholeHeaderTlsConnection


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


def session() -> requests.Session:
    """One whose requests are ended by `within`."""
    return watched(requests.Session())


def watched(made: requests.Session) -> requests.Session:
    """The session itself, made one whose requests are."""
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter())
    return made


def _end(connection: HasSocket) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _watch(connection: HasSocket) -> None:
    whole: WholeTime | None = getattr(_here, "whole", None)
    if whole is not None:
        whole.watch(connection)


class _Connection(WholeHeaderConnection):
    def request(self, *args: Any, **options: Any) -> None:
        _watch(self)
        super().request(*args, **options)


class _TlsConnection(WholeHeaderTlsConnection):
    def request(self, *args: Any, **options: Any) -> None:
        _watch(self)
        super().request(*args, **options)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
