"""ClickHouse's HTTP interface, served over the chDB of this process.

Only one process can open a chDB folder. This lets the other commands (`repmon top`, `keys`, `scan-blocklists`)
and Grafana reach the store of a running `repmon up` through the ordinary ClickHouse drivers. It listens on
loopback and wants the password of the data folder. Grafana has a user of its own, who only reads (reader.py).

The interface: the statement in the body or in `query`, parameters as `param_NAME`, every other known argument a
setting; all of these may also come as a form. An INSERT's body is the statement, a newline, then the data (ClickHouse
documentation, "HTTP Interface").
"""

import base64
import contextlib
import hmac
import re
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import cramjam

from jobs.embedded.engine import kill_queries
from jobs.embedded.form import form_fields, is_form
from jobs.embedded.native import CUSTOM_SERIALIZATION, framed
from jobs.embedded.reader import READER, ReaderAccess, RefusedStatementError, checked
from streams.io.engine import INSERTS, engine_address
from streams.io.handles import most_connections, raise_handles

#: Ends with the line: what follows is data, of which Native may begin with any byte.
INSERT = re.compile(rb"\s*INSERT\s+INTO\s+(?P<into>.+?)\s+FORMAT\s+(?P<format>\w+)[ \t]*(?:\r?\n|\Z)", re.I | re.S)
FORMAT_AT_END = re.compile(r"\bFORMAT\s+\w+\s*;?\s*$", re.I)
ERROR_CODE = re.compile(r"Code: (\d+)")
NAME = re.compile(r"[A-Za-z_]\w*")
#: Arguments of the transport, not settings of the engine.
TRANSPORT = frozenset(
    {
        *("query", "database", "query_id", "session_id", "session_timeout", "session_check"),
        *("user", "password", "role", "quota_key"),
        *("default_format", "buffer_size", "wait_end_of_query", "compress", "decompress", "enable_http_compression"),
        *("client_protocol_version", "send_progress_in_http_headers", "http_headers_progress_interval_ms"),
    }
)
MAX_BODY = 1 << 30
#: Connections at most, one of how many handles that are not reserved, and how long one may say nothing, in s: longer
#: than dashboards wait between two questions.
MOST_CONNECTIONS, PART = 200, 8
#: How long the thread of a connection that is closed for another may take to end, in s.
ROOM_S = 1.0
SILENT_S = 100.0
#: How long a stop waits for statements that run, and for those it killed, in s.
PATIENCE_S = 0.5
KILLED_S = 2.0
ENDING = "Code: 236. DB::Exception: the store is being stopped. (ABORTED)"
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": lambda data: bytes(cramjam.gzip.decompress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.decompress(data)),
    "zstd": lambda data: bytes(cramjam.zstd.decompress(data)),
}


class StoreServer:
    """Serves the chDB in `path` on a loopback port, one thread a connection."""

    def __init__(
        self, path: str, port: int, password: str, host: str = "127.0.0.1", reader: ReaderAccess | None = None
    ) -> None:
        """Without `reader` nobody but who has `password` gets in."""
        self.password = password
        # The driver opens the real path, and one process can open no other spelling of it.
        self._path = str(Path(path).resolve())
        self._statements = _Statements()
        own = {"path_of_store": self._path, "password": password, "statements": self._statements, "reader": reader}
        self._server = _Server((host, port), type("Handler", (_Handler,), own))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="store", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self, patience_s: float = PATIENCE_S) -> bool:
        """Close the port. Statements that run are finished within `patience_s`, or killed, all of this process with
        them; later ones of connections that are open are refused. True: none runs any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._statements.end(patience_s):
            return True
        with contextlib.suppress(RuntimeError):
            kill_queries(self._path)
        return self._statements.end(KILLED_S)


class _Statements:
    """Counts the statements that run, and lets no more begin once the end has come."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._ended = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around each statement.

        Raises:
            RuntimeError: no more may begin.
        """
        with self._changed:
            if self._ended:
                raise RuntimeError(ENDING)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def end(self, patience_s: float) -> bool:
        """Let no more begin; whether all are over within `patience_s`."""
        with self._changed:
            self._ended = True
            return self._changed.wait_for(lambda: not self._running, patience_s)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        #: Those that have asked nothing yet, the one that has waited longest first.
        self._silent: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(most_connections(raise_handles(), MOST_CONNECTIONS, PART))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own. Where there are too many, since each takes a handle and a thread, the one that
        has been silent longest is closed, or, if all have asked something, this one."""
        if not self._room.acquire(blocking=False) and not self._made_room():
            self.shutdown_request(request)
            return
        with self._lock:
            self._silent[request] = None
        super().process_request(request, client_address)

    def _made_room(self) -> bool:
        with self._lock:
            oldest = next(iter(self._silent), None)
            if oldest is None:
                return False
            del self._silent[oldest]
        with contextlib.suppress(OSError):  # it may be closing by itself
            oldest.shutdown(socket.SHUT_RDWR)
        return self._room.acquire(timeout=ROOM_S)

    def asked(self, request: socket.socket) -> None:
        """A connection has said what it asks."""
        with self._lock:
            self._silent.pop(request, None)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """What that thread does."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.asked(request)
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What went wrong with one connection; that its client went away is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        # Small answers would otherwise wait for the client's delayed acknowledgement.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = SILENT_S
    path_of_store = ""
    password = ""
    statements: _Statements
    reader: ReaderAccess | None = None
    server: _Server

    def parse_request(self) -> bool:
        """Read the head of a request."""
        is_whole = super().parse_request()
        self.server.asked(self.connection)
        return is_whole

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self._send(413, b"the body is too large\n")
            return
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        try:
            body = b"".join(self._chunks()) if chunked else self._exactly(length)
        except EOFError:
            # The client is gone. What came of an INSERT may look like a whole one.
            self.close_connection = True
            return
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        url = urlsplit(self.path)
        arguments = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/ping":
            self._send(200, b"Ok.\n")
            return
        if (reads := self._reads_only(arguments)) is None:
            self._send(
                403, b"Code: 516. DB::Exception: Authentication failed: the password is incorrect.\n", code="516"
            )
            return
        try:
            data = UNPACK[self.headers.get("Content-Encoding", "").lower()](body)
            if is_form(kind := self.headers.get("Content-Type", "")):
                arguments |= form_fields(kind, data)
                data = b""
            statement = arguments.get("query", "").encode()
            statement += b"\n" * bool(statement and data) + data
            reader = self.reader if reads else None
            # Whoever waits for a turn has not begun: a stop refuses it then.
            with nullcontext() if reader is None else reader.turn(), self.statements.running():
                result, form = _run(self.path_of_store, statement, arguments, reader)
        except KeyError as error:
            self._send(400, f"Code: 36. DB::Exception: unknown Content-Encoding {error}\n".encode(), code="36")
        except Exception as error:  # chdb raises bare RuntimeErrors for whatever the engine says
            text = str(error)
            code = ERROR_CODE.search(text)
            start = code.start() if code else 0
            status = 403 if isinstance(error, RefusedStatementError) else 404 if code and code[1] == "60" else 500
            self._send(status, text[start:].encode(), code=code[1] if code else "1002")
        else:
            self._send(200, result, form=form)

    def _reads_only(self, arguments: dict[str, str]) -> bool | None:
        """Whether it is the user who only reads; None: nobody who is known here."""
        user = self.headers.get("X-ClickHouse-User") or arguments.get("user") or ""
        given = self.headers.get("X-ClickHouse-Key") or arguments.get("password") or ""
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, given = base64.b64decode(encoded).decode().partition(":")
            except ValueError:
                user = given = ""
        if user == READER and self.reader is not None:
            return True if hmac.compare_digest(given.encode(), self.reader.password.encode()) else None
        return False if hmac.compare_digest(given.encode(), self.password.encode()) else None

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().split(b";")[0], 16):
            yield self._exactly(size)
            self._line()
        self._line()

    def _line(self) -> bytes:
        line = self.rfile.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line

    def _exactly(self, length: int) -> bytes:
        read = self.rfile.read(length)
        if len(read) < length:
            raise EOFError
        return read

    def _send(self, status: int, body: bytes, *, code: str = "", form: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("X-ClickHouse-Summary", "{}")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        if form:
            self.send_header("X-ClickHouse-Format", form)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


def _run(
    path: str, statement: bytes, arguments: dict[str, str], reader: ReaderAccess | None = None
) -> tuple[bytes, str]:
    """Run one statement on a handle of its own, so that its database and settings end with it."""
    form = arguments.get("default_format", "TabSeparated")
    parameters = {name[6:]: value for name, value in arguments.items() if name.startswith("param_")}
    # Imported here: the library takes 250 MB, which processes that only reach a store shall not pay.
    import chdb

    handle: Any = chdb.connect(engine_address(path))  # type: ignore[no-untyped-call]
    try:
        if NAME.fullmatch(database := arguments.get("database", "")):
            handle.query(f"USE `{database}`", form)
        settings = {k: v for k, v in arguments.items() if k not in TRANSPORT and not k.startswith("param_")}
        if reader is None and (insert := INSERT.match(statement)):
            return _insert(handle, insert, statement[insert.end() :], settings), ""
        text = statement.decode()
        if reader is not None:
            handle.query(reader.limits(settings), form)
            text, asked = checked(handle, text, parameters)
            form = asked or form
        elif said := ", ".join(
            f"{name} = {_quoted(value)}" for name, value in settings.items() if NAME.fullmatch(name)
        ):
            handle.query(f"SET {said}", form)
        result = handle.query(text, form, params=parameters).bytes() or b""
        own = FORMAT_AT_END.search(text)
        form = own[0].split()[1].rstrip(";") if own else form if result else ""
        if form == "Native" and (revision := _revision(arguments)):
            result = framed(result, revision)
        return result, form
    finally:
        handle.close()


def _revision(arguments: dict[str, str]) -> int:
    """The revision of the protocol that a client wants blocks of; 0 for those that read them as they are."""
    named = arguments.get("client_protocol_version", "")
    return int(named) if named.isdigit() and int(named) >= CUSTOM_SERIALIZATION else 0


def _insert(handle: Any, insert: re.Match[bytes], data: bytes, settings: dict[str, str]) -> bytes:
    clause = _settings({**settings, **{name: str(value) for name, value in INSERTS.items()}})
    with _spooled(data) as file:
        handle.query(
            f"INSERT INTO {insert['into'].decode()} FROM INFILE {_quoted(str(file))}"
            f" SETTINGS {clause} FORMAT {insert['format'].decode()}",
            "TabSeparated",
        )
    return b""


def _settings(settings: dict[str, str]) -> str:
    return ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items() if NAME.fullmatch(name))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@contextmanager
def _spooled(data: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="repmon-", suffix=".insert") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)
