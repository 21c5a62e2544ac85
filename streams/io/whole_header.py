"""Answers over HTTP whose header fields ended, and that are the last word on a request.

`http.client` takes the end of a connection for the end of the fields (`_read_headers`): what was cut off in them is an
answer without a body. "If a response terminates in the middle of the header section ... the client cannot assume
that meaning has been conveyed" (RFC 9112, section 8): it is none. Of interim answers (1xx) it passes over 100 alone; a
client must be able to read any of them before the final one (RFC 9110, section 15.2).
"""

from http.client import HTTPResponse, RemoteDisconnected
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

#: 100 is passed over by `http.client`, and after 101 nothing more is HTTP.
_INTERIM = range(102, 200)
_LONGEST_LINE = 65_536
#: The end of header fields, and that of the connection.
_ENDS = (b"\r\n", b"\n", b"")


class WholeHeaderResponse(HTTPResponse):
    """Raises RemoteDisconnected where the connection ended before an empty line."""

    fp: Any

    def begin(self) -> None:
        """Read the status and the fields."""
        before = self.fp
        lines = self.fp = _Lines(before)
        super().begin()
        if self.fp is lines:
            self.fp = before
        if lines.last not in (b"\r\n", b"\n"):
            self.close()
            raise RemoteDisconnected("the connection ended within the header fields")

    def _read_status(self) -> tuple[str, int, str]:
        """That of the final answer, or of one after which the connection is of another protocol."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status not in _INTERIM:
                return version, status, reason
            while self.fp.readline(_LONGEST_LINE) not in _ENDS:
                pass


class WholeHeaderConnection(HTTPConnection):
    """Gives such answers."""

    response_class = WholeHeaderResponse


class WholeHeaderTlsConnection(HTTPSConnection):
    """Gives such answers."""

    response_class = WholeHeaderResponse


class _Lines:
    """A file that remembers the last line that was read of it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.last = b""

    def readline(self, *most: int) -> bytes:
        self.last = self._file.readline(*most)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
