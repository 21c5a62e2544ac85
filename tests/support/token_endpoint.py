"""A token endpoint on loopback, with the tokens that Kafka takes unsigned where nothing else is configured."""

import threading
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import msgspec

CLIENT, SECRET = "repmon", "right-s3cret"
LIFE_S = 300


class TokenEndpoint(HTTPServer):
    """Gives tokens to who knows the secret. `asked` are the forms that came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, list[str]]] = []
        self.good = True

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/token"


class _Handler(BaseHTTPRequestHandler):
    server: TokenEndpoint

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append(form)
        if self.headers["Authorization"] != f"Basic {b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}":
            self._answer(401, {"error": "invalid_client"})
            return
        ends_s = int(time.time()) + (LIFE_S if self.server.good else -LIFE_S)
        self._answer(200, {"access_token": token(ends_s), "expires_in": LIFE_S, "token_type": "bearer"})

    def _answer(self, code: int, body: dict[str, object]) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(msgspec.json.encode(body))

    def log_message(self, *_: object) -> None:
        pass


def token(ends_s: int) -> str:
    """An unsigned JWT (RFC 7519, section 6.1) that is good until `ends_s` (epoch s)."""
    claims = {"sub": CLIENT, "iat": ends_s - 2 * LIFE_S, "exp": ends_s}
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def _part(content: dict[str, object]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()


@contextmanager
def token_endpoint() -> Iterator[TokenEndpoint]:
    """One that answers while this lasts."""
    with TokenEndpoint() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
