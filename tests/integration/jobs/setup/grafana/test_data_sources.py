"""The data sources that dashboards ask: made, updated, left alone; secrets and encryption."""

import json
from pathlib import Path

import msgspec
import pytest

from dashboards.choices import DATA_SOURCE_UID, PROMETHEUS_UID
from dashboards.links import REPUTATION as UID
from jobs.setup.dashboards import PROMETHEUS_NAME, DashboardError
from schemas.watch_settings import Grafana
from tests.support.grafana_deployment import CLICKHOUSE, NAME, deploy
from tests.support.grafana_stand_in import FakeGrafana


def test_store_password_is_sent_as_a_secret_alone(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    assert fake.secrets[DATA_SOURCE_UID] == {"password": "p@ss"}
    assert "p@ss" not in json.dumps([fake.sources, fake.dashboards])


def test_changed_password_reaches_grafana(fake: FakeGrafana, grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    deploy(grafana, msgspec.structs.replace(CLICKHOUSE, password="new"))
    assert fake.secrets[DATA_SOURCE_UID] == {"password": "new"}


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
