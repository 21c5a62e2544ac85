"""Which addresses and domains a scan asks which lists about, and how fast, on a real blocklist server and store."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from jobs.blocklists.answer import Listed
from jobs.blocklists.dnsbl import QueryOptions, Question, Resource, look, questions
from jobs.blocklists.rate_limit import Pacer
from jobs.blocklists.result import ScanResult
from jobs.blocklists.scan import Scanner
from jobs.blocklists.used_resources import ResourceUsers, read_used
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import load_zones
from schemas.listing import BlocklistEvent
from streams.io.store import Store
from tests.support.fake_time import FakeTime
from tests.support.rbldnsd import Rbldnsd, running
from tests.support.scans import DAY, MINUTE, NOW, keep, sent_from

pytestmark = [pytest.mark.rbldnsd, pytest.mark.usefixtures("standing_clock")]

ZONES = """
[[zone]]
zone = "bl.example"
kind = "ip"
weight = "critical"
any_code = true

[[zone]]
zone = "dbl.example"
kind = "domain"
weight = "major"
any_code = true

[[zone]]
zone = "reg.example"
kind = "domain"
weight = "minor"
names = "registered"
any_code = true
"""
TESTS = ["2.0.0.127 A 127.0.0.2", f"2.0.0.0.0.0.f.7.f.f.f.f.{'.'.join('0' * 20)} A 127.0.0.2"]


@pytest.fixture
def server() -> Iterator[Rbldnsd]:
    with running(
        {
            "bl.example": ("generic", [*TESTS, "1.2.0.192 A 127.0.0.2"]),
            "dbl.example": ("dnset", [":127.0.1.2:bad", "test", "news.acme.com", "my_shop.a--b.com"]),
            "reg.example": ("dnset", [":127.0.0.2:bad", "test", "acme.com"]),
        }
    ) as started:
        yield started


@pytest.fixture
def settings(server: Rbldnsd, tmp_path: Path) -> Blocklists:
    file = tmp_path / "zones.toml"
    file.write_text(ZONES)
    return Blocklists(resolvers=["127.0.0.1"], port=server.port, zones_file=str(file), timeout_s=0.5)


def sent_with(
    store: Store, domain: str, customer: str, delivered: int, at_ms: int = NOW - MINUTE, dimension: str = "from"
) -> None:
    store.insert(
        "counts",
        {
            "dimension": [dimension],
            "customer": [customer],
            "stream": ["default"],
            "class": ["bulk"],
            "bucket": [datetime.fromtimestamp(at_ms // MINUTE * 60, UTC)],
            "value": [domain],
            "source": ["mail.events/1/0"],
            "delivered": [delivered],
        },
    )


def scan(store: Store, settings: Blocklists, now_ms: int = NOW) -> tuple[set[tuple[str, str]], list[BlocklistEvent]]:
    """Scan everything; what was found listed (name and zone), and what was reported."""
    published: list[BlocklistEvent] = []
    scanner = Scanner(
        store, settings, lambda _, value: published.append(msgspec.json.decode(value, type=BlocklistEvent))
    )
    result = scanner.everything(now_ms)
    keep(store, published)
    return {(each.resource, each.zone.zone) for each in result.listed_looks}, published


# ---- what is asked


def test_what_was_used_in_the_last_seven_days_is_read_with_customers_and_messages(store: Store) -> None:
    sent_from(store, "192.0.2.1")
    sent_with(store, "news.acme.com", "acme", 40)
    sent_with(store, "news.acme.com", "bob", 2, at_ms=NOW - 7 * DAY + MINUTE)
    sent_with(store, "old.acme.com", "acme", 9, at_ms=NOW - 8 * DAY)
    found = read_used(store, 7, ["2001:db8::7"], NOW).by_resource
    assert found == {
        Resource("ip", "192.0.2.1"): ResourceUsers(("acme",), 1, 100),
        Resource("domain", "news.acme.com"): ResourceUsers(("acme", "bob"), 2, 42),
        Resource("domain", "acme.com"): ResourceUsers(("acme", "bob"), 2, 42),
        Resource("ip", "2001:db8::7"): ResourceUsers(),
    }


def test_domains_with_underscores_and_two_hyphens_are_asked_about(store: Store, settings: Blocklists) -> None:
    sent_with(store, "my_shop.a--b.com", "acme", 40)
    listed, _ = scan(store, settings)
    assert listed == {("my_shop.a--b.com", "dbl.example")}


def test_domains_of_signatures_are_asked_about_too(store: Store) -> None:
    sent_with(store, "news.acme.com", "acme", 40)
    sent_with(store, "mail.esp.net", "acme", 40, dimension="dkim")
    sent_with(store, "mail.esp.net", "bob", 2, dimension="dkim")
    found = read_used(store, 7, [], NOW).by_resource
    assert found[Resource("domain", "mail.esp.net")] == ResourceUsers(("acme", "bob"), 2, 42)
    assert found[Resource("domain", "esp.net")] == ResourceUsers(("acme", "bob"), 2, 42)


def test_address_with_many_customers_is_read_with_the_largest_of_them(store: Store) -> None:
    for number in range(1, 9):
        sent_from(store, "192.0.2.1", customer=f"c{number}", delivered=number)
    assert read_used(store, 7, [], NOW).by_resource == {
        Resource("ip", "192.0.2.1"): ResourceUsers(("c8", "c7", "c6", "c5", "c4"), 8, 36)
    }


def test_from_domain_and_the_registered_one_are_asked_where_the_list_holds_them(
    store: Store, settings: Blocklists
) -> None:
    """Each where the list holds such names."""
    sent_with(store, "news.acme.com", "acme", 1)
    listed, _ = scan(store, settings)
    assert listed == {("news.acme.com", "dbl.example"), ("acme.com", "reg.example")}


def test_addresses_are_never_asked_at_domain_lists_nor_domains_at_address_lists(settings: Blocklists) -> None:
    resources = [Resource("ip", "192.0.2.1"), Resource("ip", "2001:db8::7"), Resource("domain", "news.acme.com")]
    asked = {(each.name, each.zone.zone) for each in questions(resources, load_zones(Path(settings.zones_file)))}
    assert asked == {
        ("192.0.2.1", "bl.example"),
        ("2001:db8::7", "bl.example"),
        ("news.acme.com", "dbl.example"),
    }


def test_settings_add_what_does_not_send_yet(store: Store, settings: Blocklists) -> None:
    listed, _ = scan(store, msgspec.structs.replace(settings, extra_resources=["192.0.2.1", "warm.acme.com"]))
    assert listed == {("192.0.2.1", "bl.example"), ("acme.com", "reg.example")}


def test_domain_with_a_long_name_is_asked(settings: Blocklists) -> None:
    long = f"{'a' * 40}.com"
    (zone,) = [each for each in load_zones(Path(settings.zones_file)) if each.zone == "dbl.example"]
    (found,) = asyncio.run(look([Question(long, zone)], settings))
    assert type(found.outcome).__name__ == "Clear"


# ---- in turns


def test_turns_of_a_round_ask_about_everything_once(store: Store, settings: Blocklists) -> None:
    """At four questions a second a turn is about forty addresses."""
    sent_from(store, *(f"192.0.2.{last}" for last in range(1, 201)))
    slow = msgspec.structs.replace(settings, queries_per_s=4, skip_zones=["dbl.example", "reg.example"])
    time, now_ms, looked = FakeTime(), NOW, 0
    how = QueryOptions(slow, Pacer(4, time.clock, time.sleep), Counted())
    scanner = Scanner(store, slow, lambda _key, _value: None, how=how, chance=lambda: 0.5)
    scanner.take_up(now_ms)
    for turn in range(1, 6):
        now_ms = scanner.due_ms
        result = scanner.due_turns(now_ms)
        looked += result.looked
        assert 20 <= result.looked <= 60
        assert result.rounds == (turn == 5)
    assert looked == 200
    assert now_ms - NOW <= 10 * MINUTE


def test_scan_out_of_turn_asks_a_list_no_more_than_it_allows_a_day(
    store: Store, settings: Blocklists, tmp_path: Path
) -> None:
    file = tmp_path / "limited.toml"
    file.write_text(ZONES.replace('weight = "critical"', 'weight = "critical"\nqueries_per_day = 100'))
    limited = msgspec.structs.replace(settings, zones_file=str(file))
    sent_from(store, *(f"192.0.2.{last}" for last in range(1, 201)))

    def scanned(now_ms: int) -> ScanResult:
        return Scanner(store, limited, lambda _key, _value: None).everything(now_ms)

    first = scanned(NOW)
    assert 60 <= first.looked <= 100
    again = scanned(NOW + 10 * MINUTE)
    assert (again.looked, again.spared) == (0, ("bl.example",))
    assert "bl.example: not asked, its limit a day is used up for now" in str(again)
    looked, now_ms = first.looked, NOW
    while looked < 200:
        now_ms += DAY * 2
        assert now_ms < NOW + 7 * DAY
        looked += scanned(now_ms).looked
    assert looked == 200


def test_turn_without_answers_ends_no_listing_and_says_which_was_not_checked(
    store: Store, settings: Blocklists, server: Rbldnsd
) -> None:
    sent_from(store, "192.0.2.1")
    published: list[BlocklistEvent] = []

    def publish(_: bytes, value: bytes) -> None:
        published.append(msgspec.json.decode(value, type=BlocklistEvent))
        keep(store, published[-1:])

    scanner = Scanner(store, settings, publish, chance=lambda: 0.5)
    scanner.take_up(NOW)
    while not published:
        scanner.due_turns(scanner.due_ms)
    assert [each.type for each in published] == ["listed"]
    server.stop()
    for _ in range(6):
        now_ms = scanner.due_ms
        result = scanner.due_turns(now_ms)
    assert {each.type for each in published} == {"listed", "check_failed"}
    assert result.open == 1
    assert now_ms - NOW > 20 * MINUTE


# ---- how fast


def asked_for(settings: Blocklists, per_s: float, count: int, **zone: float) -> tuple[float, int]:
    """How long (s, of a clock that only waiting moves on) so many questions took, and how many found a listing."""
    (bl,) = [each for each in load_zones(Path(settings.zones_file)) if each.zone == "bl.example"]
    bl = msgspec.structs.replace(bl, **zone)
    time = FakeTime()
    how = QueryOptions(settings, Pacer(per_s, time.clock, time.sleep), Counted())
    names = ["192.0.2.1", *(f"198.51.100.{last}" for last in range(count - 1))]
    looks = asyncio.run(look([Question(name, bl) for name in names], how))
    return time.now, sum(isinstance(each.outcome, Listed) for each in looks)


class Counted:
    """A progress that keeps what is reported to it."""

    def __init__(self) -> None:
        self.expected = self.answered = 0

    def expect(self, questions: int) -> None:
        self.expected += questions

    def done(self, questions: int) -> None:
        self.answered += questions


@pytest.mark.parametrize(("per_s", "own", "seconds"), [(10, {}, 2.0), (100, {}, 0.2), (100, {"queries_per_s": 5}, 4.0)])
def test_zone_is_asked_no_faster_than_its_rate(
    settings: Blocklists, per_s: float, own: dict[str, float], seconds: float
) -> None:
    took, listed = asked_for(settings, per_s, 21, **own)
    assert took == pytest.approx(seconds)
    assert listed == 1


def test_progress_hears_how_far_the_questions_are(settings: Blocklists) -> None:
    progress = Counted()
    asked = questions([Resource("ip", f"192.0.2.{last}") for last in range(30)], load_zones(Path(settings.zones_file)))
    asyncio.run(look(asked, QueryOptions(settings, Pacer(1e6), progress)))
    assert (progress.expected, progress.answered) == (30, 30)
