"""Deploying to Grafana, against a stand-in of its documented HTTP API."""

import copy
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from dashboards.model import PLUGIN
from dashboards.reputation import DATA_SOURCE_UID, UID
from jobs.setup.dashboards import FOLDER_UID, DashboardError, deploy, generate
from schemas.settings import ClickHouse, Grafana
from tests.support.grafana_stand_in import FakeGrafana, serving

CLICKHOUSE = ClickHouse(url="http://clickhouse:8123", user="reader", password="p@ss", database="reputation")
TITLE = "Sending reputation"
NAME = "repmon-clickhouse"


@pytest.fixture
def fake() -> FakeGrafana:
    return FakeGrafana()


@pytest.fixture
def grafana(fake: FakeGrafana) -> Iterator[Grafana]:
    with serving(fake) as url:
        yield Grafana(url=url, token=fake.token)


def test_first_deployment_creates_folder_data_source_and_dashboard(fake: FakeGrafana, grafana: Grafana) -> None:
    assert deploy(grafana, CLICKHOUSE) == [
        "folder Sending reputation: created",
        "data source repmon-clickhouse: created; Grafana reaches the store through it",
        f"dashboard Sending reputation: created, version 1, at /d/{UID}/slug",
    ]
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


def test_deployed_dashboard_is_the_generated_file(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    numbered = {"id": 1, "version": 1}
    assert fake.dashboards[UID]["dashboard"] == {**json.loads(generate()), **numbered}


def test_second_deployment_changes_nothing_but_versions(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    before = copy.deepcopy((fake.folders, fake.sources, fake.dashboards, fake.secrets))
    assert [line.split(";")[0].split(",")[0] for line in deploy(grafana, CLICKHOUSE)] == [
        "folder Sending reputation: there already",
        "data source repmon-clickhouse: updated",
        "dashboard Sending reputation: updated",
    ]
    assert without_versions((fake.folders, fake.sources, fake.dashboards, fake.secrets)) == without_versions(before)


def test_store_password_is_sent_as_a_secret_alone(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    assert fake.secrets[DATA_SOURCE_UID] == {"password": "p@ss"}
    assert "p@ss" not in json.dumps([fake.sources, fake.dashboards])


def test_changed_password_reaches_grafana(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    deploy(grafana, msgspec.structs.replace(CLICKHOUSE, password="new"))
    assert fake.secrets[DATA_SOURCE_UID] == {"password": "new"}


def test_dashboard_edited_in_grafana_is_overwritten(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    edited = {**fake.dashboards[UID]["dashboard"], "title": "Mine"}
    save(grafana, {"dashboard": edited})
    assert fake.dashboards[UID]["meta"]["folderUid"] == ""
    deploy(grafana, CLICKHOUSE)
    assert fake.dashboards[UID]["dashboard"]["title"] == TITLE
    assert fake.dashboards[UID]["meta"]["folderUid"] == FOLDER_UID


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
    (variable, _) = fake.dashboards[UID]["dashboard"]["templating"]["list"]
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
    assert "does not reach the store" in lines[1]
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
            deploy(Grafana(url=written, token=fake.token), CLICKHOUSE)
    assert fake.dashboards[UID]["dashboard"]["version"] == 2


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
