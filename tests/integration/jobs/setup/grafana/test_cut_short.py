"""Deployments that fail half-way, and others who change the same in Grafana meanwhile: the next run makes up for it."""

import copy
from typing import Any

import msgspec
import pytest
import requests

from dashboards.choices import DATA_SOURCE_UID
from dashboards.links import REPUTATION as UID
from jobs.setup import dashboards
from jobs.setup.dashboards import FOLDER_UID, DashboardError
from schemas.watch_settings import Grafana
from tests.support.grafana_deployment import BOARDS, CLICKHOUSE, TITLE, deploy
from tests.support.grafana_stand_in import FakeGrafana


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


def test_stand_in_refuses_a_dashboard_of_another_version_as_grafana_does(grafana: Grafana) -> None:
    deploy(grafana, CLICKHOUSE)
    answer = save(grafana, {"dashboard": {"uid": UID, "title": "Mine", "version": 7}})
    assert (answer.status_code, answer.json()["status"]) == (412, "version-mismatch")


def save(grafana: Grafana, body: dict[str, Any]) -> requests.Response:
    headers = {"Authorization": f"Bearer {grafana.token}"}
    return requests.post(f"{grafana.url}/api/dashboards/db", json=body, headers=headers, timeout=5)
