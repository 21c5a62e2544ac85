"""A command that fails leaves no file and no folder behind, and says before it works what cannot be written."""

import sys
from pathlib import Path

import pytest

from api.cli.main import run

FAILING = {
    "follow a folder": (("follow", "--format", "postfix", "--state", "place", "."), "is a folder; name its files"),
    "follow a file and a device": (
        ("follow", "--format", "exim", "--state", "place", "main.log", "/dev/null"),
        "is not a regular file",
    ),
    "follow what is no log": (("follow", "--format", "ses", "--state", "place", "a.json"), "ses"),
    "monitor without a store": (("monitor",), "cannot be reached"),
    "backup of a server": (("backup", "create", "--folder", "deep/backups"), "backups are of the embedded store"),
    "restore of no backup": (("backup", "restore", "--by", "Ida", "nowhere"), ""),
    "export into no folder": (
        ("export", "customer", "acme", "--to", "deep/acme.zip", "--by", "Ida", "--why", "asked"),
        "deep: there is no such folder",
    ),
    "export onto a folder": (
        ("export", "customer", "acme", "--to", ".", "--by", "Ida", "--why", "x"),
        ".: is a folder",
    ),
    "export without a store": (
        ("export", "customer", "acme", "--to", "acme.zip", "--by", "Ida", "--why", "x"),
        "cannot be reached",
    ),
    "simulate into no folder": (("simulate", "--truth", "deep/truth.json"), "deep: there is no such folder"),
    "demo into no folder": (("demo", "--truth", "deep/truth.json"), "deep: there is no such folder"),
    "dashboards into no folder": (("dashboards", "generate", "deep"), "deep"),
    "move without a store": (("move", "--from", "nowhere"), "nowhere"),
    "a list of customers that is none": (("customers", "import", "/dev/null", "--by", "Ida"), "must name the column"),
    "logs that are not there": (("ingest-file", "--format", "postfix", "nowhere.log"), "nowhere.log: cannot be read"),
}


@pytest.mark.parametrize("case", FAILING)
def test_failing_command_leaves_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, said = FAILING[case]
    monkeypatch.delenv("REPMON_EMBEDDED__DATA", raising=False)
    monkeypatch.setenv("REPMON_CLICKHOUSE__URL", "http://127.0.0.1:1")
    monkeypatch.setenv("REPMON_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["repmon", *words])
    assert run() == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []
