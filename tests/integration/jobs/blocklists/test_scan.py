"""The blocklist scan against a real blocklist server and a real store."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jobs.blocklists.answer import Clear, Failed, Listed, Look, LookOutcome
from jobs.blocklists.dnsbl import Resource, look, questions
from jobs.blocklists.listing_life import SAY_AGAIN_MS
from jobs.blocklists.state import open_listings
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import BlocklistsError, Zone, load_zones
from schemas.listing import BlocklistEvent
from schemas.settings import SettingsError
from streams.io.store import Store
from tests.support.rbldnsd import Rbldnsd, free_port, running
from tests.support.scans import DAY, MINUTE, NOW, TEST, keep, said, scan, sent_from
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.rbldnsd, pytest.mark.usefixtures("standing_clock")]


ZONES = """
[[zone]]
zone = "bl.example"
kind = "ip"
families = ["ipv4"]
weight = "critical"
[zone.codes]
"127.0.0.2" = { meaning = "sends spam" }
"127.0.0.10" = { meaning = "should not send", weight = "informational" }

[[zone]]
zone = "v6.example"
kind = "ip"
families = ["ipv6"]
weight = "minor"
any_code = true

[[zone]]
zone = "dbl.example"
kind = "domain"
weight = "major"
[zone.codes]
"127.0.1.2" = { meaning = "spam domain" }
"""

BL = [
    TEST,
    "192.0.2.1 :127.0.0.2:spam",
    "192.0.2.2 :127.0.0.10:policy",
    "192.0.2.3 :127.255.255.254:open resolver",
    "192.0.2.4 :198.51.100.9:parked",
    "192.0.2.5 :127.0.0.77:new code",
]


@pytest.fixture
def server() -> Iterator[Rbldnsd]:
    with running(
        {
            "bl.example": ("ip4set", BL),
            "v6.example": ("ip6trie", [":127.0.0.4:bad", "::ffff:7f00:2", "2001:db8:1::/48"]),
            "dbl.example": ("dnset", [":127.0.1.2:spam", "test", "bad.example"]),
            "odd.example": (
                "generic",
                ["2.2.0.192 A 127.0.0.10", "2.2.0.192 A 127.0.0.2", "3.2.0.192 TXT here"],
            ),
        }
    ) as started:
        yield started


@pytest.fixture
def zones_file(tmp_path: Path) -> Path:
    file = tmp_path / "zones.toml"
    file.write_text(ZONES)
    return file


def settings_for(port: int, zones_file: Path | None = None) -> Blocklists:
    return Blocklists(
        resolvers=["127.0.0.1"],
        port=port,
        zones_file=str(zones_file or ""),
        timeout_s=0.5,
        tries=2,
        concurrency=20,
    )


@pytest.fixture
def settings(server: Rbldnsd, zones_file: Path) -> Blocklists:
    return settings_for(server.port, zones_file)


def asked(zone: Zone, settings: Blocklists, *names: str) -> dict[str, LookOutcome]:
    looks = asyncio.run(look(questions([Resource(zone.kind, name) for name in names], [zone]), settings))
    return {each.resource: each.outcome for each in looks}


def zone(name: str, zones_file: Path) -> Zone:
    return next(each for each in load_zones(zones_file) if each.zone == name)


# ---- one look


def test_listed_address_is_listed_and_any_other_clear(settings: Blocklists, zones_file: Path) -> None:
    outcomes = asked(zone("bl.example", zones_file), settings, "192.0.2.1", "192.0.2.2", "192.0.2.99")
    assert outcomes == {
        "192.0.2.1": Listed("critical", "sends spam", ("127.0.0.2",)),
        "192.0.2.2": Listed("informational", "should not send", ("127.0.0.10",)),
        "192.0.2.99": Clear(),
    }


@pytest.mark.parametrize("address", ["192.0.2.3", "192.0.2.4", "192.0.2.5"])
def test_refusal_hijack_and_unknown_code_are_failures(settings: Blocklists, zones_file: Path, address: str) -> None:
    outcome = asked(zone("bl.example", zones_file), settings, address)[address]
    assert isinstance(outcome, Failed)
    answered = {"192.0.2.3": "127.255.255.254", "192.0.2.4": "198.51.100.9", "192.0.2.5": "127.0.0.77"}
    assert answered[address] in outcome.reason


def test_ipv6_address_is_asked_by_its_nibbles(settings: Blocklists, zones_file: Path) -> None:
    outcomes = asked(zone("v6.example", zones_file), settings, "2001:db8:1::25", "2001:db8:2::25")
    assert outcomes == {
        "2001:db8:1::25": Listed("minor", "code 127.0.0.4", ("127.0.0.4",)),
        "2001:db8:2::25": Clear(),
    }


def test_ipv4_address_in_ipv6_clothes_is_asked_as_ipv4(settings: Blocklists, zones_file: Path) -> None:
    # A list with plain names; rbldnsd's own address sets would understand the nibbles as well.
    plain = msgspec.structs.replace(zone("bl.example", zones_file), zone="odd.example")
    outcomes = asked(plain, settings, "::ffff:192.0.2.2")
    assert isinstance(outcomes["::ffff:192.0.2.2"], Listed)


def test_domain_is_asked_as_it_is(settings: Blocklists, zones_file: Path) -> None:
    outcomes = asked(zone("dbl.example", zones_file), settings, "BAD.example", "good.example", "no domain")
    assert outcomes["BAD.example"] == Listed("major", "spam domain", ("127.0.1.2",))
    assert outcomes["good.example"] == Clear()
    assert isinstance(outcomes["no domain"], Failed)


def test_several_codes_weigh_as_the_worst_and_a_name_without_a_record_is_a_failure(
    settings: Blocklists, zones_file: Path
) -> None:
    odd = msgspec.structs.replace(zone("bl.example", zones_file), zone="odd.example")
    outcomes = asked(odd, settings, "192.0.2.2", "192.0.2.3")
    assert outcomes["192.0.2.2"] == Listed("critical", "sends spam; should not send", ("127.0.0.2", "127.0.0.10"))
    nothing = outcomes["192.0.2.3"]
    assert isinstance(nothing, Failed)
    assert "no A record" in nothing.reason


def test_server_that_does_not_hold_the_zone_is_a_failure(settings: Blocklists, zones_file: Path) -> None:
    elsewhere = msgspec.structs.replace(zone("bl.example", zones_file), zone="elsewhere.example")
    outcome = asked(elsewhere, settings, "192.0.2.1")["192.0.2.1"]
    assert isinstance(outcome, Failed)
    assert "refused" in outcome.reason


def test_zone_with_a_key_is_asked_at_its_host_and_named_by_its_zone(settings: Blocklists, zones_file: Path) -> None:
    keyed = msgspec.structs.replace(
        zone("bl.example", zones_file), zone="keyed.example", needs_key=True, host="bl.example"
    )
    (found,) = asyncio.run(look(questions([Resource("ip", "192.0.2.1")], [keyed]), settings))
    assert isinstance(found.outcome, Listed)
    assert found.zone.zone == "keyed.example"


def test_resolver_where_nobody_listens_is_a_failure(zones_file: Path) -> None:
    outcome = asked(zone("bl.example", zones_file), settings_for(free_port()), "192.0.2.1")["192.0.2.1"]
    assert isinstance(outcome, Failed)


def test_dead_zone_is_left_in_peace_after_many_failures(zones_file: Path) -> None:
    names = [f"192.0.2.{last}" for last in range(200)]
    outcomes = asked(zone("bl.example", zones_file), settings_for(free_port()), *names).values()
    reasons = [each.reason for each in outcomes if isinstance(each, Failed)]
    assert len(reasons) == 200
    assert any("not asked" in reason for reason in reasons)


def test_resolver_that_is_no_address_is_named(zones_file: Path) -> None:
    wrong = Blocklists(resolvers=["dns.example"])
    with pytest.raises(SettingsError, match=r"blocklists\.resolvers: 'dns\.example'"):
        asked(zone("bl.example", zones_file), wrong, "192.0.2.1")


def test_looks_work_in_a_thread_without_a_loop(settings: Blocklists, zones_file: Path) -> None:
    found: list[Look] = []
    asking = [zone("bl.example", zones_file)]

    def work() -> None:
        found.extend(asyncio.run(look(questions([Resource("ip", "192.0.2.1")], asking), settings)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert [type(each.outcome) for each in found] == [Listed]


# ---- a scan


def test_listing_begins_is_confirmed_goes_on_and_ends(
    store: Store, settings: Blocklists, server: Rbldnsd, zones_file: Path
) -> None:
    sent_from(store, "192.0.2.1", "192.0.2.99")
    result, first = scan(store, settings, NOW)
    assert said(first) == [("listed", "192.0.2.1", "bl.example")]
    assert (first[0].weight, first[0].codes, first[0].meaning) == ("critical", ("127.0.0.2",), "sends spam")
    assert not first[0].confirmed
    assert (result.resources, result.looked, result.listed, result.failed) == (2, 2, 1, 0)

    _, second = scan(store, settings, NOW + 10 * MINUTE)
    assert said(second) == [("still_listed", "192.0.2.1", "bl.example")]
    assert second[0].confirmed

    _, third = scan(store, settings, NOW + 20 * MINUTE)
    assert third == []

    _, much_later = scan(store, settings, NOW + 10 * MINUTE + SAY_AGAIN_MS)
    assert said(much_later) == [("still_listed", "192.0.2.1", "bl.example")]

    server.write("bl.example", [TEST, "192.0.2.77"])
    bl = zone("bl.example", zones_file)
    wait_for(lambda: asked(bl, settings, "192.0.2.77")["192.0.2.77"] != Clear(), "the zone's other entries")
    result, once_clean = scan(store, settings, NOW + DAY)
    assert (once_clean, result.waiting) == ([], 1)
    result, last = scan(store, settings, NOW + DAY + 10 * MINUTE)
    assert said(last) == [("delisted", "192.0.2.1", "bl.example")]
    assert last[0].weight == "critical"
    assert result.delisted == 1
    assert open_listings(store) == []


def test_failed_checks_change_no_listing(store: Store, settings: Blocklists, zones_file: Path) -> None:
    sent_from(store, "192.0.2.1")
    scan(store, settings, NOW)
    before = open_listings(store)
    nowhere = settings_for(free_port(), zones_file)
    result, events = scan(store, nowhere, NOW + 10 * MINUTE)
    assert said(events) == [("check_failed", "192.0.2.1", "bl.example")]
    assert all(each.reason for each in events)
    assert result.failed == result.looked == 1
    assert list(result.unchecked_ms) == [10 * MINUTE]
    assert "open listings that could not be checked: 1, one of them for 0.2 h" in str(result)
    assert open_listings(store) == before
    assert [each.resource for each in before] == ["192.0.2.1"]


@pytest.mark.parametrize("answering", ["192.0.2.3", "192.0.2.4"])
def test_zone_that_refuses_or_answers_elsewhere_is_not_trusted_about_anything(
    store: Store, settings: Blocklists, answering: str
) -> None:
    sent_from(store, "192.0.2.1", answering, "192.0.2.99")
    result, events = scan(store, settings, NOW)
    assert [each.type for each in events] == ["check_failed"]
    assert "distrusted: 1" in events[0].reason
    (bl,) = result.zones
    assert (bl.zone, bl.looked, bl.listed, bl.failed) == ("bl.example", 3, 0, 3)
    assert bl.distrusted


def test_only_addresses_that_sent_lately_are_asked_and_open_listings(store: Store, settings: Blocklists) -> None:
    sent_from(store, "192.0.2.99", "mx1.example")
    sent_from(store, "192.0.2.2", at_ms=NOW - 8 * DAY)
    gone = BlocklistEvent(
        id="1",
        type="listed",
        time=NOW - 9 * DAY,
        kind="domain",
        resource="good.example",
        zone="dbl.example",
        weight="major",
    )
    elsewhere = msgspec.structs.replace(gone, id="2", zone="not.asked.example")
    keep(store, [gone, elsewhere])
    scan(store, settings, NOW)
    result, events = scan(store, settings, NOW + 10 * MINUTE)
    assert said(events) == [("delisted", "good.example", "dbl.example")]
    assert result.invalid == ("mx1.example",)
    assert result.unasked == 1
    assert [each.zone for each in open_listings(store)] == ["not.asked.example"]


def test_latest_event_decides_whether_a_listing_is_open(store: Store) -> None:
    event = BlocklistEvent(
        id="1", type="listed", time=NOW, kind="ip", resource="192.0.2.1", zone="bl.example", weight="major"
    )
    change = msgspec.structs.replace
    keep(
        store,
        [
            event,
            change(event, id="2", type="delisted", time=NOW + 1),
            change(event, id="3", type="listed", time=NOW + 2, codes=("127.0.0.2",), confirmed=False),
            change(event, id="4", type="check_failed", time=NOW + 3, weight="informational"),
            change(event, id="5", resource="192.0.2.2"),
            change(event, id="6", resource="192.0.2.2", type="delisted", time=NOW + 1),
            change(event, id="7", resource="192.0.2.3", type="delisted"),
            change(event, id="8", resource="192.0.2.3"),
        ],
    )
    found, same_time = open_listings(store)
    assert same_time.resource == "192.0.2.3"
    assert (found.resource, found.said_ms, found.weight) == ("192.0.2.1", NOW + 2, "major")
    assert (found.codes, found.confirmed, found.kind) == (("127.0.0.2",), False, "ip")


def test_without_sending_addresses_nothing_is_asked(store: Store, zones_file: Path) -> None:
    result, events = scan(store, settings_for(free_port(), zones_file), NOW)
    assert (events, result.looked) == ([], 0)
    assert str(result).startswith("0 addresses")


def test_summary_names_zones_and_why_they_failed(store: Store, settings: Blocklists) -> None:
    sent_from(store, "192.0.2.1", "192.0.2.5", "2001:db8:9::1")
    result, _ = scan(store, settings, NOW)
    text = str(result)
    assert "bl.example: 1 listed (1 new), 0 delisted, 1 failed (127.0.0.77: " in text
    assert "v6.example: 0 listed (0 new), 0 delisted" in text
    assert "waiting for a second look: 1" in text


def test_missing_zones_file_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BlocklistsError, match=r"none\.toml: cannot be read"):
        scan(store, settings_for(free_port(), tmp_path / "none.toml"), NOW)
