"""How many connections our HTTP servers hold, and for how long one may take to say what it asks.

uvicorn waits for ever for the head of a request, and takes any number of connections: a few hundred that are opened and
say nothing, which needs no key, use up the handles of the process, so that neither store nor broker can be reached.
(uvicorn 0.54: `limit_concurrency` answers 503 to whole requests, `timeout_keep_alive` begins after the first one.)
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from streams.io.handles import most_connections, raise_handles

#: How long the head of a request may take, in s.
HEAD_S = 10.0
#: How long a client may take to read an answer that waits for it, in s.
READ_S = 30.0
#: How long a client that was refused may go on sending, in s, and how many bytes.
LINGER_S, LINGER_BYTES = 5.0, 50_000_000
#: Connections of one server, at most, and of these such as have an answer waiting for them: each takes memory.
MOST, MOST_UNREAD = 500, 50
#: Of so many handles that are not reserved it takes one.
PART = 2
#: Connections that are taken at a time, before any of them is looked at. asyncio tries to take so many also where no
#: handle is left, and writes a traceback for each (Python 3.11, `_accept_connection`); uvicorn's own number is 2,048.
BACKLOG = 64


class LingeringTransport:
    """A transport that is closed for a client which is still sending only once it has ended, or had its time.

    To close a socket of which not everything was read resets the connection, and what was answered is lost to the
    client (RFC 9112 section 9.6): one whose body is too large would never hear why.
    """

    def __init__(self, transport: asyncio.Transport, protocol: "BoundedProtocol") -> None:
        self._transport, self._protocol = transport, protocol
        self._left = LINGER_BYTES
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Send what is to be sent, and close, at once or when the client has ended."""
        cycle = self._protocol.cycle
        if self.is_closing() or cycle is None or not cycle.more_body:
            self._transport.close()
            return
        self.lingers = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._protocol.loop.call_later(LINGER_S, self._transport.close)

    def passed_over(self, data: bytes) -> None:
        """The client goes on sending."""
        self._left -= len(data)
        if self._left < 0:
            self._transport.abort()


class BoundedProtocol(H11Protocol):
    """One connection. Where there are too many, the one that has waited longest without a request is closed, or, if all
    are being answered, the new one."""

    head_s, read_s = HEAD_S, READ_S
    most, most_unread = MOST, MOST_UNREAD

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._reading: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no request of this connection is being answered."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Hold it, if there is room."""
        if len(self.connections) >= self.most and not self._made_room():
            self.transport = transport
            transport.abort()
            return
        self._lingering = LingeringTransport(transport, self)
        super().connection_made(self._lingering)  # type: ignore[arg-type]
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Go on with what was asked; the head of a request has only so much time."""
        if self._lingering.lingers:
            self._lingering.passed_over(data)
            return
        super().data_received(data)
        if not self.is_waiting:
            self._head_is_here()
        elif self._timer is None and not self.transport.is_closing():
            self._await_head()  # of the next request, which has begun

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered; it has only so much time to catch up, and with many of
        its kind the one that has waited longest has none."""
        super().pause_writing()
        unread = [each for each in self.connections if isinstance(each, BoundedProtocol) and each._reading is not None]
        if len(unread) >= self.most_unread:
            min(unread, key=lambda each: each._reading.when() if each._reading else 0.0).transport.abort()
        self._reading = self.loop.call_later(self.read_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_read()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._head_is_here()
        self._is_read()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._since = self.loop.time()
        self._timer = self.loop.call_later(self.head_s, self._too_slow)

    def _head_is_here(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_read(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.is_waiting and not self.transport.is_closing():
            self.transport.close()

    def _made_room(self) -> bool:
        waiting = [each for each in self.connections if isinstance(each, BoundedProtocol) and each.is_waiting]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda each: each._since)
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True


def bounded() -> dict[str, Any]:
    """What `uvicorn.Config` is given for a server of this process."""
    protocol = type("Bounded", (BoundedProtocol,), {"most": most_connections(raise_handles(), MOST, PART)})
    return {"http": protocol, "backlog": BACKLOG, "server_header": False}
