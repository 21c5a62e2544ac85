"""`repmon dashboards deploy` as it is typed: whom Grafana is told to ask the store as."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import app
from jobs.embedded.folder import RUNNING, DataFolder, Running
from jobs.embedded.reader import READER
from schemas.settings import ClickHouse, Kafka
from tests.support.grafana_stand_in import FakeGrafana, serving

CONFIG = """
[embedded]
data = "{data}"
store_port = 18999
[grafana]
url = "{url}"
token = "admin-token"
"""
Deploy = Callable[..., str]


@pytest.fixture(scope="module")
def fake() -> FakeGrafana:
    return FakeGrafana(version=13)


@pytest.fixture(scope="module")
def address(fake: FakeGrafana) -> Iterator[str]:
    with serving(fake) as url:
        yield url


@pytest.fixture
def deploy(fake: FakeGrafana, address: str, tmp_path: Path) -> Deploy:
    def run(*words: str, more: str = "") -> str:
        fake.sources.clear()
        config = tmp_path / "repmon.toml"
        config.write_text(CONFIG.format(data=tmp_path / "data", url=address) + more)
        command = ["--config", str(config), "dashboards", "deploy", *words]
        done = CliRunner().invoke(app, command, catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return run


def told(fake: FakeGrafana) -> tuple[str, int, str, str]:
    """The store's host and port, the user and its password, as Grafana has them."""
    ((uid, source),) = fake.sources.items()
    held = source["jsonData"]
    return held["host"], held["port"], held["username"], fake.secrets[uid]["password"]


def running(folder: DataFolder, reader: str = READER) -> None:
    url = "http://127.0.0.1:18123"
    folder.announce(
        Running(pid=os.getpid(), kafka=Kafka(), clickhouse=ClickHouse(url=url, password="new"), api="", reader=reader)
    )


def test_grafana_asks_the_store_of_a_running_up_as_the_user_who_only_reads(
    fake: FakeGrafana, deploy: Deploy, tmp_path: Path
) -> None:
    """As what it was told stays true: the port is the one of the running one, the password that of every start."""
    folder = DataFolder(tmp_path / "data")
    folder.make()
    password = folder.reader_password()
    running(folder)
    deploy()
    assert told(fake) == ("127.0.0.1", 18123, READER, password)
    (folder.path / RUNNING).unlink()
    deploy()
    assert told(fake) == ("127.0.0.1", 18999, READER, password)


def test_host_that_the_settings_name_stays(fake: FakeGrafana, deploy: Deploy, tmp_path: Path) -> None:
    """As where Grafana reaches the machine's loopback by another name."""
    folder = DataFolder(tmp_path / "data")
    folder.make()
    folder.reader_password()
    deploy(more='clickhouse_host = "tunnel"\nclickhouse_port = 9999\n')
    assert told(fake)[:3] == ("tunnel", 9999, READER)


@pytest.mark.parametrize(
    ("more", "user"),
    [
        ('clickhouse_user = "only-reads"\nclickhouse_password = "hush"\n', "only-reads"),
        ('[clickhouse]\nurl = "http://ch:8123"\nuser = "reader"\npassword = "hush"\n', "reader"),
    ],
)
def test_settings_that_name_a_store_or_a_user_are_followed(
    fake: FakeGrafana, deploy: Deploy, tmp_path: Path, more: str, user: str
) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.make()
    folder.reader_password()
    running(folder)
    deploy(more=more)
    assert told(fake) == ("clickhouse", 8123, user, "hush")


def test_up_with_another_store_than_its_own_has_no_reader(fake: FakeGrafana, deploy: Deploy, tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.make()
    running(folder, reader="")
    deploy()
    assert told(fake)[2] == "default"


def test_trial_run_writes_nothing_and_options_are_passed_on(fake: FakeGrafana, deploy: Deploy) -> None:
    fake.dashboards.clear()
    assert "dashboard Providers: would be created" in deploy("--dry-run", "--diff", "--prune")
    assert fake.dashboards == {}


def test_links_lead_to_the_console_of_the_settings(fake: FakeGrafana, deploy: Deploy) -> None:
    def console() -> str:
        listed = fake.dashboards["repmon-alerts"]["dashboard"]["templating"]["list"]
        return next(str(each["query"]) for each in listed if each["name"] == "console")

    deploy(more="[api]\nport = 8181\n")
    assert console() == "http://127.0.0.1:8181/console"
    deploy(more='[console]\nurl = "https://mail.example/"\n')
    assert console() == "https://mail.example/console"
