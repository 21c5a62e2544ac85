"""Bring the dashboards to Grafana: their folder, their data sources and themselves. Safe to repeat.

What a Grafana has is compared with what it should have, so a second run changes nothing, and one that was cut short is
made up for by the next.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from dashboards.board import Current
from dashboards.boards import PREFIX, Sources, build_dashboards, file_name, to_json
from dashboards.choices import CONSOLE, DATA_SOURCE_UID, PROMETHEUS_UID
from dashboards.links import TAG
from dashboards.model import PLUGIN, PROMETHEUS
from jobs.setup.grafana_boards import BoardStore, boards_of
from jobs.setup.grafana_calls import DashboardError, GrafanaCalls
from jobs.setup.grafana_changes import differences
from schemas.settings import ClickHouse
from schemas.watch_settings import Grafana
from schemas.written_file import read_written

__all__ = ["DashboardError", "Manner", "deploy", "generate"]

FOLDER_UID = "repmon"
PROMETHEUS_NAME = "repmon-prometheus"
#: So many differences of a dashboard are named.
NAMED = 40


class Manner(NamedTuple):
    """How to deploy: `dry_run` changes nothing, `diff` says what differs, `prune` deletes dashboards that an earlier
    version made and this one does not."""

    dry_run: bool = False
    diff: bool = False
    prune: bool = False


class _DataSource(msgspec.Struct):
    uid: str
    type: str
    read_only: bool = msgspec.field(name="readOnly", default=False)
    url: str = ""
    json_data: dict[str, Any] = msgspec.field(name="jsonData", default_factory=dict)


class _Created(msgspec.Struct):
    datasource: _DataSource


class _Health(msgspec.Struct):
    status: str
    message: str = ""


def generate() -> dict[str, str]:
    """The JSON of each dashboard by the name of its file in `dashboards/`."""
    return {file_name(board): to_json(board) for board in build_dashboards()}


def deploy(
    grafana: Grafana, clickhouse: ClickHouse, console: str = CONSOLE, manner: Manner | None = None
) -> Iterator[str]:
    """Create or update folder, data sources and dashboards; a line for each, once it is done, saying which it was.

    Grafana will read ClickHouse as `grafana.clickhouse_user`, or as `clickhouse.user`, who needs no more than to read.
    An empty `grafana.folder` is Grafana's top level. Links lead to the console at `console`.

    Raises:
        DashboardError: the settings cannot be used, Grafana cannot be reached, or it refused.
    """
    how = manner or Manner()
    calls = GrafanaCalls(grafana)
    calls.require_plugin(PLUGIN)
    store = boards_of(calls)
    folder_uid = ""
    if grafana.folder:
        folder_uid, line = _folder(store, grafana.folder, how)
        yield line
    wanted = _wanted_source(grafana, clickhouse)
    source_uid, line = _data_source(calls, grafana.datasource, wanted, "grafana.datasource", how)
    yield line
    chosen = Current(text=grafana.datasource, value=source_uid)
    prometheus = None
    if grafana.prometheus_url:
        uid, line = _data_source(calls, PROMETHEUS_NAME, _wanted_prometheus(grafana), "", how)
        yield line
        prometheus = Current(text=PROMETHEUS_NAME, value=uid)
    boards = build_dashboards(Sources(chosen, prometheus, console))
    for board in boards:
        content = msgspec.json.decode(msgspec.json.encode(board))
        yield from _dashboard(store, folder_uid, board.uid, content, how)
    if how.prune:
        yield from _pruned(store, {board.uid for board in boards}, how)


def _folder(store: BoardStore, title: str, how: Manner) -> tuple[str, str]:
    """The folder's uid, and what was done. A folder of that title made by hand is used as it is."""
    own = store.folder(FOLDER_UID)
    if own == title:
        return FOLDER_UID, f"folder {title}: there already"
    if found := store.folder_titled(title):
        return found, f"folder {title}: there already"
    if how.dry_run:
        done = "would be created" if own is None else f"would be renamed, it is {own}"
    elif own is not None:
        store.rename_folder(FOLDER_UID, title)
        done = f"renamed, it was {own}"
    else:
        store.create_folder(FOLDER_UID, title)
        done = "created"
    return FOLDER_UID, f"folder {title}: {done}"


def _data_source(calls: GrafanaCalls, name: str, wanted: dict[str, Any], setting: str, how: Manner) -> tuple[str, str]:
    """The data source's uid, and what was done."""
    found = calls.find(
        "read the data source",
        lambda: calls.face.datasource.find_datasource(quote(name, safe="")),
        _DataSource,
    )
    if found is None:
        if how.dry_run:
            return wanted["uid"], f"data source {name}: would be created"
        made = calls.ask("create the data source", lambda: calls.face.datasource.create_datasource(wanted), _Created)
        uid, done = made.datasource.uid, "created"
    else:
        if found.type != wanted["type"]:
            other = f", or set {setting} to another name" if setting else ""
            raise DashboardError(
                f"Grafana has a data source {name!r} of type {found.type}, not {wanted['type']}: rename it{other}"
            )
        uid, done = found.uid, "left as Grafana's own provisioning made it"
        if not found.read_only:
            same = all(found.json_data.get(key) == value for key, value in wanted["jsonData"].items())
            same = same and wanted.get("url", found.url) == found.url
            if how.dry_run:
                return uid, f"data source {name}: {'there already' if same else 'would be updated'}"
            body = {**wanted, "uid": uid}
            path = f"/datasources/uid/{quote(uid, safe='')}"
            # Always, since nobody can ask which password Grafana has.
            calls.ask("update the data source", lambda: calls.face.api.PUT(path, json=body), _Created)
            done = "there already" if same else "updated"
    return uid, f"data source {name}: {done}; {_health(calls, uid)}"


def _wanted_source(grafana: Grafana, clickhouse: ClickHouse) -> dict[str, Any]:
    """The body of Grafana's call; the fields of `jsonData` and `secureJsonData` are the plugin's."""
    tls, trusted = _tls(clickhouse)
    own = bool(grafana.clickhouse_user)
    return {
        "name": grafana.datasource,
        "uid": DATA_SOURCE_UID,
        "type": PLUGIN,
        "access": "proxy",
        "jsonData": {
            "host": grafana.clickhouse_host,
            "port": grafana.clickhouse_port,
            "protocol": "http",
            "secure": urlsplit(clickhouse.url).scheme == "https",
            "username": grafana.clickhouse_user or clickhouse.user,
            "defaultDatabase": clickhouse.database,
            **tls,
        },
        "secureJsonData": {"password": grafana.clickhouse_password if own else clickhouse.password, **trusted},
    }


def _wanted_prometheus(grafana: Grafana) -> dict[str, Any]:
    return {
        "name": PROMETHEUS_NAME,
        "uid": PROMETHEUS_UID,
        "type": PROMETHEUS,
        "access": "proxy",
        "url": grafana.prometheus_url,
        "jsonData": {"httpMethod": "POST"},
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
        text = read_written(clickhouse.ca_file, "ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not PEM"
        raise DashboardError(f"clickhouse.ca_file: {clickhouse.ca_file}: {reason}") from error
    return {**found, "tlsAuthWithCACert": True}, {"tlsCACert": text}


def _health(calls: GrafanaCalls, uid: str) -> str:
    """What Grafana says of its connection. A store may be away for a while: no error."""
    path = f"/datasources/uid/{quote(uid, safe='')}/health"
    try:
        health = calls.ask("check the data source", lambda: calls.face.api.GET(path), _Health)
    except DashboardError as error:
        return f"Grafana does not reach it ({error})"
    return "Grafana reaches it" if health.status == "OK" else f"Grafana does not reach it ({health.message})"


def _dashboard(store: BoardStore, folder: str, uid: str, content: dict[str, Any], how: Manner) -> Iterator[str]:
    """Make one dashboard as it should be; what was done, and with `diff` what differed."""
    name = f"dashboard {content['title']}"
    known = store.board(uid)
    differing = [] if known is None else differences(content, known.content)
    if known is not None and known.folder != folder:
        differing.insert(0, f"folder: {known.folder or '(top level)'} in Grafana, {folder or '(top level)'} here")
    if known is not None and not differing:
        yield f"{name}: there already, at /d/{uid}"
        return
    if how.dry_run:
        yield f"{name}: would be {'created' if known is None else 'updated'}"
    else:
        version = store.save(uid, content, folder, known)
        yield f"{name}: {'created' if known is None else 'updated'}, version {version}, at /d/{uid}"
    if how.diff:
        yield from (f"  {each}" for each in differing[:NAMED])
        if len(differing) > NAMED:
            yield f"  and {len(differing) - NAMED} more"


def _pruned(store: BoardStore, wanted: set[str], how: Manner) -> Iterator[str]:
    """Delete what only an earlier version made: of our own names and with our tag."""
    for each in store.boards():
        if each.uid in wanted or not each.uid.startswith(PREFIX) or TAG not in each.tags:
            continue
        if not how.dry_run:
            store.delete(each.uid)
        yield f"dashboard {each.title} ({each.uid}): {'would be deleted' if how.dry_run else 'deleted'}"
