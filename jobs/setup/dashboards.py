"""Bring the dashboard to Grafana: its folder, its data source and itself. Safe to repeat.

Grafana's HTTP API is spoken through `grafana_api`. That package puts names into paths as they are, takes the
numeric data source ids that Grafana has deprecated since version 9, and lets errors of `requests` through:
names are quoted here, data sources are updated by uid, and every failure becomes a `DashboardError`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import requests
from grafana_api.grafana_api import GrafanaException
from grafana_api.grafana_face import GrafanaFace

from dashboards import reputation
from dashboards.model import PLUGIN, Current, Dashboard
from schemas.errors import ExternalError
from schemas.policy import Policy
from schemas.secrets import without_user
from schemas.settings import ClickHouse, Grafana

FOLDER_UID = "repmon"
TIMEOUT_S = 10.0
NOT_FOUND = 404
GrafanaAnswer = TypeVar("GrafanaAnswer")


class DashboardError(ExternalError):
    """Grafana could not be reached, or refused; the message says what was tried and what to do."""


class _Folder(msgspec.Struct):
    uid: str
    title: str


class _DataSource(msgspec.Struct):
    uid: str
    type: str
    read_only: bool = msgspec.field(name="readOnly", default=False)


class _Created(msgspec.Struct):
    datasource: _DataSource


class _Health(msgspec.Struct):
    status: str
    message: str = ""


class _Saved(msgspec.Struct):
    uid: str
    url: str
    version: int


def generate() -> str:
    """The dashboard's JSON as kept in `dashboards/reputation.json`."""
    return reputation.to_json(reputation.build_dashboard())


def deploy(grafana: Grafana, clickhouse: ClickHouse, policy: Policy | None = None) -> list[str]:
    """Create or update folder, data source and dashboard; returns one line for each, saying which it was.

    Grafana will read ClickHouse as `clickhouse.user`, who needs no more than to read. An empty
    `grafana.folder` is Grafana's top level. Graphs draw the thresholds of `policy`, by default the built-in
    one.

    Raises:
        DashboardError: the settings cannot be used, Grafana cannot be reached, or it refused.
    """
    calls = _Calls(_connect(grafana), without_user(grafana.url))
    calls.require_plugin()
    lines = []
    folder_uid = ""
    if grafana.folder:
        folder_uid, line = _folder(calls, grafana.folder)
        lines.append(line)
    source_uid, line = _data_source(calls, grafana, clickhouse)
    lines.append(line)
    board = reputation.build_dashboard(policy=policy, data_source=Current(text=grafana.datasource, value=source_uid))
    lines.append(_dashboard(calls, folder_uid, board))
    return lines


class _Calls:
    """Calls to one Grafana, with one kind of error."""

    def __init__(self, face: Any, where: str) -> None:
        self.face = face
        self._where = where

    def ask(self, what: str, call: Callable[[], Any], shape: type[GrafanaAnswer]) -> GrafanaAnswer:
        """The answer of `call`, checked."""
        try:
            return msgspec.convert(call(), shape)
        except GrafanaException as error:
            raise DashboardError(f"Grafana at {self._where}: {what}: {_reason(error)}") from error
        except requests.TooManyRedirects as error:
            raise DashboardError(
                f"Grafana at {self._where}: {what}: redirected; set grafana.url to the address it leads to"
            ) from error
        except requests.JSONDecodeError as error:
            raise DashboardError(f"Grafana at {self._where}: {what}: the answer is not JSON") from error
        except requests.RequestException as error:
            raise DashboardError(f"Grafana at {self._where} cannot be reached: {_cause(error)}") from error
        except (msgspec.ValidationError, TypeError) as error:
            # grafana_api fails with a TypeError where an error's body is JSON but not an object.
            raise DashboardError(f"Grafana at {self._where}: {what}: not an answer of Grafana's: {error}") from error

    def find(self, what: str, call: Callable[[], Any], shape: type[GrafanaAnswer]) -> GrafanaAnswer | None:
        """As `ask`; None where Grafana says that there is none."""
        try:
            return self.ask(what, call, shape)
        except DashboardError as error:
            if isinstance(error.__cause__, GrafanaException) and error.__cause__.status_code == NOT_FOUND:
                return None
            raise

    def require_plugin(self) -> None:
        """Also the first call, so that a wrong address or token is found before anything is changed."""
        found = self.find("look for the plugin", lambda: self.face.api.GET(f"/plugins/{PLUGIN}/settings"), dict)
        if found is None:
            raise DashboardError(
                f"Grafana at {self._where}: the plugin {PLUGIN} is not installed, or this is no Grafana; "
                f"install it with `grafana cli plugins install {PLUGIN}` and restart Grafana"
            )


def _folder(calls: _Calls, title: str) -> tuple[str, str]:
    """The folder's uid, and what was done. A folder of that title made by hand is used as it is."""
    folders = calls.face.folder
    own = calls.find("read the folder", lambda: folders.get_folder(FOLDER_UID), _Folder)
    if own is not None and own.title == title:
        return own.uid, f"folder {title}: there already"
    query = quote(title, safe="")
    hits = calls.ask(
        "search for the folder",
        lambda: calls.face.search.search_dashboards(query=query, type_="dash-folder"),
        list[_Folder],
    )
    for hit in hits:
        if hit.title == title:
            return hit.uid, f"folder {title}: there already"
    if own is not None:
        calls.ask("rename the folder", lambda: folders.update_folder(FOLDER_UID, title, overwrite=True), _Folder)
        return own.uid, f"folder {title}: renamed, it was {own.title}"
    made = calls.ask("create the folder", lambda: folders.create_folder(title, FOLDER_UID), _Folder)
    return made.uid, f"folder {title}: created"


def _data_source(calls: _Calls, grafana: Grafana, clickhouse: ClickHouse) -> tuple[str, str]:
    """The data source's uid, and what was done."""
    name = grafana.datasource
    wanted = _wanted_source(grafana, clickhouse)
    found = calls.find(
        "read the data source",
        lambda: calls.face.datasource.find_datasource(quote(name, safe="")),
        _DataSource,
    )
    if found is None:
        made = calls.ask("create the data source", lambda: calls.face.datasource.create_datasource(wanted), _Created)
        uid, done = made.datasource.uid, "created"
    else:
        if found.type != PLUGIN:
            raise DashboardError(
                f"Grafana has a data source {name!r} of type {found.type}, not {PLUGIN}: "
                "rename it, or set grafana.datasource to another name"
            )
        uid, done = found.uid, "left as Grafana's own provisioning made it"
        if not found.read_only:
            body = {**wanted, "uid": uid}
            path = f"/datasources/uid/{quote(uid, safe='')}"
            calls.ask("update the data source", lambda: calls.face.api.PUT(path, json=body), _Created)
            done = "updated"
    return uid, f"data source {name}: {done}; {_health(calls, uid)}"


def _wanted_source(grafana: Grafana, clickhouse: ClickHouse) -> dict[str, Any]:
    """The body of Grafana's call; the fields of `jsonData` and `secureJsonData` are the plugin's."""
    tls, trusted = _tls(clickhouse)
    return {
        "name": grafana.datasource,
        "uid": reputation.DATA_SOURCE_UID,
        "type": PLUGIN,
        "access": "proxy",
        "jsonData": {
            "host": grafana.clickhouse_host,
            "port": grafana.clickhouse_port,
            "protocol": "http",
            "secure": urlsplit(clickhouse.url).scheme == "https",
            "username": clickhouse.user,
            "defaultDatabase": clickhouse.database,
            **tls,
        },
        "secureJsonData": {"password": clickhouse.password, **trusted},
    }


def _tls(clickhouse: ClickHouse) -> tuple[dict[str, bool], dict[str, str]]:
    """Whom Grafana is to trust: fields of `jsonData` and of `secureJsonData`.

    Raises:
        DashboardError: the file of the authorities cannot be read.
    """
    found = {} if clickhouse.verify else {"tlsSkipVerify": True}
    if not clickhouse.ca_file:
        return found, {}
    try:
        text = Path(clickhouse.ca_file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not PEM"
        raise DashboardError(f"clickhouse.ca_file: {clickhouse.ca_file}: {reason}") from error
    return {**found, "tlsAuthWithCACert": True}, {"tlsCACert": text}


def _health(calls: _Calls, uid: str) -> str:
    """What Grafana says of its connection to the store. A store may be away for a while: no error."""
    path = f"/datasources/uid/{quote(uid, safe='')}/health"
    try:
        health = calls.ask("check the data source", lambda: calls.face.api.GET(path), _Health)
    except DashboardError as error:
        return f"Grafana does not reach the store through it ({error})"
    if health.status == "OK":
        return "Grafana reaches the store through it"
    return f"Grafana does not reach the store through it ({health.message})"


def _dashboard(calls: _Calls, folder_uid: str, board: Dashboard) -> str:
    known = calls.find("read the dashboard", lambda: calls.face.dashboard.get_dashboard(board.uid), dict)
    body: Mapping[str, Any] = {
        "dashboard": msgspec.to_builtins(board),
        "folderUid": folder_uid,
        "overwrite": True,
        "message": "repmon dashboards deploy",
    }
    saved = calls.ask("save the dashboard", lambda: calls.face.dashboard.update_dashboard(body), _Saved)
    done = "created" if known is None else "updated"
    return f"dashboard {board.title}: {done}, version {saved.version}, at {saved.url}"


def _connect(grafana: Grafana) -> Any:
    """A client for `grafana.url`, which grafana_api wants in pieces.

    Raises:
        DashboardError: no usable address, or neither token nor user.
    """
    parts = urlsplit(grafana.url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise DashboardError(f"grafana.url: {without_user(grafana.url)!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise DashboardError(f"grafana.url: {without_user(grafana.url)!r} is not an http or https address")
    if grafana.token:
        auth: str | tuple[bytes, bytes] = grafana.token
    elif grafana.user:
        # As bytes: requests would encode text as Latin-1, and Grafana reads UTF-8.
        auth = (grafana.user.encode(), grafana.password.encode())
    else:
        raise DashboardError("set grafana.token, or grafana.user and grafana.password")
    prefix = parts.path.strip("/")
    face = GrafanaFace(
        auth=auth,
        host=f"[{host}]" if ":" in host else host,
        port=port,
        url_path_prefix=f"{prefix}/" if prefix else "",
        protocol=parts.scheme,
        timeout=TIMEOUT_S,
    )
    # A redirect would turn a POST into a GET, whose answer looks like success.
    face.api.s.max_redirects = 0
    return face


def _reason(error: GrafanaException) -> str:
    body = error.response
    said = str(body.get("message", "")) if isinstance(body, dict) else ""
    if error.status_code == 401:
        return "not authorised (401): check grafana.token, or grafana.user and grafana.password"
    if error.status_code == 403:
        return f"not allowed (403): the token's role may not do this. {said}".strip()
    return f"{error.status_code}: {said or str(error)[:200]}"


def _cause(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_S:g} s"
    return str(error).split("Caused by ")[-1].split("\n", 1)[0][:300]
