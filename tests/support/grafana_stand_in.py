"""A stand-in for Grafana 11, 12 and 13: the part of its documented HTTP API that a deployment uses, with state.

After the documentation of its HTTP API: "Folder", "Dashboard", "Data source", "Folder/Dashboard Search", and for
version 12 and later what is in grafana_resources.py. The data source calls by numeric id, deprecated since version 9,
are not there.
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PLUGIN = "grafana-clickhouse-datasource"
LONGEST_UID = 40
Body = dict[str, Any]
Answer = tuple[int, Any]


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.answer: Answer = (code, {"message": message, **more})


@dataclass
class FakeGrafana:
    """What this Grafana holds, and how it behaves."""

    version: int = 11
    #: That of the token's organisation, for resources.
    namespace: str = "default"
    #: Whether `/api` has folders and dashboards no more, as a version to come announces.
    without_legacy: bool = False
    #: Calls that fail: part of `METHOD /path`, and the status of each of the next answers to such a call; 0 is as ever.
    failing: list[tuple[str, list[int]]] = field(default_factory=list)
    #: What happens just before the answer to a call: part of `METHOD /path`, and what is done, once.
    before: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    token: str = "admin-token"
    viewer_token: str = "viewer-token"
    users: dict[str, str] = field(default_factory=lambda: {"admin": "secret"})
    plugins: set[str] = field(default_factory=lambda: {PLUGIN})
    #: The path under which Grafana is served, such as `/grafana`.
    prefix: str = ""
    health: Answer = (200, {"status": "OK", "message": "Data source is working"})
    #: Replaces every answer: status, content type, text.
    instead: tuple[int, str, str] | None = None
    redirect_to: str = ""
    folders: dict[str, Body] = field(default_factory=dict)
    dashboards: dict[str, Body] = field(default_factory=dict)
    sources: dict[str, Body] = field(default_factory=dict)
    #: The passwords that were sent, by data source uid; Grafana never shows them.
    secrets: dict[str, Body] = field(default_factory=dict)
    #: (method, path) of each call, in order.
    calls: list[tuple[str, str]] = field(default_factory=list)

    def add_folder(self, title: str, uid: str) -> None:
        self.folders[uid] = {"id": len(self.folders) + 1, "uid": uid, "title": title, "version": 1}

    def add_source(self, name: str, uid: str, kind: str = PLUGIN, *, read_only: bool = False) -> None:
        self.sources[uid] = {
            "id": len(self.sources) + 1,
            "uid": uid,
            "name": name,
            "type": kind,
            "readOnly": read_only,
            "version": 1,
        }

    def answer(self, method: str, path: str, authorization: str, body: Body) -> Answer:
        """The status and body of one call; `path` is without the prefix."""
        try:
            self._check_access(method, authorization)
            route, _, query = path.partition("?")
            self._interfere(f"{method} {route}")
            asked = {**body, **{k: v[0] for k, v in parse_qs(query).items()}}
            if route.startswith("/apis/"):
                from tests.support import grafana_resources

                return grafana_resources.answer(self, method, route, asked)
            if self.without_legacy and re.match(r"/api/(folders|dashboards|search)", route):
                return 404, {"message": "Not found"}
            for wanted, pattern, handle in ROUTES:
                if wanted == method and (found := re.fullmatch(pattern, route)):
                    names = [unquote(name) for name in found.groups()]
                    return handle(self, names, asked)
        except RefusedError as refused:
            return refused.answer
        return 404, {"message": "Not found"}

    def _interfere(self, call: str) -> None:
        for part, act in list(self.before):
            if part in call:
                self.before.remove((part, act))
                act()
        for part, statuses in self.failing:
            if part in call and statuses and (status := statuses.pop(0)):
                raise RefusedError(status, f"made to fail with {status}")

    def _check_access(self, method: str, authorization: str) -> None:
        kind, _, value = authorization.partition(" ")
        if kind == "Basic":
            user, _, password = base64.b64decode(value).decode("utf-8", "replace").partition(":")
            allowed = self.users.get(user) == password
        else:
            allowed = kind == "Bearer" and value in (self.token, self.viewer_token)
        if not allowed:
            raise RefusedError(401, "Unauthorized")
        if value == self.viewer_token and method != "GET":
            raise RefusedError(403, "You'll need additional permissions to perform this action.")


def _get_folder(grafana: FakeGrafana, names: list[str], _: Body) -> Answer:
    return 200, known(grafana.folders, names[0], "folder not found")


def _create_folder(grafana: FakeGrafana, _: list[str], body: Body) -> Answer:
    title, uid = body.get("title", ""), body.get("uid") or f"made-{len(grafana.folders)}"
    check_name(title, uid)
    if uid in grafana.folders or title in [folder["title"] for folder in grafana.folders.values()]:
        raise RefusedError(409, "a folder with the same name already exists in the current location")
    grafana.add_folder(title, uid)
    return 200, grafana.folders[uid]


def _update_folder(grafana: FakeGrafana, names: list[str], body: Body) -> Answer:
    folder = known(grafana.folders, names[0], "folder not found")
    check_name(body.get("title", ""), names[0])
    if not body.get("overwrite") and body.get("version") != folder["version"]:
        raise RefusedError(412, "The folder has been changed by someone else", status="version-mismatch")
    folder.update(title=body["title"], version=folder["version"] + 1)
    return 200, folder


def _search(grafana: FakeGrafana, _: list[str], query: Body) -> Answer:
    if query.get("type") == "dash-db" and "page" in query:
        begin = (int(query["page"]) - 1) * int(query["limit"])
        boards = [{**each["dashboard"], "type": "dash-db"} for each in grafana.dashboards.values()]
        return 200, boards[begin : begin + int(query["limit"])]
    kinds = {
        "dash-folder": grafana.folders,
        "dash-db": {k: v["dashboard"] for k, v in grafana.dashboards.items()},
    }
    return 200, [
        {"id": each["id"], "uid": uid, "title": each["title"], "type": kind, "tags": [], "isStarred": False}
        for kind, held in kinds.items()
        if query.get("type", kind) == kind
        for uid, each in held.items()
        if query.get("query", "").lower() in each["title"].lower()
    ]


def _get_source(grafana: FakeGrafana, names: list[str], _: Body) -> Answer:
    for source in grafana.sources.values():
        if source["name"] == names[0]:
            return 200, source
    raise RefusedError(404, "Data source not found")


def _create_source(grafana: FakeGrafana, _: list[str], body: Body) -> Answer:
    uid = body.get("uid") or f"made-{len(grafana.sources)}"
    check_name(body.get("name", ""), uid)
    if not body.get("type") or not body.get("access"):
        raise RefusedError(400, "bad request data")
    if uid in grafana.sources or body["name"] in [source["name"] for source in grafana.sources.values()]:
        raise RefusedError(409, "data source with the same name already exists")
    grafana.add_source(body["name"], uid)
    return 200, _keep_source(grafana, uid, body, "Datasource added")


def _update_source(grafana: FakeGrafana, names: list[str], body: Body) -> Answer:
    source = known(grafana.sources, names[0], "Data source not found")
    if source["readOnly"]:
        raise RefusedError(403, "Cannot update read-only data source")
    source["version"] += 1
    return 200, _keep_source(grafana, names[0], body, "Datasource updated")


def _keep_source(grafana: FakeGrafana, uid: str, body: Body, message: str) -> Body:
    secrets = body.pop("secureJsonData", {})
    grafana.secrets[uid] = {**grafana.secrets.get(uid, {}), **secrets}
    source = grafana.sources[uid]
    source.update(body, secureJsonFields=dict.fromkeys(grafana.secrets[uid], True))
    return {"datasource": source, "id": source["id"], "message": message, "name": source["name"]}


def _check_source(grafana: FakeGrafana, names: list[str], _: Body) -> Answer:
    known(grafana.sources, names[0], "Data source not found")
    return grafana.health


def _get_dashboard(grafana: FakeGrafana, names: list[str], _: Body) -> Answer:
    return 200, known(grafana.dashboards, names[0], "Dashboard not found")


def _save_dashboard(grafana: FakeGrafana, _: list[str], body: Body) -> Answer:
    board = body.get("dashboard") or {}
    uid, folder_uid = board.get("uid") or f"made-{len(grafana.dashboards)}", body.get("folderUid", "")
    if not board.get("title"):
        raise RefusedError(400, "Dashboard title cannot be empty", status="empty-name")
    check_name(board["title"], uid)
    if folder_uid and folder_uid not in grafana.folders:
        raise RefusedError(400, "folder not found")
    held = grafana.dashboards.get(uid)
    changed = held is not None and board.get("version") != held["dashboard"]["version"]
    if changed and not body.get("overwrite"):
        raise RefusedError(412, "The dashboard has been changed by someone else", status="version-mismatch")
    version = 1 if held is None else held["dashboard"]["version"] + 1
    number = len(grafana.dashboards) + 1 if held is None else held["dashboard"]["id"]
    grafana.dashboards[uid] = {
        "dashboard": {**board, "uid": uid, "id": number, "version": version},
        "meta": {"folderUid": folder_uid, "url": f"/d/{uid}/slug", "isStarred": False},
    }
    saved = {"id": number, "uid": uid, "url": f"/d/{uid}/slug", "status": "success", "version": version}
    return 200, {**saved, "slug": "slug"}


def _delete_dashboard(grafana: FakeGrafana, names: list[str], _: Body) -> Answer:
    known(grafana.dashboards, names[0], "Dashboard not found")
    del grafana.dashboards[names[0]]
    return 200, {"title": names[0], "message": f"Dashboard {names[0]} deleted", "id": 1}


def _settings(grafana: FakeGrafana, _: list[str], __: Body) -> Answer:
    return 200, {"buildInfo": {"version": f"{grafana.version}.0.0"}, "namespace": grafana.namespace}


def _get_plugin(grafana: FakeGrafana, names: list[str], _: Body) -> Answer:
    if names[0] not in grafana.plugins:
        raise RefusedError(404, "Plugin not found, no installed plugin with that id")
    return 200, {"id": names[0], "type": "datasource", "enabled": True}


def known(held: dict[str, Body], uid: str, missing: str) -> Body:
    if uid not in held:
        raise RefusedError(404, missing)
    return held[uid]


def check_name(title: str, uid: str) -> None:
    if not title or len(uid) > LONGEST_UID or not re.fullmatch(r"[A-Za-z0-9_-]+", uid):
        raise RefusedError(400, "bad request data")


ROUTES: list[tuple[str, str, Callable[[FakeGrafana, list[str], Body], Answer]]] = [
    ("GET", r"/api/folders/([^/]+)", _get_folder),
    ("POST", r"/api/folders", _create_folder),
    ("PUT", r"/api/folders/([^/]+)", _update_folder),
    ("GET", r"/api/search", _search),
    ("GET", r"/api/datasources/name/([^/]+)", _get_source),
    ("POST", r"/api/datasources", _create_source),
    ("PUT", r"/api/datasources/uid/([^/]+)", _update_source),
    ("GET", r"/api/datasources/uid/([^/]+)/health", _check_source),
    ("GET", r"/api/dashboards/uid/([^/]+)", _get_dashboard),
    ("POST", r"/api/dashboards/db", _save_dashboard),
    ("DELETE", r"/api/dashboards/uid/([^/]+)", _delete_dashboard),
    ("GET", r"/api/frontend/settings", _settings),
    ("GET", r"/api/plugins/([^/]+)/settings", _get_plugin),
]


@contextmanager
def serving(grafana: FakeGrafana, host: str = "127.0.0.1") -> Iterator[str]:
    """The address of a server in front of `grafana`."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            grafana.calls.append((self.command, urlsplit(self.path).path))
            if grafana.redirect_to:
                self.send_response(301)
                self.send_header("Location", grafana.redirect_to + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            kind = "application/json"
            if grafana.instead is not None:
                status, kind, text = grafana.instead
            elif not re.match(re.escape(grafana.prefix) + "/apis?/", self.path):
                status, kind, text = 404, "text/html", "<html>no message here</html>"
            else:
                path = self.path.removeprefix(grafana.prefix)
                status, answer = grafana.answer(self.command, path, self.headers.get("Authorization", ""), body or {})
                text = json.dumps(answer)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_DELETE = _respond  # noqa: N815 - names of the base class

    server = ThreadingHTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}{grafana.prefix}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
