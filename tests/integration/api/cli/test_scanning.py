"""The blocklist scan as a stage: what it does first, and what between two scans."""

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import cast

import msgspec
import pytest

from api.cli.scanning import open_scanner, scan_once, scan_until_stopped
from jobs.blocklists.result import ScanResult
from jobs.blocklists.scan import Scanner
from jobs.blocklists.scan_slots import read_turns
from schemas.blocklist_settings import Blocklists, EveryMinutes
from schemas.blocklists import in_force
from schemas.settings import Settings
from streams.io.broker import BrokerError, Publisher
from streams.io.store import Store
from tests.support.lossy_dns import relay
from tests.support.rbldnsd import Rbldnsd, running
from tests.support.scans import DAY, MINUTE, NOW, Broker, keep, sent_from

pytestmark = [pytest.mark.rbldnsd, pytest.mark.usefixtures("standing_clock")]

HOUR = 60 * MINUTE

ZONES = """
[[zone]]
zone = "bl.example"
kind = "ip"
families = ["ipv4"]
weight = "critical"
any_code = true
"""


class Waits:
    """An event that is set after so many waits, what was waited for, and a clock that only waiting moves on."""

    def __init__(self, many: int, at_ms: int = NOW) -> None:
        self.asked: list[float] = []
        self.now_ms = at_ms
        self._many = many

    def wait(self, seconds: float) -> bool:
        self.asked.append(seconds)
        self.now_ms += round(seconds * 1000)
        return len(self.asked) == self._many


@pytest.fixture
def server() -> Iterator[Rbldnsd]:
    with running({"bl.example": ("ip4set", ["127.0.0.2", "192.0.2.1"])}) as started:
        yield started


@pytest.fixture
def settings(server: Rbldnsd, store: Store, tmp_path: Path) -> Settings:
    file = tmp_path / "zones.toml"
    file.write_text(ZONES)
    asking = Blocklists(resolvers=["127.0.0.1"], port=server.port, zones_file=str(file))
    return Settings(clickhouse=store.settings, blocklists=asking)


def every(settings: Settings, **minutes: float) -> Settings:
    asking = msgspec.structs.replace(settings.blocklists, every_minutes=EveryMinutes(**minutes))
    return msgspec.structs.replace(settings, blocklists=asking)


def once(settings: Settings, broker: Broker) -> ScanResult:
    # Long ago enough for any clock.
    asking = msgspec.structs.replace(settings.blocklists, lookback_days=100_000)
    found: list[ScanResult] = []
    scan_once(msgspec.structs.replace(settings, blocklists=asking), cast(Publisher, broker), found.append)
    return found[0]


def scan(settings: Settings, broker: Broker, waits: Waits, chance: float = 0.0) -> list[str]:
    """The stage from its start until it is stopped; what it printed."""
    said: list[str] = []
    scan_until_stopped(
        settings,
        cast(Publisher, broker),
        cast(threading.Event, waits),
        said.append,
        lambda result: said.append(str(result)),
        clock=lambda: waits.now_ms,
        chance=lambda: chance,
    )
    return said


def turns(said: list[str]) -> list[str]:
    return [each for each in said if "looks:" in each]


def test_one_scan_says_what_it_found_and_ends(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1", "192.0.2.9")
    broker = Broker()
    assert "2 addresses and domains, 2 looks: 1 listed" in str(once(settings, broker))
    assert [(each.type, each.confirmed) for each in broker.sent] == [("listed", False)]


def test_between_two_scans_it_waits_no_longer_than_second_looks_do(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1", "192.0.2.9")
    broker, waits = Broker(), Waits(2)
    said = scan(every(settings, critical=60), broker, waits)
    assert waits.asked == [181.0, 181.0]
    assert len([each for each in said if "2 addresses" in each]) == 1
    assert [each.type for each in broker.sent] == ["listed", "still_listed"]


def test_zone_is_asked_again_after_its_interval_give_or_take_jitter(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.9")
    for chance, minutes in ((0.0, 9), (0.5, 10), (0.999, 11)):
        waits = Waits(8, NOW + round(chance * 10) * DAY)
        sent_from(store, "192.0.2.9", at_ms=waits.now_ms - MINUTE)
        said = scan(settings, Broker(), waits, chance)
        assert len(turns(said)) >= 2
        due = read_turns(store)["bl.example"]
        assert round((due.due_ms - due.asked_ms) / MINUTE) == minutes


def test_restart_asks_nothing_before_its_time_and_what_is_overdue_not_at_once(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.9")
    scan(settings, Broker(), Waits(1))
    early = Waits(1, NOW + MINUTE)
    assert turns(scan(settings, Broker(), early, 0.5)) == []
    late = Waits(1, NOW + 5 * HOUR)
    assert turns(scan(settings, Broker(), late, 0.5)) == []
    assert late.asked == [30.0]
    assert len(turns(scan(settings, Broker(), Waits(2, NOW + 5 * HOUR), 0.5))) == 1


class Counted:
    """Counts the questions about resources."""

    def __init__(self) -> None:
        self.questions = 0

    def expect(self, questions: int) -> None:
        self.questions += questions

    def done(self, questions: int) -> None:
        pass


def scanner(store: Store, settings: Settings, broker: Broker, tally: Counted, chance: float = 0.5) -> Scanner:
    return open_scanner(settings, store, cast(Publisher, broker), tally, lambda: chance)


@pytest.mark.parametrize("both_live", [True, False], ids=["both go on", "the first is killed"])
def test_two_scanners_share_the_turns_and_either_stands_in_for_the_other(
    store: Store, settings: Settings, both_live: bool
) -> None:
    broker, tally, minutes = Broker(), Counted(), 121
    for minute in range(0, minutes, 10):
        sent_from(store, "192.0.2.1", "192.0.2.9", at_ms=NOW + minute * MINUTE)
    both = [scanner(store, settings, broker, tally) for _ in range(2)]
    for each in both:
        each.take_up(NOW)
    asked_at: list[int] = []
    for half_minute in range(2 * minutes):
        now_ms, before, kept = NOW + half_minute * MINUTE // 2, tally.questions, len(broker.sent)
        alive = both if both_live or half_minute < 60 else both[1:]
        for each in alive:
            if each.due_ms <= now_ms:
                each.due_turns(now_ms)
        keep(store, broker.sent[kept:])
        if tally.questions > before:
            asked_at.append(half_minute)
            assert tally.questions == before + 2, "each address once"
    gaps = {after - before for before, after in pairwise(asked_at)}
    assert gaps <= ({20, 21} if both_live else {20, 21, 22, 23})
    assert [(each.type, each.confirmed) for each in broker.sent] == [("listed", False), ("still_listed", True)]


def test_list_that_answers_slowly_is_known_for_it(store: Store, settings: Settings) -> None:
    sent_from(store, *(f"192.0.2.{last}" for last in range(1, 51)))
    with relay(settings.blocklists.port, lambda name, _: "pass" if b"\x03127" in name else "late") as port:
        slow = msgspec.structs.replace(settings.blocklists, port=port, zone_concurrency=25)
        of = scanner(store, msgspec.structs.replace(settings, blocklists=slow), Broker(), Counted())
        of.take_up(NOW)
        of.due_turns(NOW + HOUR)
    (zone,) = in_force(slow)
    # 50 questions, 25 at a time, a second each.
    assert 5 < of._how.pacer.answers_per_s(zone) <= 25


def test_what_was_reported_a_moment_ago_is_known_although_it_is_not_stored_yet(
    store: Store, settings: Settings
) -> None:
    sent_from(store, "192.0.2.1")
    broker = Broker()
    scan(every(settings, critical=0.5), broker, Waits(3))
    assert [each.type for each in broker.sent] == ["listed"]


def test_what_was_not_acknowledged_is_said_again(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1")
    with pytest.raises(BrokerError):
        once(settings, Broker(fails=True))
    again = Broker()
    once(settings, again)
    assert [each.type for each in again.sent] == ["listed"]


def test_turn_whose_events_were_not_acknowledged_is_taken_again(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1")
    with pytest.raises(BrokerError):
        scan(settings, Broker(fails=True), Waits(1))
    assert read_turns(store) == {}


def test_what_was_stored_is_not_said_again(store: Store, settings: Settings) -> None:
    sent_from(store, "192.0.2.1")
    broker = Broker()
    once(settings, broker)
    keep(store, broker.sent)
    again = Broker()
    once(settings, again)
    assert again.sent == []
