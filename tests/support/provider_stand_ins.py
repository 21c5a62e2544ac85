"""Gmail Postmaster Tools and Microsoft SNDS on loopback, as far as they are asked: pages, refusals, missing days."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

TOKEN, CLIENT_SECRET, REFRESH_TOKEN, SNDS_KEY = "t0ken-ok", "s3cret-ok", "refresh-0k", "0123-key"


class StandIn(ThreadingHTTPServer):
    """Both providers. `refusals` are given first, one a request: a status with its Retry-After.

    `domains` are what the account sees, `denied` those it has no access to. `rates` are spam rates by domain and day,
    `loops` of feedback loops by domain, identifier and day; `compliance` are whole answers by domain. `files` are
    those of SNDS by day, `blocked` its status of addresses; its REST interface gives out `snds_refresh_tokens` in turn.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.domains: list[dict[str, str]] = []
        self.denied: set[str] = set()
        self.rates: dict[str, dict[date, float]] = {}
        self.loops: dict[str, dict[str, dict[date, float]]] = {}
        self.compliance: dict[str, dict[str, Any]] = {}
        self.files: dict[date, bytes] = {}
        self.blocked = b""
        self.snds_refresh_tokens = deque[str]()
        self.refusals: deque[tuple[int, str]] = deque()
        self.page = 2
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append(f"GET {parts.path} {query.get('date', query.get('pageToken', ''))}".strip())
        if self._refused():
            return
        if parts.path == "/snds/data.aspx":
            self._snds(query)
        elif parts.path.startswith("/snds-api/"):
            self._snds_api(parts.path)
        elif self._may():
            if parts.path == "/v2/domains":
                self._page("domains", self.server.domains, query.get("pageToken", ""), int(query["pageSize"]))
            else:
                domain = unquote(parts.path.split("/")[3])
                answer = self.server.compliance.get(domain)
                if answer is None:
                    self._error(404, "NOT_FOUND")
                else:
                    self._json(200, answer)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(f"POST {self.path}")
        if self._refused():
            return
        if self.path == "/microsoft-token":
            self._snds_token(parse_qs(body.decode()))
        elif self.path == "/token":
            form = parse_qs(body.decode())
            good = form["client_secret"] == [CLIENT_SECRET] and form["refresh_token"] == [REFRESH_TOKEN]
            if good and form["grant_type"] == ["refresh_token"]:
                self._json(200, {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})
            else:
                self._json(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
        elif self._may():
            domain = unquote(self.path.split("/")[3])
            if domain in self.server.denied:
                self._error(403, "PERMISSION_DENIED")
                return
            query = msgspec.json.decode(body)
            self._page("domainStats", list(self._stats(domain, query)), query.get("pageToken", ""), query["pageSize"])

    def _stats(self, domain: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        ((span),) = query["timeQuery"]["dateRanges"]["dateRanges"]
        first, last = (date(each["year"], each["month"], each["day"]) for each in (span["start"], span["end"]))
        loops = self.server.loops.get(domain, {})
        for metric in query["metricDefinitions"]:
            kind = metric["baseMetric"]["standardMetric"]
            values: dict[date, dict[str, Any]] = {}
            if kind == "SPAM_RATE":
                values = {day: {"doubleValue": rate} for day, rate in self.server.rates.get(domain, {}).items()}
            elif kind == "FEEDBACK_LOOP_ID":
                for loop, rates in loops.items():
                    for day in rates:
                        values.setdefault(day, {"stringList": {"values": []}})["stringList"]["values"].append(loop)
            else:
                loop = metric["filter"].partition('"')[2].removesuffix('"')
                values = {day: {"doubleValue": rate} for day, rate in loops[loop].items()}
            for day, value in values.items():
                if first <= day <= last:
                    at = {"year": day.year, "month": day.month, "day": day.day}
                    yield {"metric": metric["name"], "date": at, "value": value}

    def _snds(self, query: dict[str, str]) -> None:
        if query["key"] != SNDS_KEY:
            self._send(401, b"", "text/plain")
            return
        month, day, year = (int(query["date"][at : at + 2]) for at in (0, 2, 4))
        self._send(200, self.server.files.get(date(2000 + year, month, day), b""), "text/csv")

    def _snds_api(self, path: str) -> None:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._send(401, b"", "text/plain")
        elif path == "/snds-api/api/report/status/ip":
            self._send(200, self.server.blocked, "text/csv")
        else:
            found = self.server.files.get(date.fromisoformat(path.rpartition("/")[2]))
            self._send(404 if found is None else 200, found or b"", "text/csv")

    def _snds_token(self, form: dict[str, list[str]]) -> None:
        """A refresh token, or the code of a sign-in, is good once, and a token comes with what it is good for."""
        tokens = self.server.snds_refresh_tokens
        if form["grant_type"] == ["authorization_code"]:
            form = {**form, "refresh_token": form["code"] if form["code_verifier"][0].startswith("r64") else ["none"]}
        if form["refresh_token"] != [tokens[0]] or not form["scope"][0].endswith("/.default offline_access"):
            self._json(400, {"error": "invalid_grant"})
            return
        tokens.popleft()
        self._json(200, {"access_token": TOKEN, "refresh_token": tokens[0], "expires_in": 3599, "token_type": "Bearer"})

    def _may(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {TOKEN}":
            return True
        self._error(401, "UNAUTHENTICATED")
        return False

    def _refused(self) -> bool:
        if not self.server.refusals:
            return False
        code, after = self.server.refusals.popleft()
        self._send(code, b"busy", "text/plain", {"Retry-After": after} if after else {})
        return True

    def _page(self, name: str, items: list[Any], token: str, size: int) -> None:
        first = int(token or 0)
        last = first + min(size, self.server.page)
        more = {"nextPageToken": str(last)} if last < len(items) else {}
        self._json(200, ({name: items[first:last]} if items else {}) | more)

    def _error(self, code: int, status: str) -> None:
        self._json(code, {"error": {"code": code, "message": "said", "status": status}})

    def _json(self, code: int, body: Any) -> None:
        self._send(code, msgspec.json.encode(body), "application/json")

    def _send(self, code: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def providers() -> Iterator[StandIn]:
    """Both providers while the block runs."""
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
