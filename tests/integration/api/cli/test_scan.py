"""`repmon scan-blocklists` as it is typed, on a real blocklist server: what it prints, and its exit codes."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from api.cli import scan
from api.cli.main import app
from api.text.progress import bar
from jobs.blocklists.state import open_listings
from schemas.settings import SettingsError
from streams.io.store import Store
from tests.support.rbldnsd import Rbldnsd, free_port, running
from tests.support.scans import TEST, Broker, keep, sent_from

pytestmark = pytest.mark.rbldnsd

ZONES = """
[[zone]]
zone = "bl.example"
kind = "ip"
families = ["ipv4"]
weight = "critical"
delisting = "https://bl.example/"
[zone.codes]
"127.0.0.2" = { meaning = "sends spam" }

[[zone]]
zone = "refuses.example"
kind = "ip"
families = ["ipv4"]
weight = "minor"
any_code = true

[[zone]]
zone = "dbl.example"
kind = "domain"
weight = "major"
any_code = true

[[zone]]
zone = "keyed.example"
kind = "ip"
families = ["ipv4"]
weight = "major"
any_code = true
needs_key = true
key = "mine"
keyed_host = "{key}.keyed.example"
"""


@pytest.fixture
def server() -> Iterator[Rbldnsd]:
    with running(
        {
            "bl.example": ("ip4set", [TEST, "192.0.2.1 :127.0.0.2:spam"]),
            "refuses.example": ("ip4set", ["127.0.0.2 :127.255.255.254:no"]),
            "dbl.example": ("dnset", [":127.0.1.2:bad", "test", "acme.com"]),
        }
    ) as started:
        yield started


@pytest.fixture
def config(server: Rbldnsd, store: Store, tmp_path: Path) -> Path:
    return written(tmp_path, server.port, store)


def written(folder: Path, port: int, store: Store) -> Path:
    (folder / "zones.toml").write_text(ZONES)
    file = folder / "repmon.toml"
    file.write_text(
        f"""
[clickhouse]
path = "{store.settings.path}"
database = "{store.settings.database}"
[blocklists]
resolvers = ["127.0.0.1"]
port = {port}
timeout_s = 0.3
zones_file = "{folder}/zones.toml"
lookback_days = 100000
"""
    )
    return file


def repmon(config: Path, *words: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["--config", str(config), "scan-blocklists", *words])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.exit_code, result.output.splitlines()


def cells(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


# ---- named addresses and domains


def test_address_that_is_listed_is_shown_list_by_list_and_ends_with_1(config: Path) -> None:
    code, lines = repmon(config, "--ip", "192.0.2.1")
    assert code == 1
    assert cells(lines)[:2] == [
        ["RESOURCE", "LIST", "OUTCOME", "WEIGHT", "CODES", "BELIEVED", "MEANING"],
        ["192.0.2.1", "bl.example", "listed", "critical", "127.0.0.2", "yes", "sends", "spam"],
    ]
    assert cells(lines)[2][:5] == ["192.0.2.1", "refuses.example", "failed", "(minor)", "distrusted"]
    assert cells(lines)[3] == ["192.0.2.1", "keyed.example", "not", "asked", "(major)", "needs", "key", "mine"]


def test_what_no_trusted_list_lists_ends_with_0(config: Path) -> None:
    code, lines = repmon(config, "--ip", "192.0.2.9", "--domain", "good.com")
    assert code == 0
    clear = [line[:3] for line in cells(lines) if "clear" in line]
    assert clear == [["192.0.2.9", "bl.example", "clear"], ["good.com", "dbl.example", "clear"]]


def test_no_answer_at_all_ends_with_3(store: Store, tmp_path: Path) -> None:
    code, lines = repmon(written(tmp_path, free_port(), store), "--ip", "192.0.2.1", "--ip", "192.0.2.9")
    assert code == 3
    assert len([line for line in cells(lines) if line[2] == "failed"]) == 4


def test_address_that_no_list_holds_ends_with_3(config: Path) -> None:
    code, lines = repmon(config, "--ip", "2001:db8::1", "--ip", "192.0.2.9")
    assert code == 3
    assert lines[-1] == "2001:db8::1: no list holds its like"


def test_of_a_domain_the_domain_registered_is_asked_too(config: Path) -> None:
    code, lines = repmon(config, "--domain", "News.Acme.com", "--json")
    found = [json.loads(line) for line in lines]
    assert [(each["resource"], each["outcome"]) for each in found] == [
        ("acme.com", "listed"),
        ("news.acme.com", "clear"),
    ]
    assert code == 1


def test_json_lines_say_everything_a_program_needs(config: Path) -> None:
    code, lines = repmon(config, "--ip", "192.0.2.1", "--json")
    listed, refused, keyed = [json.loads(line) for line in lines]
    assert code == 1
    assert (listed["line"], listed["kind"], listed["weight"], listed["codes"]) == (
        "look",
        "ip",
        "critical",
        ["127.0.0.2"],
    )
    assert (listed["meaning"], listed["delisting"]) == ("sends spam", "https://bl.example/")
    assert (refused["outcome"], refused["distrusted"]) == ("failed", True)
    assert "open resolver" in refused["reason"]
    assert (keyed["outcome"], keyed["reason"]) == ("not asked", "needs key mine")


def test_nothing_is_published_or_stored_unless_asked(
    config: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: Any) -> Any:
        raise AssertionError("no broker is needed")

    monkeypatch.setattr(scan, "open_publisher", nobody)
    repmon(config, "--ip", "192.0.2.1")
    assert store.rows("SELECT count() FROM blocklist_looks")[0][0] == 0


def test_with_publish_it_is_reported_as_a_scan_does(
    config: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker()
    monkeypatch.setattr(scan, "open_publisher", lambda _: broker)
    code, lines = repmon(config, "--ip", "192.0.2.1", "--publish")
    keep(store, broker.sent)
    assert code == 1
    assert ("listed", "192.0.2.1", "bl.example") in [(each.type, each.resource, each.zone) for each in broker.sent]
    assert lines[-1] == f"{len(broker.sent)} changes reported"
    assert [each.resource for each in open_listings(store)] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ip", "mx1.example"], "--ip: 'mx1.example' is not an IP address"),
        (["--ip", "192.0.2.0/24"], "--ip: '192.0.2.0/24' is not an IP address"),
        (["--domain", "192.0.2.1"], "--domain: '192.0.2.1' is not a domain"),
        (["--domain", "a\x1b[31m"], "--domain: "),
        (["--ip", "192.0.2.1", "--once"], "--ip and --domain exclude --once and --every"),
        (["--once", "--every", "5m"], "--once and --every: give one of them"),
        (["--publish"], "--publish needs --ip or --domain"),
        (["--json"], "--json needs --once, --ip or --domain"),
        (["--every", "soon"], "--every: 'soon' is not a duration"),
    ],
)
def test_what_makes_no_sense_is_named(config: Path, words: list[str], said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        repmon(config, *words)
    assert str(raised.value).startswith(said)
    assert str(raised.value).isprintable()


# ---- one scan


def test_one_scan_as_json_lines(config: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sent_from(store, "192.0.2.1", "192.0.2.9", "mx1.example")
    monkeypatch.setattr(scan, "open_publisher", lambda _: Broker())
    code, lines = repmon(config, "--once", "--json")
    found = [json.loads(line) for line in lines]
    by_line = {each["line"]: each for each in found}
    assert code == 0
    look, change, whole = by_line["look"], by_line["change"], by_line["scan"]
    assert (look["resource"], look["zone"], look["customers"], look["messages"]) == (
        "192.0.2.1", "bl.example", ["acme"], 100
    )  # fmt: skip
    assert {each["zone"] for each in found if each["line"] == "zone"} == {"bl.example", "refuses.example"}
    assert change["line"] == "change"
    assert (whole["resources"], whole["listed"], whole["failed"], whole["open_listings"]) == (2, 1, 2, 1)
    assert (whole["needs_key"], whole["invalid"]) == (["keyed.example"], ["mx1.example"])
    assert found[-1] == whole


# ---- the bar


@pytest.mark.parametrize(("terminal", "shown"), [(True, True), (False, False)])
def test_bar_is_for_terminals_alone(terminal: bool, shown: bool) -> None:
    out = Console(file=io.StringIO(), force_terminal=True)
    drawn = io.StringIO()
    with bar("asking", out, Console(file=drawn, force_terminal=terminal)) as tally:
        if tally:
            tally.expect(40)
            tally.done(40)
    assert ("40/40" in drawn.getvalue()) is shown


def test_no_bar_where_output_goes_into_a_pipe() -> None:
    with bar("asking", Console(file=io.StringIO()), Console(file=io.StringIO(), force_terminal=True)) as tally:
        assert tally is None
