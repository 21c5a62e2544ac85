"""Stand-ins of what a hook asks: KumoMTA's suspensions and SES's sending status, as their sources and shapes say."""

import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from jobs.hooks.targets.base import Order

PATH = "/api/admin/suspend/v1"
BUMP = "/api/admin/bump-config-epoch"
SES = "/v2/email/reputation/entities/RESOURCE/"


@dataclass
class TargetStandIn:
    """What is in force there, and all that was asked. `answer` in place of a status makes it refuse; `late_s` makes it
    slow."""

    url: str = ""
    #: By (tenant, campaign, domain), as KumoMTA: one suspension of each, in memory.
    suspended: dict[tuple[Any, Any, Any], dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    answer: int = 0
    #: Fields of its answers.
    fields: dict[str, str] = field(default_factory=dict)
    #: Data files of KumoMTA's queue helper in their order, and what a node has read of them: a tenant's settings.
    files: list[Path] = field(default_factory=list)
    tenants_read: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Called with each request before it is done, and after, before it is answered.
    before: Callable[[str, dict[str, Any]], None] = lambda _method, _body: None
    after: Callable[[str, dict[str, Any]], None] = lambda _method, _body: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The bodies of the requests of a method."""
        return [body for how, _, body, _ in self.asked if how == method]

    def tenants(self) -> set[str]:
        """Who is suspended."""
        return {str(tenant) for tenant, _, _ in self.suspended}

    def read_files(self) -> None:
        """Read the data files as `policy-extras.queue` does: a later one replaces single settings; none is unknown."""
        self.tenants_read = {}
        for each in self.files:
            for tenant, settings in tomllib.loads(each.read_text(encoding="utf-8")).get("tenant", {}).items():
                assert set(settings) <= {"overall_max_message_rate", "egress_pool", "max_age"}
                self.tenants_read.setdefault(tenant, {}).update(settings)

    def rate(self, tenant: str) -> str | None:
        """The rate that a tenant has."""
        found: str | None = self.tenants_read.get(tenant, {}).get("overall_max_message_rate")
        return found

    def restart(self) -> None:
        """Forget everything, as a restart does."""
        self.suspended.clear()
        self.read_files()


def _handle(seen: TargetStandIn, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    if seen.answer:
        return seen.answer, "switched off"
    if path == PATH:
        return _kumo(seen, method, body)
    if path == BUMP:
        seen.read_files()
        return 200, ""
    if path.startswith(SES):
        arn = unquote(path.removeprefix(SES).removesuffix("/customer-managed-status"))
        if method == "PUT":
            seen.statuses[arn] = body["SendingStatus"]
        status = seen.statuses.get(arn, "ENABLED")
        return 200, {"ReputationEntity": {"CustomerManagedStatus": {"Status": status}}}
    if path == "/v2/email/tenants/get":
        return 200, {"Tenant": {"TenantArn": f"arn:aws:ses:eu-west-1:123456789012:tenant/{body['TenantName']}/tn-1"}}
    return 200, "noted"


def _kumo(seen: TargetStandIn, method: str, body: dict[str, Any]) -> tuple[int, Any]:
    if method == "POST":
        key = (body.get("tenant"), body.get("campaign"), body.get("domain"))
        entry = dict.fromkeys(("tenant", "campaign", "domain")) | body | {"id": str(uuid4())}
        seen.suspended[key] = entry
        return 200, {"id": entry["id"]}
    if method == "DELETE":
        for key, entry in list(seen.suspended.items()):
            if entry["id"] == body["id"]:
                del seen.suspended[key]
                return 200, f"removed {body['id']}"
        return 404, "suspend entry not found"
    return 200, list(seen.suspended.values())


@contextmanager
def target_stand_in() -> Iterator[TargetStandIn]:
    """One that answers until the end."""
    seen = TargetStandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                body = json.loads(text) if text else {}
            except ValueError:
                body = {"text": text.decode()}
            seen.before(self.command, body)
            with seen.lock:
                seen.asked.append((self.command, self.path, body, dict(self.headers.items())))
                status, said = _handle(seen, self.command, self.path, body)
            seen.after(self.command, body)
            answer = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(status)
            for name, value in seen.fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        setattr(Handler, f"do_{method}", Handler._any)

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Who asked may be dead."""

    server = Server(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


#: A name that nobody should let out of its quotes.
EVIL = 'a"}, {"tenant": null\\ \u202e\n$(reboot)'


def order(**changes: Any) -> Order:
    """What a target is asked about acme."""
    found: dict[str, Any] = {
        "id": "0c44b1f09a3e-1-apply",
        "tag": "0c44b1f09a3e",
        "operation": "apply",
        "customer": "acme",
        "scope": "customer",
        "stream": "",
        "effect": "suspend",
        "about": "suspend",
        "level": "critical",
        "rule": "failure",
        "reason": "critical failure 14.20 %",
        "alert_id": "4877",
        "alert_ids": ("4877",),
    }
    return Order(**(found | changes))
