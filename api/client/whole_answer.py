"""One time for a whole answer. Those that httpx has are for each part: a byte now and then is enough for them."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from streams.io.whole_time import watch_here, within

#: Closed already.
_CLOSED = -1


@dataclass
class _Opened:
    sock: socket.socket


class Connections:
    """The connections of a client, some of them kept open between its requests."""

    def __init__(self) -> None:
        self._opened: list[_Opened] = []

    def note(self, _event: str, about: Mapping[str, Any]) -> None:
        """For httpx's extension `trace` (https://www.encode.io/httpcore/extensions/#trace): keep what was opened."""
        asked = getattr(about.get("return_value"), "get_extra_info", None)
        if asked is not None and isinstance(sock := asked("socket"), socket.socket):
            self._opened.append(_Opened(sock))
            watch_here(self._opened[-1])

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """For one request, and its answer.

        Raises:
            httpx.ReadTimeout: it took longer.
        """
        self._opened = [each for each in self._opened if each.sock.fileno() != _CLOSED]
        try:
            with within(seconds) as whole:
                for each in self._opened:
                    whole.watch(each)
                yield
        except TimeoutError as error:
            raise not_in_time(seconds) from error


def not_in_time(seconds: float) -> httpx.ReadTimeout:
    """What is raised, by both clients."""
    return httpx.ReadTimeout(f"no whole answer within {seconds:g} s")
