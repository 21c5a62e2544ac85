"""What a command says that finds neither broker nor store."""

import sys
from pathlib import Path
from typing import NoReturn

import pytest
from clickhouse_connect.driver.exceptions import OperationalError

from api.cli.main import run

NOTHING_THERE = ("REPMON_CLICKHOUSE__URL", "REPMON_KAFKA__BOOTSTRAP", "REPMON_EMBEDDED__DATA")


def refused(**_: object) -> NoReturn:
    """As the client says it."""
    raise OperationalError("HTTPConnectionPool: Max retries exceeded ([Errno 111] Connection refused)")


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which no `repmon up` runs, on a machine without a server at the default address."""
    monkeypatch.setattr("streams.io.store.clickhouse_connect.get_client", refused)
    for name in NOTHING_THERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["repmon", *words])
    assert run() == 2
    told = capsys.readouterr()
    assert told.out == ""
    return told.err.splitlines()


@pytest.mark.parametrize("words", [("alerts",), ("top", "--once"), ("customers", "list"), ("listings",)])
def test_it_says_where_it_looked_and_how_to_point_at_one(
    words: tuple[str, ...], outside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the folder is given on the command line."""
    nowhere = outside / "repmon.toml"
    nowhere.write_text('[clickhouse]\ntimeout_s = 5.0\n[embedded]\ndata = "from-the-file"\n')
    error, where, how = said(monkeypatch, capsys, *words)
    assert error.startswith("repmon: ClickHouse at http://127.0.0.1:8123: cannot be reached")
    assert f"looked for in {outside / 'from-the-file'}: there is no such folder" in where
    assert "`repmon --data FOLDER ...`" in how
    _, where, _ = said(monkeypatch, capsys, "--data", "given", *words)
    assert f"looked for in {outside / 'given'}: there is no such folder" in where


def test_a_server_that_is_named_is_not_looked_for_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPMON_CLICKHOUSE__URL", "http://127.0.0.1:1")
    _, where = said(monkeypatch, capsys, "alerts")
    assert "is set in [clickhouse] or REPMON_CLICKHOUSE__URL" in where
