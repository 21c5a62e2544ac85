"""The blocklist scan as a stage: what it does first, and what between two scans."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from api.scanning import scan_until_stopped
from schemas.listing import BlocklistEvent
from schemas.settings import Blocklists, Settings
from streams.broker import BrokerError, Publisher
from streams.store import Store
from tests.integration.rbldnsd import Rbldnsd, running
from tests.integration.test_blocklist_scan import keep, sent_from

pytestmark = pytest.mark.rbldnsd

ZONES = """
[[zone]]
zone = "bl.example"
kind = "ip"
families = ["ipv4"]
weight = "critical"
any_code = true
"""


class Broker:
    """A publisher that keeps what is sent, and may fail to have it acknowledged."""

    def __init__(self, *, fails: bool = False) -> None:
        self.sent: list[BlocklistEvent] = []
        self._fails = fails

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        assert topic == "mail.blocklistings"
        self.sent.append(msgspec.json.decode(value, type=BlocklistEvent))

    def flush(self) -> None:
        if self._fails:
            raise BrokerError("nobody acknowledges")


class Waits:
    """An event that is set after so many waits, and what was waited for."""

    def __init__(self, many: int) -> None:
        self.asked: list[float] = []
        self._many = many

    def wait(self, seconds: float) -> bool:
        self.asked.append(seconds)
        return len(self.asked) == self._many


@pytest.fixture
def server() -> Iterator[Rbldnsd]:
    with running({"bl.example": ("ip4set", ["127.0.0.2", "192.0.2.1"])}) as started:
        yield started


@pytest.fixture
def settings(server: Rbldnsd, store: Store, tmp_path: Path) -> Settings:
    file = tmp_path / "zones.toml"
    file.write_text(ZONES)
    # Long ago enough for any clock.
    asking = Blocklists(resolvers=["127.0.0.1"], port=server.port, zones_file=str(file), lookback_days=100_000)
    return Settings(clickhouse=store.settings, blocklists=asking)


def scan(settings: Settings, broker: Broker, waits: Waits, every_s: float | None) -> list[str]:
    said: list[str] = []
    scan_until_stopped(settings, cast(Publisher, broker), cast(threading.Event, waits), said.append, every_s)
    return said


def test_one_scan_says_what_it_found_and_ends(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1", "192.0.2.9")
    broker, waits = Broker(), Waits(0)
    (said,) = scan(settings, broker, waits, None)
    assert "2 addresses and domains, 2 looks: 1 listed" in said
    assert [(each.type, each.confirmed) for each in broker.sent] == [("listed", False)]
    assert waits.asked == []


def test_between_two_scans_it_waits_no_longer_than_second_looks_do(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1", "192.0.2.9")
    broker, waits = Broker(), Waits(2)
    said = scan(settings, broker, waits, 3600.0)
    assert waits.asked == [181.0, 181.0]
    assert len([each for each in said if "2 addresses" in each]) == 1


def test_what_was_not_acknowledged_is_said_again(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1")
    with pytest.raises(BrokerError):
        scan(settings, Broker(fails=True), Waits(0), None)
    again = Broker()
    scan(settings, again, Waits(0), None)
    assert [each.type for each in again.sent] == ["listed"]


def test_what_was_stored_is_not_said_again(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1")
    broker = Broker()
    scan(settings, broker, Waits(0), None)
    keep(store, broker.sent)
    again = Broker()
    scan(settings, again, Waits(0), None)
    assert again.sent == []
