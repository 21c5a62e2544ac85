"""A Grafana that refuses, is not there, or answers what is of no use: said in a line."""

import socket

import msgspec
import pytest

from dashboards.links import REPUTATION as UID
from jobs.setup.dashboards import DashboardError
from schemas.watch_settings import Grafana
from tests.support.grafana_deployment import CLICKHOUSE, deploy
from tests.support.grafana_stand_in import FakeGrafana


def test_user_and_password_work_beyond_latin_letters(fake: FakeGrafana, grafana: Grafana) -> None:
    fake.users = {"админ": "пароль:€"}
    deploy(msgspec.structs.replace(grafana, token="", user="админ", password="пароль:€"), CLICKHOUSE)
    assert UID in fake.dashboards


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
