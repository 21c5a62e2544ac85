"""A worker's way to the store, which can be disturbed: at a chosen statement, at an exact point of its life.

It relays HTTP/1.1 one request at a time. A request is read whole before anything of it is passed on, so a rule
knows the statement, and a worker that is killed from a rule has sent its request and seen no answer. A statement
stands in `?query=`, or at the beginning of the body, which may be compressed.
"""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import cramjam

from tests.support.real_kafka import free_ports

COUNTS = r"INSERT INTO counts\b"
INSERTS = r"INSERT INTO \w"
ALERTS = r"INSERT INTO alerts\b"
ALERT_STATES = r"INSERT INTO alert_states\b"
STANDINGS = r"INSERT INTO standings\b"
#: The stored offsets being asked for: when a partition is taken up, and after its counts.
READ_BACK = r"^SELECT (source, )?max\(last_offset\)"
LISTEN_S = 5.0
#: How much of a request is looked at to know the statement.
STATEMENT_BYTES = 2_000
#: What a client may take to send the rest of a request.
READ_S = 30.0
_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lambda data: bytes(cramjam.lz4.decompress(data)),
    "gzip": lambda data: bytes(cramjam.gzip.decompress(data)),
    "zstd": lambda data: bytes(cramjam.zstd.decompress(data)),
}


class GoneError(OSError):
    """One side closed the connection, or the rule did."""


@dataclass(slots=True)
class Exchange:
    """One request on its way. A rule decides what becomes of it: it is passed on, answered, or neither."""

    statement: str
    token: str
    _request: bytes
    _client: socket.socket
    _upstream: "_Upstream"
    _answered: Callable[[], None]
    _answer: bytes = b""

    def forward(self) -> None:
        """Have the store carry it out; its answer is kept back.

        Raises:
            GoneError: the store is gone.
        """
        self._answer = self._upstream.ask(self._request)
        self._answered()

    def reply(self) -> None:
        """Hand the store's answer to the client."""
        self._client.sendall(self._answer)

    def refuse(self, code: int, said: str) -> None:
        """Answer as the store does when it refuses (ClickHouse's error codes)."""
        body = f"Code: {code}. DB::Exception: {said}\n".encode()
        head = f"HTTP/1.1 500 Internal Server Error\r\nContent-Length: {len(body)}\r\n"
        self._client.sendall(f"{head}X-ClickHouse-Exception-Code: {code}\r\n\r\n".encode() + body)

    def cut(self) -> None:
        """Pass on the first half of the request, then break the connection on both sides.

        Raises:
            GoneError: always.
        """
        self._upstream.send_part(self._request[: len(self._request) // 2])
        raise GoneError("cut half way")

    def drop(self) -> None:
        """Break the connection to the client without an answer.

        Raises:
            GoneError: always.
        """
        raise GoneError("dropped")


#: What is done with an exchange instead of passing it on.
Act = Callable[[Exchange], None]


def before(callback: Callable[[Exchange], None]) -> Act:
    """Call, then pass the request on."""

    def act(exchange: Exchange) -> None:
        callback(exchange)
        exchange.forward()
        exchange.reply()

    return act


def after(callback: Callable[[Exchange], None]) -> Act:
    """Call when the store has answered, then hand the answer on."""

    def act(exchange: Exchange) -> None:
        exchange.forward()
        callback(exchange)
        exchange.reply()

    return act


def instead(callback: Callable[[Exchange], None]) -> Act:
    """Call; nothing is passed on, and the client gets no answer."""

    def act(exchange: Exchange) -> None:
        callback(exchange)
        exchange.drop()

    return act


def cut(exchange: Exchange) -> None:
    """The connection breaks half way through the request."""
    exchange.cut()


def lost_answer(exchange: Exchange) -> None:
    """The store does it, and its answer is lost."""
    exchange.forward()
    exchange.drop()


def refused(code: int, said: str) -> Act:
    """The store refuses."""
    return lambda exchange: exchange.refuse(code, said)


OVERLOADED = refused(241, "Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)")
TOO_MANY_PARTS = refused(252, "Too many parts. Merges are processing slower than inserts. (TOO_MANY_PARTS)")


def late(seconds: float) -> Act:
    """The request reaches the store so much later; the answer finds the client gone if it waits less."""
    return before(lambda _: time.sleep(seconds))


def answered_late(seconds: float) -> Act:
    """The store does it at once; the answer comes so much later."""
    return after(lambda _: time.sleep(seconds))


@dataclass(slots=True)
class Rule:
    """What is done with statements that match, the next `times` of them; None is until it is lifted."""

    pattern: re.Pattern[str]
    act: Act
    times: int | None
    #: Set once it has been applied.
    met: threading.Event = field(default_factory=threading.Event)


class StoreProxy:
    """One loopback port that leads to the store. Without rules it changes nothing."""

    def __init__(self, store_port: int) -> None:
        self._store_port = store_port
        (self.port,) = free_ports(1)
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        #: Statements that the store has answered.
        self.passed = 0
        self.accept()

    @property
    def url(self) -> str:
        """Where the worker finds it."""
        return f"http://127.0.0.1:{self.port}"

    def when(self, pattern: str, act: Act, times: int | None = 1) -> Rule:
        """Apply `act` to the next statements that contain `pattern`."""
        rule = Rule(re.compile(pattern), act, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def calm(self) -> None:
        """Lift all rules, and listen."""
        with self._lock:
            self._rules.clear()
        self.accept()

    def refuse(self) -> None:
        """Refuse connections and break those there are."""
        with self._lock:
            listener, self._listener = self._listener, None
            opened, self._open = self._open, set()
        for each in (listener, *opened):
            if each is not None:
                _end(each)

    def accept(self) -> None:
        """Accept connections (again)."""
        if self._listener is None:
            self._listener = _listening(self.port)
            threading.Thread(target=self._accept, args=(self._listener,), name="proxy", daemon=True).start()

    def stop(self) -> None:
        """Close everything."""
        self.refuse()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if listener is not self._listener:
                    _end(client)
                    return
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), name="proxy", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        upstream = _Upstream(self._store_port)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            reader = _Reader(client)
            while (exchange := _next(reader, client, upstream, self._count)) is not None:
                act = self._act(exchange.statement)
                act(exchange)
        except OSError:
            pass
        finally:
            upstream.close()
            with self._lock:
                self._open.discard(client)
            _end(client)

    def _count(self) -> None:
        self.passed += 1

    def _act(self, statement: str) -> Act:
        with self._lock:
            for rule in self._rules:
                if rule.pattern.search(statement):
                    if rule.times is not None:
                        rule.times -= 1
                        if not rule.times:
                            self._rules.remove(rule)
                    rule.met.set()
                    return rule.act
        return before(lambda _: None)


class _Reader:
    """Reads HTTP messages from a socket and keeps their bytes as they are."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._held = b""

    def head(self) -> bytes:
        """Start line and headers, or nothing if the other side is done."""
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if not self._more():
                return b""
        return self._taken(end + 4)

    def body(self, head: bytes) -> tuple[bytes, bytes]:
        """The body as it is on the wire, and without its chunks' frames."""
        if _header(head, "Transfer-Encoding").lower() != "chunked":
            plain = self._exactly(int(_header(head, "Content-Length") or 0))
            return plain, plain
        frames: list[bytes] = []
        parts: list[bytes] = []
        while True:
            frame = self._line()
            size = int(frame.split(b";")[0], 16)
            part = self._exactly(size + 2)
            frames += (frame, part)
            parts.append(part[:-2])
            if not size:
                return b"".join(frames), b"".join(parts)

    def _line(self) -> bytes:
        while (end := self._held.find(b"\r\n")) < 0:
            if not self._more():
                raise GoneError("closed within a request")
        return self._taken(end + 2)

    def _exactly(self, length: int) -> bytes:
        while len(self._held) < length:
            if not self._more():
                raise GoneError("closed within a request")
        return self._taken(length)

    def _more(self) -> bool:
        part = self._source.recv(1 << 18)
        self._held += part
        return bool(part)

    def _taken(self, length: int) -> bytes:
        taken, self._held = self._held[:length], self._held[length:]
        return taken


class _Upstream:
    """The connection to the store; made when it is needed, and again after the store was away."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._reader: _Reader | None = None

    def ask(self, request: bytes) -> bytes:
        """The store's answer as it is on the wire."""
        target, reader = self._connected()
        target.sendall(request)
        head = reader.head()
        if not head:
            raise GoneError("the store is gone")
        return head + reader.body(head)[0]

    def send_part(self, part: bytes) -> None:
        """Send what is only a part of a request."""
        self._connected()[0].sendall(part)

    def close(self) -> None:
        """Break the connection."""
        target, self._socket = self._socket, None
        if target is not None:
            _end(target)

    def _connected(self) -> tuple[socket.socket, _Reader]:
        if self._socket is None or self._reader is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=READ_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader = _Reader(self._socket)
        return self._socket, self._reader


def _next(reader: _Reader, client: socket.socket, upstream: _Upstream, answered: Callable[[], None]) -> Exchange | None:
    """The next request of a connection, read whole; None when the client is done."""
    head = reader.head()
    if not head:
        return None
    wire, plain = reader.body(head)
    asked = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
    unpack = _UNPACK.get(_header(head, "Content-Encoding").lower(), bytes)
    begin = unpack(plain)[:STATEMENT_BYTES].decode(errors="replace")
    statement = " ".join(f"{asked.get('query', [''])[0]} {begin}".replace("`", "").split())
    token = asked.get("insert_deduplication_token", [""])[0]
    return Exchange(statement, token, head + wire, client, upstream, answered)


def _header(head: bytes, name: str) -> str:
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return ""


def _listening(port: int) -> socket.socket:
    """A socket at a port that we held a moment ago: connections that linger there do not keep it from us."""
    deadline = time.monotonic() + LISTEN_S
    while True:
        try:
            return socket.create_server(("127.0.0.1", port), backlog=64)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _end(each: socket.socket) -> None:
    """Close so that a thread that waits on it wakes up."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
