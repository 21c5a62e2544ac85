"""A port on loopback that takes TLS and hands on what comes to another port, in plain text."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer


class TlsProxy(ThreadingTCPServer):
    """In front of `port`. With `clients` it takes only who shows a certificate of that authority."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, certificate: Path, key: Path, clients: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = ("127.0.0.1", port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        if clients is not None:
            self._context.load_verify_locations(clients)
            self._context.verify_mode = ssl.CERT_REQUIRED

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, object]:
        taken, address = super().get_request()
        # The handshake is for the thread of the connection.
        return self._context.wrap_socket(taken, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us, or that we do not take, is what the tests are about."""


class _Handler(StreamRequestHandler):
    server: TlsProxy
    wbufsize = 0

    def handle(self) -> None:
        with socket.create_connection(self.server.behind) as behind, behind.makefile("rwb", buffering=0) as inside:
            answers = threading.Thread(target=_copy, args=(inside, self.wfile), daemon=True)
            answers.start()
            _copy(self.rfile, inside)
            behind.shutdown(socket.SHUT_WR)
            answers.join()


def _copy(source: object, target: object) -> None:
    with suppress(OSError, ValueError):
        while piece := source.read1(65_536) if hasattr(source, "read1") else source.read(65_536):  # type: ignore[attr-defined]
            target.write(piece)  # type: ignore[attr-defined]


@contextmanager
def tls_proxy(port: int, certificate: Path, key: Path, clients: Path | None = None) -> Iterator[TlsProxy]:
    """One that answers while this lasts."""
    with TlsProxy(port, certificate, key, clients) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()
