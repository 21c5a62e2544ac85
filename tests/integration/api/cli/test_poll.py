"""`repmon poll` as it is typed, against stand-ins of the providers: what it prints, stores, and ends with."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from api.cli.main import app
from schemas.errors import RepmonError
from schemas.settings import ClickHouse, Kafka
from schemas.times import utc_now_ms, utc_time
from schemas.topics import REPUTATION_CHANGES
from streams.io.broker import BrokerError, consumer
from streams.io.changes import customers_in
from streams.io.store import Store
from tests.support.provider_stand_ins import CLIENT_SECRET, REFRESH_TOKEN, StandIn, providers
from tests.support.waiting import wait_for


@pytest.fixture
def server() -> Iterator[StandIn]:
    with providers() as started:
        yield started


@pytest.fixture
def config(server: StandIn, store: Store, store_settings: ClickHouse, embedded_kafka: Kafka, tmp_path: Path) -> Path:
    known = {"client_id": "id", "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
    (tmp_path / "google.json").write_bytes(msgspec.json.encode(known | {"token_uri": f"{server.url}/token"}))
    store_is = "\n".join(
        f"{name} = {value!r}"
        for name, value in msgspec.structs.asdict(store_settings).items()
        if value and isinstance(value, str)
    )
    file = tmp_path / "repmon.toml"
    file.write_text(
        f"""[clickhouse]
{store_is}
[kafka]
bootstrap = "{embedded_kafka.bootstrap}"
[poll.postmaster]
credentials_file = '{tmp_path / "google.json"}'
url = '{server.url}'
[ingest.domain_owners]
"a.example" = "acme"
"""
    )
    return file


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), "poll", *words])


def test_what_was_reported_is_stored_and_listed(server: StandIn, config: Path) -> None:
    yesterday = utc_time(utc_now_ms()).date() - timedelta(days=1)
    server.domains = [{"name": "domains/a.example"}, {"name": "domains/b.example"}]
    server.rates["a.example"] = {yesterday: 0.0031}
    first = run(config, "postmaster")
    assert (first.exit_code, first.stdout) == (0, "2 domains asked about, 1 reading stored, 0 faults\n")
    server.rates["a.example"] = {yesterday: 0.0012}
    server.denied.add("b.example")
    second = run(config, "postmaster")
    assert second.exit_code == 1
    assert "b.example: 403 PERMISSION_DENIED: no access" in second.stderr
    listed = run(config, "list")
    assert listed.stdout == f"{yesterday}  Gmail      a.example  spam_rate  0.12 %  (acme)\n"


def test_whoever_is_reported_of_is_judged_at_once(server: StandIn, config: Path, embedded_kafka: Kafka) -> None:
    yesterday = utc_time(utc_now_ms()).date() - timedelta(days=1)
    server.domains = [{"name": f"domains/{name}.example"} for name in "abc"]
    server.rates |= {f"{name}.example": {yesterday: 0.0031} for name in "ab"}
    assert run(config, "postmaster").exit_code == 0
    source = consumer(embedded_kafka, "changes")
    source.subscribe([REPUTATION_CHANGES])
    named: list[str] = []

    def acme() -> bool:
        named.extend(name for each in source.consume(1, 0.2) for name in customers_in(each.value() or b""))
        return bool(named)

    wait_for(acme, "the customer")
    source.close()
    assert named == ["acme"]


def test_broker_that_is_away_is_told_of_and_the_readings_are_stored(
    server: StandIn, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yesterday = utc_time(utc_now_ms()).date() - timedelta(days=1)
    server.domains = [{"name": "domains/a.example"}]
    server.rates["a.example"] = {yesterday: 0.0031}

    def unreachable(*_: object) -> None:
        raise BrokerError("Kafka at 192.0.2.1:9092 cannot be reached")

    monkeypatch.setattr("api.cli.poll.announce", unreachable)
    found = run(config, "postmaster")
    assert (found.exit_code, found.stdout) == (0, "1 domain asked about, 1 reading stored, 0 faults\n")
    assert "stored, but the monitor was not told: Kafka at 192.0.2.1:9092 cannot be reached" in found.stderr


def test_being_asked_for_patience_is_an_exit_code_of_its_own(server: StandIn, config: Path) -> None:
    server.refusals.append((429, "86400"))
    found = run(config, "postmaster")
    assert found.exit_code == 3
    assert "Google's token endpoint: 429 Too Many Requests: it asks to wait 86,400 s" in found.stderr


def test_wrong_credential_ends_the_command(config: Path, tmp_path: Path) -> None:
    (tmp_path / "google.json").write_bytes(
        (tmp_path / "google.json").read_bytes().replace(REFRESH_TOKEN.encode(), b"another")
    )
    found = run(config, "postmaster", "--every", "6h")
    assert isinstance(found.exception, RepmonError)
    assert "the refresh token in" in str(found.exception)


def test_credentials_are_not_shown_with_the_settings(config: Path) -> None:
    shown = CliRunner().invoke(app, ["--config", str(config), "config", "show"]).stdout
    assert "google.json" in shown
    assert CLIENT_SECRET not in shown
