"""Deploying to Grafana 11, 12 and 13, against a stand-in of their documented HTTP APIs."""

import copy
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from dashboards.boards import build_dashboards
from dashboards.choices import DATA_SOURCE_UID, PROMETHEUS_UID
from dashboards.links import REPUTATION as UID
from dashboards.model import PLUGIN
from jobs.setup import dashboards
from jobs.setup.dashboards import FOLDER_UID, PROMETHEUS_NAME, DashboardError, Manner, generate
from jobs.setup.grafana_changes import differences
from schemas.settings import ClickHouse
from schemas.watch_settings import Grafana
from tests.support.grafana_stand_in import FakeGrafana, serving

CLICKHOUSE = ClickHouse(url="http://clickhouse:8123", user="reader", password="p@ss", database="reputation")
TITLE = "Sending reputation"
NAME = "repmon-clickhouse"


BOARDS = {board.uid: board.title for board in build_dashboards()}
VERSIONS = (11, 12, 13)


@pytest.fixture(params=VERSIONS, ids=lambda version: f"grafana-{version}")
def fake(request: pytest.FixtureRequest) -> FakeGrafana:
    return FakeGrafana(version=request.param)


@pytest.fixture
def grafana(fake: FakeGrafana) -> Iterator[Grafana]:
    with serving(fake) as url:
        yield Grafana(url=url, token=fake.token)


def deploy(grafana: Grafana, clickhouse: ClickHouse, **manner: bool) -> list[str]:
    return list(dashboards.deploy(grafana, clickhouse, manner=Manner(**manner)))


def test_first_deployment_creates_folder_data_source_and_dashboards(fake: FakeGrafana, grafana: Grafana) -> None:
    assert deploy(grafana, CLICKHOUSE) == [
        "folder Sending reputation: created",
        "data source repmon-clickhouse: created; Grafana reaches it",
        *(f"dashboard {title}: created, version 1, at /d/{uid}" for uid, title in BOARDS.items()),
    ]
    assert {held["meta"]["folderUid"] for held in fake.dashboards.values()} == {FOLDER_UID}
    assert fake.folders[FOLDER_UID]["title"] == TITLE
    assert fake.dashboards[UID]["meta"]["folderUid"] == FOLDER_UID
    source = fake.sources[DATA_SOURCE_UID]
    assert (source["name"], source["type"]) == (NAME, PLUGIN)
    assert source["jsonData"] == {
        "host": "clickhouse",
        "port": 8123,
        "protocol": "http",
        "secure": False,
        "username": "reader",
        "defaultDatabase": "reputation",
    }


def test_deployed_dashboards_are_the_generated_files(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    numbered = {"id": 1, "version": 1}
    for name, text in generate().items():
        uid = f"repmon-{name.removesuffix('.json')}"
        number = {**numbered, "id": list(BOARDS).index(uid) + 1}
        assert fake.dashboards[uid]["dashboard"] == {**json.loads(text), **number}


def test_resources_are_used_where_grafana_has_them(fake: FakeGrafana, grafana: Grafana) -> None:
    """In the version that it has, and the deprecated paths not at all."""
    deploy(grafana, CLICKHOUSE, prune=True)
    saved = {path for method, path in fake.calls if method in ("POST", "PUT", "DELETE") and "datasources" not in path}
    boards = "/apis/dashboard.grafana.app/{}/namespaces/default/dashboards"
    folders = "/apis/folder.grafana.app/{}/namespaces/default/folders"
    assert (
        saved
        == {
            11: {"/api/folders", "/api/dashboards/db"},
            12: {boards.format("v1beta1"), folders.format("v1beta1")},
            13: {boards.format("v1"), folders.format("v1")},
        }[fake.version]
    )
    if fake.version > 11:
        fake.without_legacy = True
        assert "deleted" not in " ".join(deploy(grafana, CLICKHOUSE, prune=True))


def test_second_deployment_changes_nothing(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    before = copy.deepcopy((fake.folders, fake.sources, fake.dashboards, fake.secrets))
    assert deploy(grafana, CLICKHOUSE) == [
        "folder Sending reputation: there already",
        "data source repmon-clickhouse: there already; Grafana reaches it",
        *(f"dashboard {title}: there already, at /d/{uid}" for uid, title in BOARDS.items()),
    ]
    assert without_versions((fake.folders, fake.sources, fake.dashboards, fake.secrets)) == without_versions(before)
    assert fake.dashboards == before[2]


def test_store_password_is_sent_as_a_secret_alone(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    assert fake.secrets[DATA_SOURCE_UID] == {"password": "p@ss"}
    assert "p@ss" not in json.dumps([fake.sources, fake.dashboards])


def test_changed_password_reaches_grafana(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    deploy(grafana, msgspec.structs.replace(CLICKHOUSE, password="new"))
    assert fake.secrets[DATA_SOURCE_UID] == {"password": "new"}


def test_dashboard_edited_in_grafana_is_made_ours_again(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    edited = fake.dashboards[UID]["dashboard"]
    edited["title"], edited["panels"] = "Mine", edited["panels"][1:]
    fake.dashboards[UID]["meta"]["folderUid"] = ""
    changed = [line for line in deploy(grafana, CLICKHOUSE, diff=True) if "there already" not in line]
    assert changed == [
        f"dashboard {TITLE}: updated, version 2, at /d/{UID}",
        "  folder: (top level) in Grafana, repmon here",
        "  title: 'Mine' in Grafana, 'Sending reputation' here",
        f"  panels: {len(edited['panels'])} in Grafana, {len(edited['panels']) + 1} here",
        *(line for line in changed if line.startswith("  panels[") or line.startswith("  and ")),
    ]
    assert fake.dashboards[UID]["dashboard"]["title"] == TITLE
    assert fake.dashboards[UID]["meta"]["folderUid"] == FOLDER_UID


def test_what_grafana_adds_is_no_difference(fake: FakeGrafana, grafana: Grafana) -> None:
    """Defaults, numbers, and its own schema version when it has brought a dashboard to that."""
    deploy(grafana, CLICKHOUSE)
    held = fake.dashboards[UID]["dashboard"]
    held["schemaVersion"], held["weekStart"] = 42, ""
    held["panels"][1]["pluginVersion"] = "13.0.1"
    assert f"dashboard {TITLE}: there already, at /d/{UID}" in deploy(grafana, CLICKHOUSE)


def test_trial_run_changes_nothing_and_says_what_would_be(fake: FakeGrafana, grafana: Grafana) -> None:
    assert deploy(grafana, CLICKHOUSE, dry_run=True, diff=True, prune=True) == [
        "folder Sending reputation: would be created",
        "data source repmon-clickhouse: would be created",
        *(f"dashboard {title}: would be created" for title in BOARDS.values()),
    ]
    deploy(grafana, CLICKHOUSE)
    fake.dashboards[UID]["dashboard"]["panels"][1]["title"] = "Mine"
    fake.sources[DATA_SOURCE_UID]["jsonData"]["port"] = 1
    fake.folders[FOLDER_UID]["title"] = "Old"
    fake.calls.clear()
    lines = deploy(grafana, CLICKHOUSE, dry_run=True, diff=True)
    assert lines[:2] == [
        "folder Sending reputation: would be renamed, it is Old",
        "data source repmon-clickhouse: would be updated",
    ]
    assert lines[2:4] == [
        f"dashboard {TITLE}: would be updated",
        "  panels[Customers by standing].title: 'Mine' in Grafana, 'Customers by standing' here",
    ]
    assert {method for method, _ in fake.calls} == {"GET"}


def test_dashboards_of_an_earlier_version_are_deleted_when_asked_for(fake: FakeGrafana, grafana: Grafana) -> None:
    """Ours alone: by their name and their tag."""
    deploy(grafana, CLICKHOUSE)
    for uid, tags in (("repmon-old", ["repmon"]), ("repmon-mine", []), ("mine", ["repmon"])):
        board = {"uid": uid, "id": len(fake.dashboards) + 1, "title": uid.title(), "tags": tags, "version": 1}
        fake.dashboards[uid] = {"dashboard": board, "meta": {"folderUid": ""}}
    for number in range(250):
        board = {"uid": f"other-{number}", "id": 100 + number, "title": "Other", "tags": [], "version": 1}
        fake.dashboards[f"other-{number}"] = {"dashboard": board, "meta": {"folderUid": ""}}
    fake.dashboards["repmon-last"] = {**fake.dashboards["repmon-old"], "meta": {"folderUid": ""}}
    fake.dashboards["repmon-last"]["dashboard"] = {**fake.dashboards["repmon-old"]["dashboard"], "uid": "repmon-last"}
    assert "repmon-old" not in " ".join(deploy(grafana, CLICKHOUSE))
    would = deploy(grafana, CLICKHOUSE, prune=True, dry_run=True)[-2:]
    assert would == [
        "dashboard Repmon-Old (repmon-old): would be deleted",
        "dashboard Repmon-Old (repmon-last): would be deleted",
    ]
    assert deploy(grafana, CLICKHOUSE, prune=True)[-1] == "dashboard Repmon-Old (repmon-last): deleted"
    assert set(fake.dashboards) & {"repmon-old", "repmon-last", "repmon-mine", "mine"} == {"repmon-mine", "mine"}


def test_run_after_one_that_was_cut_short_makes_up_for_it(fake: FakeGrafana, grafana: Grafana) -> None:
    """At each of its calls in turn."""
    status = 503
    for skipped in range(100):
        for held in (fake.folders, fake.dashboards, fake.sources, fake.secrets):
            held.clear()
        fails = [*[0] * skipped, status]
        fake.failing = [("", fails)]
        try:
            deploy(grafana, CLICKHOUSE)
        except DashboardError as error:
            assert f"Grafana failed ({status}): made to fail" in str(error)
            assert "run it again" in str(error)
        if fails:
            break
        deploy(grafana, CLICKHOUSE)
        assert set(fake.dashboards) == set(BOARDS)
        assert {held["meta"]["folderUid"] for held in fake.dashboards.values()} == {FOLDER_UID}
        assert fake.secrets == {DATA_SOURCE_UID: {"password": "p@ss"}}
    assert skipped > 10


def test_lines_come_as_things_are_done(fake: FakeGrafana, grafana: Grafana) -> None:
    """So that it can be seen how far one came that failed."""
    saving = "dashboards/db" if fake.version == 11 else "POST /apis/dashboard"
    fake.failing = [(saving, [0, 500])]
    lines = dashboards.deploy(grafana, CLICKHOUSE)
    done = [next(lines) for _ in range(3)]
    assert done[-1].startswith(f"dashboard {TITLE}: created")
    with pytest.raises(DashboardError):
        next(lines)


@pytest.mark.parametrize("known", [True, False])
def test_who_saves_the_same_dashboard_meanwhile_loses(fake: FakeGrafana, grafana: Grafana, known: bool) -> None:
    """Ours is what is wanted, whether it was there before or is made by somebody else at the same time."""
    deploy(grafana, CLICKHOUSE)
    theirs = copy.deepcopy(fake.dashboards[UID])
    theirs["dashboard"] |= {"title": "Theirs", "version": 7}
    if known:
        fake.dashboards[UID]["dashboard"]["title"] = "Mine"
    else:
        del fake.dashboards[UID]
    saving = "dashboards/db" if fake.version == 11 else "PUT /apis/dashboard" if known else "POST /apis/dashboard"
    fake.before = [(saving, lambda: fake.dashboards.update({UID: theirs}))]
    deploy(grafana, CLICKHOUSE)
    assert fake.before == []
    assert (fake.dashboards[UID]["dashboard"]["title"], fake.dashboards[UID]["dashboard"]["version"]) == (TITLE, 8)


def test_who_renames_the_folder_meanwhile_loses(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    folder = fake.folders[FOLDER_UID]
    fake.before = [("PUT", lambda: folder.update(title="Theirs", version=9))]
    deploy(msgspec.structs.replace(grafana, folder="New"), CLICKHOUSE)
    assert (folder["title"], folder["version"]) == ("New", 10)


def test_dashboard_that_may_never_be_saved_is_said(fake: FakeGrafana, grafana: Grafana) -> None:
    """As one that a plugin brought (412), or that is always changed first (409)."""
    status = 412 if fake.version == 11 else 409
    saving = "dashboards/db" if fake.version == 11 else "POST /apis/dashboard"
    fake.failing = [(saving, [status] * 10)]
    with pytest.raises(DashboardError, match=f"save the dashboard: {status}: made to fail"):
        deploy(grafana, CLICKHOUSE)
    assert len(fake.failing[0][1]) == (9 if fake.version == 11 else 7)


def test_folder_that_is_deleted_meanwhile_is_made_by_the_next_run(fake: FakeGrafana, grafana: Grafana) -> None:
    saving = "dashboards/db" if fake.version == 11 else "POST /apis/dashboard"
    fake.before = [(saving, fake.folders.clear)]
    with pytest.raises(DashboardError, match=r"save the dashboard: 40[04]: .*(?i:not found)"):
        deploy(grafana, CLICKHOUSE)
    deploy(grafana, CLICKHOUSE)
    assert set(fake.dashboards) == set(BOARDS)


@pytest.mark.parametrize("version", [12, 13])
def test_second_organisation_has_a_namespace_of_its_own(version: int) -> None:
    fake = FakeGrafana(version=version, namespace="org-7")
    with serving(fake) as url:
        deploy(Grafana(url=url, token=fake.token), CLICKHOUSE)
    assert any("/namespaces/org-7/dashboards" in path for _, path in fake.calls)
    assert set(fake.dashboards) == set(BOARDS)


@pytest.mark.parametrize("status", [403, 404])
def test_grafana_that_hides_its_resources_is_spoken_to_as_before(
    fake: FakeGrafana, grafana: Grafana, status: int
) -> None:
    fake.failing = [("/apis/", [status] * 2)]
    deploy(grafana, CLICKHOUSE)
    assert ("POST", "/api/dashboards/db") in fake.calls


def test_prometheus_gets_a_data_source_where_it_is_named(fake: FakeGrafana, grafana: Grafana) -> None:
    named = msgspec.structs.replace(grafana, prometheus_url="http://prometheus:9090")
    lines = deploy(named, CLICKHOUSE)
    assert lines[2] == f"data source {PROMETHEUS_NAME}: created; Grafana reaches it"
    source = fake.sources[PROMETHEUS_UID]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    variables = fake.dashboards["repmon-pipeline"]["dashboard"]["templating"]["list"]
    assert variables[1]["current"] == {"text": PROMETHEUS_NAME, "value": PROMETHEUS_UID}
    moved = msgspec.structs.replace(named, prometheus_url="http://elsewhere:9090")
    assert deploy(moved, CLICKHOUSE)[2].startswith(f"data source {PROMETHEUS_NAME}: updated")


def test_user_of_the_settings_for_grafana_goes_before_the_stores(fake: FakeGrafana, grafana: Grafana) -> None:
    reader = msgspec.structs.replace(grafana, clickhouse_user="only-reads", clickhouse_password="hush")
    deploy(reader, CLICKHOUSE)
    assert fake.sources[DATA_SOURCE_UID]["jsonData"]["username"] == "only-reads"
    assert fake.secrets[DATA_SOURCE_UID] == {"password": "hush"}


def test_links_lead_to_the_console_that_the_settings_name(fake: FakeGrafana, grafana: Grafana) -> None:
    list(dashboards.deploy(grafana, CLICKHOUSE, "https://console.example/console"))
    for held in fake.dashboards.values():
        (console,) = (each for each in held["dashboard"]["templating"]["list"] if each["name"] == "console")
        assert (console["query"], console["current"]["value"]) == ("https://console.example/console",) * 2


@pytest.mark.parametrize(
    ("wanted", "found", "said"),
    [
        ({"a": 1}, {"a": 1.0, "b": 2}, []),
        ({"a": None, "b": [], "c": {}, "d": ""}, {}, []),
        ({"a": False}, {}, ["a: None in Grafana, False here"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1]}}, ["a.b: 1 in Grafana, 2 here"]),
        ({"schemaVersion": 39}, {"schemaVersion": 42}, []),
        ({"schemaVersion": 39}, {"schemaVersion": 36}, ["schemaVersion: 36 in Grafana, 39 here"]),
        ({"id": None, "uid": "x", "version": 1}, {"id": 4, "version": 9}, []),
        ({"panels": [{"title": "t", "id": 1}]}, {"panels": [{"title": "t", "id": 2}]},
         ["panels[t].id: 2 in Grafana, 1 here"]),
        ({"a": "x" * 200}, {"a": 1}, [f"a: 1 in Grafana, '{'x' * 99}... here"]),
    ],
)  # fmt: skip
def test_only_what_is_said_and_is_not_so_is_a_difference(
    wanted: dict[str, Any], found: dict[str, Any], said: list[str]
) -> None:
    assert differences(wanted, found) == said


def test_stand_in_refuses_a_dashboard_of_another_version_as_grafana_does(grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    answer = save(grafana, {"dashboard": {"uid": UID, "title": "Mine", "version": 7}})
    assert (answer.status_code, answer.json()["status"]) == (412, "version-mismatch")


def test_folder_of_the_title_made_by_hand_is_used(fake: FakeGrafana, grafana: Grafana) -> None:
    fake.add_folder("Sending reputation (old)", "old")
    fake.add_folder(TITLE, "by-hand")
    assert deploy(grafana, CLICKHOUSE)[0] == "folder Sending reputation: there already"
    assert fake.dashboards[UID]["meta"]["folderUid"] == "by-hand"


def test_folder_is_renamed_when_the_setting_changed(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    renamed = msgspec.structs.replace(grafana, folder="R&D / mail?")
    assert deploy(renamed, CLICKHOUSE)[0] == "folder R&D / mail?: renamed, it was Sending reputation"
    assert [folder["title"] for folder in fake.folders.values()] == ["R&D / mail?"]


def test_no_folder_is_the_top_level(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(msgspec.structs.replace(grafana, folder=""), CLICKHOUSE)
    assert fake.folders == {}
    assert fake.dashboards[UID]["meta"]["folderUid"] == ""


def test_data_source_made_by_hand_is_updated_and_the_dashboard_opens_with_it(
    fake: FakeGrafana, grafana: Grafana
) -> None:
    fake.add_source("a b/c?d#e", "hand-made")
    deploy(msgspec.structs.replace(grafana, datasource="a b/c?d#e"), CLICKHOUSE)
    assert list(fake.sources) == ["hand-made"]
    assert fake.sources["hand-made"]["jsonData"]["username"] == "reader"
    variable = fake.dashboards[UID]["dashboard"]["templating"]["list"][0]
    assert variable["current"] == {"text": "a b/c?d#e", "value": "hand-made"}


def test_provisioned_data_source_is_left_alone(fake: FakeGrafana, grafana: Grafana) -> None:
    fake.add_source(NAME, "provisioned", read_only=True)
    lines = deploy(grafana, CLICKHOUSE)
    assert lines[1].startswith(f"data source {NAME}: left as Grafana's own provisioning made it")


def test_data_source_of_another_type_is_refused_and_not_changed(fake: FakeGrafana, grafana: Grafana) -> None:
    fake.add_source(NAME, "other", kind="prometheus")
    with pytest.raises(DashboardError, match="of type prometheus"):
        deploy(grafana, CLICKHOUSE)
    assert fake.sources["other"]["type"] == "prometheus"


@pytest.mark.parametrize(
    "health",
    [
        (200, {"status": "ERROR", "message": "connection refused"}),
        (400, {"status": "ERROR", "message": "connection refused"}),
    ],
)
def test_store_that_grafana_cannot_reach_is_said_and_stops_nothing(
    fake: FakeGrafana, grafana: Grafana, health: tuple[int, dict[str, str]]
) -> None:
    fake.health = health
    lines = deploy(grafana, CLICKHOUSE)
    assert "does not reach it" in lines[1]
    assert "connection refused" in lines[1]
    assert UID in fake.dashboards


def test_tls_of_the_store_is_taken_from_its_address(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, msgspec.structs.replace(CLICKHOUSE, url="https://clickhouse:8443"))
    assert fake.sources[DATA_SOURCE_UID]["jsonData"]["secure"] is True


def test_grafana_trusts_whom_we_trust(fake: FakeGrafana, grafana: Grafana, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    encrypted = msgspec.structs.replace(CLICKHOUSE, url="https://clickhouse:8443", ca_file=str(tmp_path / "ca.pem"))
    deploy(grafana, encrypted)
    assert fake.sources[DATA_SOURCE_UID]["jsonData"]["tlsAuthWithCACert"] is True
    assert fake.secrets[DATA_SOURCE_UID]["tlsCACert"] == "-----BEGIN CERTIFICATE-----"
    deploy(grafana, msgspec.structs.replace(encrypted, ca_file="", verify=False))
    assert fake.sources[DATA_SOURCE_UID]["jsonData"]["tlsSkipVerify"] is True
    with pytest.raises(DashboardError, match=r"^clickhouse\.ca_file: /none: No such file or directory$"):
        deploy(grafana, msgspec.structs.replace(encrypted, ca_file="/none"))


def test_user_and_password_work_beyond_latin_letters(fake: FakeGrafana, grafana: Grafana) -> None:
    fake.users = {"админ": "пароль:€"}
    deploy(msgspec.structs.replace(grafana, token="", user="админ", password="пароль:€"), CLICKHOUSE)
    assert UID in fake.dashboards


def test_grafana_under_a_path_is_found_with_and_without_a_slash_at_the_end(fake: FakeGrafana) -> None:
    fake.prefix = "/tools/grafana"
    with serving(fake) as url:
        for written in (url, url + "/"):
            fake.dashboards.clear()
            deploy(Grafana(url=written, token=fake.token), CLICKHOUSE)
            assert set(fake.dashboards) == set(BOARDS)


def test_missing_plugin_is_named_before_anything_is_made(fake: FakeGrafana, grafana: Grafana) -> None:
    fake.plugins = set()
    with pytest.raises(DashboardError, match="grafana-clickhouse-datasource is not installed"):
        deploy(grafana, CLICKHOUSE)
    assert {method for method, _ in fake.calls} == {"GET"}


@pytest.mark.parametrize("changes", [{"token": "wrong"}, {"token": "", "user": "admin", "password": "wrong"}])
def test_wrong_token_or_password_is_said(grafana: Grafana, changes: dict[str, str]) -> None:
    with pytest.raises(DashboardError, match=r"not authorised \(401\): check grafana.token"):
        deploy(msgspec.structs.replace(grafana, **changes), CLICKHOUSE)


def test_token_that_may_only_view_is_said(fake: FakeGrafana, grafana: Grafana) -> None:
    with pytest.raises(DashboardError, match=r"create the folder: not allowed \(403\)"):
        deploy(msgspec.structs.replace(grafana, token=fake.viewer_token), CLICKHOUSE)


def test_neither_token_nor_user_is_said_without_a_call(fake: FakeGrafana, grafana: Grafana) -> None:
    with pytest.raises(DashboardError, match=r"set grafana\.token"):
        deploy(msgspec.structs.replace(grafana, token=""), CLICKHOUSE)
    assert fake.calls == []


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://grafana", "http://", "http://grafana:port"])
def test_address_that_is_none_is_said(url: str) -> None:
    with pytest.raises(DashboardError, match=r"grafana\.url"):
        deploy(Grafana(url=url, token="t"), CLICKHOUSE)


def test_grafana_that_is_not_there_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(DashboardError, match=f"Grafana at {url} cannot be reached: .*refused"):
        deploy(Grafana(url=url, token="t"), CLICKHOUSE)


def test_redirect_is_said_and_not_followed(fake: FakeGrafana, grafana: Grafana) -> None:
    fake.redirect_to = "http://127.0.0.1:9"
    with pytest.raises(DashboardError, match=r"redirected; set grafana\.url"):
        deploy(grafana, CLICKHOUSE)


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ((200, "text/html", "<html>log in</html>"), "not JSON"),
        ((200, "application/json", "[]"), "not an answer of Grafana's"),
        ((502, "text/html", "<html>bad gateway</html>"), "502"),
        ((502, "text/html", "<html>a message</html>"), "not an answer of Grafana's"),
        ((500, "application/json", "null"), "not an answer of Grafana's"),
        ((400, "application/json", '{"message": "bad"}'), "400: bad"),
    ],
)
def test_answer_that_is_no_use_is_said_in_one_line(
    fake: FakeGrafana, grafana: Grafana, instead: tuple[int, str, str], said: str
) -> None:
    fake.instead = instead
    with pytest.raises(DashboardError, match=said) as failed:
        deploy(grafana, CLICKHOUSE)
    assert "\n" not in str(failed.value)


def save(grafana: Grafana, body: dict[str, Any]) -> requests.Response:
    headers = {"Authorization": f"Bearer {grafana.token}"}
    return requests.post(f"{grafana.url}/api/dashboards/db", json=body, headers=headers, timeout=5)


def without_versions(held: object) -> object:
    if isinstance(held, dict):
        return {key: without_versions(value) for key, value in held.items() if key != "version"}
    if isinstance(held, list | tuple):
        return [without_versions(each) for each in held]
    return held
