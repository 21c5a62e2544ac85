"""Events to tell of, routes, and receivers that keep what they got."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from jobs.notify.events import Event, read_event
from jobs.notify.notification import Notification, Parcel
from schemas.alert import ALERT_TYPE, AlertData, AlertEvent, Evidence, Held, Share, TransitionKind
from schemas.levels import Level
from schemas.notify import Notify, Route, Webhook, check_notify
from schemas.wording import rfc3339

#: A key of Standard Webhooks.
KEY = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_KEY = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
HOOK = Webhook(url="https://hooks.example/repmon", secrets=(KEY,))


def told_alert(
    kind: TransitionKind = "opened",
    level: Level = "critical",
    previous: Level = "good",
    *,
    customer: str = "acme",
    number: int = 1,
    time_ms: int = 0,
    held: bool = False,
    scope: str = "customer",
    provider: str = "gmail",
    episode: int = 1,
) -> AlertEvent:
    """An alert as it is sent."""
    return AlertEvent(
        id=f"{customer}-{episode}-{number}-{level}",
        type=ALERT_TYPE.format(kind=kind),
        subject=customer,
        time=rfc3339(time_ms),
        data=AlertData(
            alert_id=f"{customer}-{episode}",
            customer=customer,
            scope=scope,
            rule="failure",
            metric="failure",
            kind=kind,
            level=level,
            previous_level=previous,
            episode=episode,
            transition=number,
            window="24h",
            numerator=142,
            denominator=1000,
            rate=0.142,
            lower=0.12,
            upper=0.16,
            confidence=0.95,
            threshold=0.1,
            policy_version="default-1",
            explanation="Most failed at example.net.",
            evidence=Evidence(providers=(Share(name=provider, count=100, volume=900),)),
            held=Held(id="3f9c", reason="brake", since_ms=0, customers=23) if held else None,
        ),
    )


def told(*args: Any, **named: Any) -> Event:
    """The same as routes see it."""
    return read_event(msgspec.json.encode(told_alert(*args, **named)))


def a_route(name: str = "hook", **settings: Any) -> Route:
    """A checked route; a webhook without a `target`."""
    route = Route(name=name, **{"target": HOOK, **settings})
    check_notify(Notify(routes=(route,)))
    return route


def parcel_of(*events: Event, route: str = "hook") -> Parcel:
    """Events on their way."""
    items = [
        Notification(
            id=f"msg_{each.id}",
            route=route,
            event_id=each.id,
            lane=each.lane,
            reader="",
            place=at,
            due_ms=0,
            taken_ms=0,
            event=each.text,
        )
        for at, each in enumerate(events)
    ]
    return Parcel(route=route, lane=items[0].lane, items=items)


class Received(NamedTuple):
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Receiver:
    """Keeps each request, and answers what `answer` says: a status, header fields and a body."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[Received] = []
        self.answer: Callable[[Received], tuple[int, dict[str, str], bytes]] = lambda _request: (204, {}, b"")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self, status: int, fields: dict[str, str] | None = None, body: bytes = b"") -> None:
        """Always this from now on."""
        self.answer = lambda _request: (status, fields or {}, body)

    def bodies(self) -> Sequence[Any]:
        """What came, as JSON."""
        return [each.json for each in self.requests]


@contextmanager
def receiver(certificate: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """A server on a port of the loopback; with the files of a certificate and its key, over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Received(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            found.requests.append(request)
            status, fields, answer = found.answer(request)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **fields}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST  # noqa: N815 - the name is the library's

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    found = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
