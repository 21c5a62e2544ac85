"""Deploying to Grafana 11, 12 and 13, against a stand-in of their documented HTTP APIs."""

import copy
import json
from typing import Any

import msgspec
import pytest

from dashboards.choices import DATA_SOURCE_UID
from dashboards.links import REPUTATION as UID
from dashboards.model import PLUGIN
from jobs.setup import dashboards
from jobs.setup.dashboards import FOLDER_UID, generate
from jobs.setup.grafana_changes import differences
from schemas.watch_settings import Grafana
from tests.support.grafana_deployment import BOARDS, CLICKHOUSE, NAME, TITLE, deploy
from tests.support.grafana_stand_in import FakeGrafana, serving


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


def test_grafana_under_a_path_is_found_with_and_without_a_slash_at_the_end(fake: FakeGrafana) -> None:
    fake.prefix = "/tools/grafana"
    with serving(fake) as url:
        for written in (url, url + "/"):
            fake.dashboards.clear()
            deploy(Grafana(url=written, token=fake.token), CLICKHOUSE)
            assert set(fake.dashboards) == set(BOARDS)


def without_versions(held: object) -> object:
    if isinstance(held, dict):
        return {key: without_versions(value) for key, value in held.items() if key != "version"}
    if isinstance(held, list | tuple):
        return [without_versions(each) for each in held]
    return held
