"""Blocklists that break, refuse, list the world or lose answers, on a real blocklist server and a real store."""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from api.cli.main import app
from jobs.blocklists.metrics import ScanMetrics
from jobs.blocklists.result import ScanResult
from jobs.blocklists.state import open_listings, read_trust
from jobs.blocklists.zone_trust import ZoneFamily
from schemas.blocklist_settings import Blocklists
from schemas.times import utc_now_ms
from streams.io.store import Store
from tests.support.lossy_dns import Fate, relay
from tests.support.rbldnsd import Rbldnsd, free_port, running
from tests.support.scans import MINUTE, NOW, TEST, said, scan, sent_from
from tests.support.waiting import wait_for

pytestmark = pytest.mark.rbldnsd

ZONES = """
[[zone]]
zone = "bl.example"
kind = "ip"
families = ["ipv4"]
weight = "major"
[zone.codes]
"127.0.0.2" = { meaning = "sends spam" }

[[zone]]
zone = "six.example"
kind = "ip"
families = ["ipv4", "ipv6"]
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
weight = "major"
any_code = true
needs_key = true
key = "mine"
keyed_host = "{key}.keyed.example"
"""
LISTED = [TEST, "192.0.2.1 :127.0.0.2:spam"]


def entry(address: str) -> str:
    """An address as a name of a zone that holds both families."""
    return f"{ip_address(address).reverse_pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')} A 127.0.0.2"


SIX = [entry("127.0.0.2"), entry("::ffff:7f00:2"), entry("2001:db8:1::25")]
DOMAINS = [":127.0.1.2:bad", "test", "bad.example"]
EVERYTHING = ["127.0.0.0/8 :127.0.0.2:gone", "192.0.0.0/8 :127.0.0.2:gone"]


@pytest.fixture
def server() -> Iterator[Rbldnsd]:
    with running(
        {
            "bl.example": ("ip4set", LISTED),
            "six.example": ("generic", SIX),
            "dbl.example": ("dnset", DOMAINS),
            "k3y.keyed.example": ("ip4set", [TEST]),
        }
    ) as started:
        yield started


@pytest.fixture
def zones_file(tmp_path: Path) -> Path:
    file = tmp_path / "zones.toml"
    file.write_text(ZONES)
    return file


@pytest.fixture
def settings(server: Rbldnsd, zones_file: Path) -> Blocklists:
    return Blocklists(
        resolvers=["127.0.0.1"], port=server.port, zones_file=str(zones_file), timeout_s=0.3, tries=2, concurrency=20
    )


def confirmed(store: Store, settings: Blocklists) -> None:
    """Two scans, after which 192.0.2.1 is listed."""
    sent_from(store, "192.0.2.1", "192.0.2.99")
    assert scan(store, settings, NOW)[1] == []
    _, events = scan(store, settings, NOW + 5 * MINUTE)
    assert said(events) == [("listed", "192.0.2.1", "bl.example")]
    assert events[0].confirmed


def incidents(store: Store) -> list[tuple[str, str]]:
    sql = "SELECT source, detail FROM incidents FINAL WHERE kind = 'blocklist_distrusted' ORDER BY detail"
    return [(source, detail) for source, detail in store.rows(sql)]


def bl_result(store: Store, settings: Blocklists, minute: int) -> tuple[str, list[tuple[str, str, str]]]:
    """Why bl.example is not trusted, and what was reported of it."""
    result, events = scan(store, settings, NOW + minute * MINUTE)
    (bl,) = [each for each in result.zones if each.zone == "bl.example"]
    return bl.distrusted, [each for each in said(events) if each[2] == "bl.example"]


# ---- second looks


def test_first_look_survives_a_restart_and_is_not_yet_a_listing(store: Store, settings: Blocklists) -> None:
    confirmed(store, settings)
    assert [each.resource for each in open_listings(store)] == ["192.0.2.1"]


def test_between_scans_only_what_waits_is_looked_at(store: Store, settings: Blocklists) -> None:
    sent_from(store, "192.0.2.1", "192.0.2.98", "192.0.2.99")
    first, _ = scan(store, settings, NOW)
    assert (first.waiting, first.looked) == (1, 6)
    early, events = scan(store, settings, NOW + MINUTE, second_looks=True)
    assert (early.waiting, early.looked, events) == (1, 1, [])
    second, events = scan(store, settings, NOW + 3 * MINUTE, second_looks=True)
    assert (second.waiting, second.looked, said(events)) == (0, 1, [("listed", "192.0.2.1", "bl.example")])
    nothing, events = scan(store, settings, NOW + 4 * MINUTE, second_looks=True)
    assert (nothing.looked, events) == (0, [])


def test_second_look_goes_through_another_resolver(store: Store, settings: Blocklists, server: Rbldnsd) -> None:
    """The other resolver knows nothing of the listing, as one would that is not lied to."""
    sent_from(store, "192.0.2.1")
    with running({"bl.example": ("ip4set", [TEST]), "six.example": ("generic", SIX)}, "127.0.0.2", server.port):
        both = msgspec.structs.replace(settings, resolvers=["127.0.0.1", "127.0.0.2"])
        result, _ = scan(store, both, NOW)
        assert result.waiting == 1
        result, events = scan(store, both, NOW + 5 * MINUTE, second_looks=True)
        assert (result.waiting, events) == (0, [])


def test_resolver_that_is_dead_is_stood_in_for_by_the_next(store: Store, settings: Blocklists) -> None:
    sent_from(store, "192.0.2.1")
    both = msgspec.structs.replace(settings, resolvers=["127.0.0.3", "127.0.0.1"])
    result, _ = scan(store, both, NOW)
    assert (result.failed, result.waiting, dict(result.distrusted)) == (0, 1, {})


#: As a list looks through a resolver that hides it: its self-test fails, and nothing is listed.
HIDDEN = {"bl.example": ("ip4set", ["192.0.2.77"]), "six.example": ("generic", SIX)}


def test_resolver_that_hides_a_list_talks_no_listing_away(
    store: Store, settings: Blocklists, caplog: pytest.LogCaptureFixture
) -> None:
    sent_from(store, "192.0.2.1")
    with running(HIDDEN) as hiding:
        both = msgspec.structs.replace(settings, resolvers=["127.0.0.1", f"127.0.0.1:{hiding.port}"])
        for minute in (0, 5, 10):
            result, events = scan(store, both, NOW + minute * MINUTE, second_looks=minute > 0)
            assert (result.waiting, events, dict(result.distrusted)) == (1, [], {})
        # Through the same resolver a second look counts after half an hour.
        _, events = scan(store, both, NOW + 31 * MINUTE, second_looks=True)
    assert said(events) == [("listed", "192.0.2.1", "bl.example")]
    assert f"bl.example (ipv4) is not asked through 127.0.0.1:{hiding.port}: 127.0.0.2: not listed" in caplog.text


def test_resolver_that_hides_a_list_ends_no_listing_in_place_of_one_that_fails(
    store: Store, settings: Blocklists
) -> None:
    def choose(name: bytes, _: int) -> Fate:
        return "servfail" if name.startswith(b"\x011\x012\x010\x03192") else "pass"

    confirmed(store, settings)
    with running(HIDDEN) as hiding, relay(settings.port, choose) as port:
        both = msgspec.structs.replace(settings, resolvers=[f"127.0.0.1:{port}", f"127.0.0.1:{hiding.port}"])
        for minute in (10, 50, 90):
            _, events = scan(store, both, NOW + minute * MINUTE)
            assert ("check_failed", "192.0.2.1", "bl.example") in said(events)
    assert [each.resource for each in open_listings(store)] == ["192.0.2.1"]


def test_further_resolver_is_asked_nothing_until_it_is_needed_and_is_tested_first(
    store: Store, settings: Blocklists
) -> None:
    asked: list[bytes] = []

    def note(name: bytes, _: int) -> Fate:
        asked.append(name)
        return "pass"

    sent_from(store, "192.0.2.1", "192.0.2.99")
    with relay(settings.port, note) as port:
        both = msgspec.structs.replace(settings, resolvers=["127.0.0.1", f"127.0.0.1:{port}"])
        result, _ = scan(store, both, NOW)
        assert (result.failed, result.waiting, asked) == (0, 1, [])
        scan(store, both, NOW + 5 * MINUTE, second_looks=True)
    # The self-test, and then the second look.
    names = [b".".join(name[at : at + 1] for at in (1, 3, 5)) for name in asked]
    assert (len(asked), names[-1]) == (3, b"1.2.0")


# ---- bounces that name a list


def bounced(store: Store, address: str, domain: str, diagnostic: str, at_ms: int, kind: str = "block") -> None:
    store.insert(
        "events",
        {
            "customer": ["acme"],
            "time": [datetime.fromtimestamp(at_ms / 1000, UTC)],
            "type": ["bounced"],
            "id": [diagnostic],
            "stream": ["default"],
            "class": ["bulk"],
            "sending_ip": [address],
            "from_domain": [domain],
            "diagnostic": [diagnostic],
            "bounce_kind": [kind],
        },
    )


def test_bounce_that_names_a_list_opens_a_check_at_once(store: Store, settings: Blocklists, tmp_path: Path) -> None:
    now = utc_now_ms()  # the store keeps bounces for 120 days only
    named = tmp_path / "named.toml"
    named.write_text(ZONES.replace('"bl.example"', '"bl.spamcop.net"').replace('"dbl.example"', '"multi.surbl.org"'))
    with running({"bl.spamcop.net": ("ip4set", LISTED), "multi.surbl.org": ("dnset", DOMAINS)}) as real:
        asking = msgspec.structs.replace(settings, port=real.port, zones_file=str(named))
        bounced(store, "192.0.2.1", "acme.example", "554 192.0.2.1 blocked using bl.spamcop.net", now)
        bounced(store, "192.0.2.98", "bad.example", "554 blocked using multi.surbl.org", now)
        bounced(store, "192.0.2.97", "acme.example", "550 part of their network is on our block list (S3140)", now)
        bounced(store, "mx1.example", "acme.example", "554 blocked using bl.spamcop.net", now)
        bounced(store, "192.0.2.96", "", "554 blocked using bl.spamcop.net", at_ms=now - MINUTE)
        bounced(store, "192.0.2.95", "", "554 blocked using bl.spamcop.net", at_ms=now, kind="soft")
        result, events = scan(store, asking, now, second_looks=True, bounced_since_ms=now)
        assert (result.looked, result.waiting, events) == (2, 2, [])
        _, events = scan(store, asking, now + 5 * MINUTE, second_looks=True)
    assert said(events) == [
        ("listed", "192.0.2.1", "bl.spamcop.net"),
        ("listed", "bad.example", "multi.surbl.org"),
    ]


# ---- distrust


def test_zone_that_lists_the_world_fails_its_self_test_and_lists_nobody(
    store: Store, settings: Blocklists, server: Rbldnsd
) -> None:
    confirmed(store, settings)
    server.write("bl.example", EVERYTHING)
    reason = ""
    events: list[tuple[str, str, str]] = []

    def fallen() -> bool:
        nonlocal reason, events
        reason, events = bl_result(store, settings, 10)
        return bool(reason)

    wait_for(fallen, "the zone to list everything")
    assert "127.0.0.1" in reason
    assert events == [("check_failed", "192.0.2.1", "bl.example")]
    assert [each.resource for each in open_listings(store)] == ["192.0.2.1"]


def test_zone_that_passes_its_self_test_and_lists_most_of_us_lists_nobody(
    store: Store, settings: Blocklists, server: Rbldnsd
) -> None:
    sent_from(store, *(f"192.0.2.{last}" for last in range(1, 31)))
    server.write("bl.example", [TEST, "192.0.2.0/24 :127.0.0.2:spam"])
    wait_for(lambda: bool(bl_result(store, settings, 0)[0]), "the zone to list the network")
    result, _ = scan(store, settings, NOW + 5 * MINUTE)
    assert result.distrusted[ZoneFamily("bl.example", "ipv4")] == "lists 30 of 30 resources at once"
    assert open_listings(store) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("127.0.0.2 :127.255.255.254:no", "open resolver"),
        ("127.0.0.2 :198.51.100.9:parked", "outside 127.0.0.0/8"),
        ("192.0.2.77 :127.0.0.2:spam", "dead or empty"),
    ],
)
def test_refusal_hijack_and_emptiness_are_reported_once_and_end_nothing(
    store: Store, settings: Blocklists, server: Rbldnsd, line: str, words: str
) -> None:
    confirmed(store, settings)
    server.write("bl.example", [line])
    wait_for(lambda: bool(bl_result(store, settings, 10)[0]), "the zone's other entries")
    for minute in (20, 30, 40):
        reason, events = bl_result(store, settings, minute)
        assert words in reason
        assert events == [("check_failed", "192.0.2.1", "bl.example")]
    assert [each.resource for each in open_listings(store)] == ["192.0.2.1"]
    ((zone, detail),) = incidents(store)
    assert zone == "bl.example"
    assert words in detail

    server.write("bl.example", LISTED)
    wait_for(lambda: not bl_result(store, settings, 50)[0], "the zone to recover")
    trust = read_trust(store)[ZoneFamily("bl.example", "ipv4")]
    assert (trust.reason, trust.since_ms) == ("", NOW + 50 * MINUTE)
    assert len(incidents(store)) == 1


def test_server_that_dies_ends_no_listing_and_its_age_is_seen(
    store: Store, settings: Blocklists, server: Rbldnsd
) -> None:
    confirmed(store, settings)
    server.stop()
    numbers = ScanMetrics()
    for minute in (60, 120):
        result, events = scan(store, settings, NOW + minute * MINUTE)
        numbers.note(result, second_looks=False)
        assert said(events)[0][0] == "check_failed"
    assert "delisted" not in {each.type for each in events}
    assert [each.resource for each in open_listings(store)] == ["192.0.2.1"]
    assert (numbers.distrusted_zones, numbers.unchecked_listings) == (2, 1)
    assert numbers.oldest_answer_seconds == 115 * 60


def test_family_is_distrusted_by_itself(store: Store, settings: Blocklists, server: Rbldnsd) -> None:
    sent_from(store, "2001:db8:1::25", "192.0.2.1")
    server.write("six.example", [entry("127.0.0.2"), entry("192.0.2.1"), entry("2001:db8:1::25")])

    def result() -> ScanResult:
        return scan(store, settings, NOW)[0]

    wait_for(lambda: bool(result().distrusted), "the zone without its IPv6 test entry")
    assert list(result().distrusted) == [ZoneFamily("six.example", "ipv6")]
    assert ("192.0.2.1", "six.example") in result().states
    assert ("2001:db8:1::25", "six.example") not in result().states


# ---- answers lost on the way


def lossy(port: int, settings: Blocklists) -> Blocklists:
    return msgspec.structs.replace(settings, port=port)


def test_lost_questions_are_asked_again(store: Store, settings: Blocklists) -> None:
    def first_time(_: bytes, before: int) -> Fate:
        return "pass" if before else "lose"

    sent_from(store, "192.0.2.1", "192.0.2.99")
    with relay(settings.port, first_time) as port:
        result, _ = scan(store, lossy(port, settings), NOW)
    assert (result.failed, result.waiting, dict(result.distrusted)) == (0, 1, {})


def test_answer_that_comes_late_is_waited_for_although_all_others_came_at_once(
    store: Store, settings: Blocklists
) -> None:
    """c-ares alone would give up after a few times as long as the answers before; 192.0.2.9 is asked about last."""

    def choose(name: bytes, _: int) -> Fate:
        return "late" if name.startswith(b"\x019\x012\x010\x03192\x02bl") else "pass"

    sent_from(store, *(f"192.0.2.{last}" for last in range(1, 40)))
    patient = msgspec.structs.replace(settings, timeout_s=3.0)
    with relay(settings.port, choose) as port:
        result, _ = scan(store, lossy(port, patient), NOW)
    assert (result.failed, result.listed, result.waiting) == (0, 1, 1)


@pytest.mark.parametrize("fate", ["lose", "servfail"])
def test_answers_that_never_come_are_not_clean_looks(store: Store, settings: Blocklists, fate: Fate) -> None:
    """Questions about the listed address get no answer, the self-test does."""

    def choose(name: bytes, _: int) -> Fate:
        return fate if name.startswith(b"\x011\x012\x010\x03192") else "pass"

    confirmed(store, settings)
    with relay(settings.port, choose) as port:
        for minute in (10, 20, 30):
            result, events = scan(store, lossy(port, settings), NOW + minute * MINUTE)
            assert ("check_failed", "192.0.2.1", "bl.example") in said(events)
            assert not result.distrusted
    assert [each.resource for each in open_listings(store)] == ["192.0.2.1"]


@pytest.mark.parametrize("fate", ["lose", "servfail"])
def test_list_that_dies_in_the_middle_of_a_scan_ends_nothing(store: Store, settings: Blocklists, fate: Fate) -> None:
    """What it said before counts."""
    confirmed(store, settings)
    sent_from(store, *(f"192.0.2.{last}" for last in range(100, 140)))
    asked: list[bytes] = []

    def choose(name: bytes, _: int) -> Fate:
        if not name.endswith(b"\x02bl\x07example"):
            return "pass"
        asked.append(name)
        # The self-test is answered, and the first addresses are.
        return "pass" if len(asked) <= 20 else fate

    with relay(settings.port, choose) as port:
        impatient = msgspec.structs.replace(lossy(port, settings), timeout_s=0.1, zone_concurrency=1)
        for minute in (10, 20, 30):
            asked.clear()
            result, events = scan(store, impatient, NOW + minute * MINUTE)
            (bl,) = [each for each in result.zones if each.zone == "bl.example"]
            assert 0 < bl.failed < bl.looked
            assert {each[0] for each in said(events)} <= {"check_failed"}
    assert [each.resource for each in open_listings(store)] == ["192.0.2.1"]


# ---- repmon zones


def repmon(settings: Blocklists, tmp_path: Path, *words: str) -> tuple[int, list[str]]:
    file = tmp_path / "repmon.toml"
    fields = msgspec.to_builtins(settings)
    tables = {name: fields.pop(name) for name in ("keys", "every_minutes")}
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in fields.items()]
    for table, values in tables.items():
        lines += [
            f"[blocklists.{table}]",
            *(f"{name} = {msgspec.json.encode(each).decode()}" for name, each in values.items()),
        ]
    file.write_text("\n".join(["[blocklists]", *lines]))
    result = CliRunner().invoke(app, ["--config", str(file), *words])
    return result.exit_code, [" ".join(line.split()) for line in result.output.splitlines()]


def test_zones_test_says_which_zones_are_to_be_trusted(settings: Blocklists, tmp_path: Path) -> None:
    code, lines = repmon(settings, tmp_path, "zones", "test")
    assert lines == [
        "bl.example ipv4 trusted",
        "six.example ipv4 trusted",
        "six.example ipv6 trusted",
        "dbl.example domain trusted",
        "keyed.example not asked, needs key mine",
    ]
    assert code == 0


def test_zones_test_ends_with_1_and_names_a_resolver_that_hides_a_list(settings: Blocklists, tmp_path: Path) -> None:
    served = {"six.example": ("generic", SIX), "dbl.example": ("dnset", DOMAINS), "bl.example": ("ip4set", [])}
    with running(served) as other:
        both = msgspec.structs.replace(settings, resolvers=["127.0.0.1", f"127.0.0.1:{other.port}"])
        code, lines = repmon(both, tmp_path, "zones", "test")
    where = f"127.0.0.1:{other.port}: 127.0.0.2: not listed: the zone is dead or empty"
    assert (code, lines[0]) == (1, f"bl.example ipv4 trusted, but not asked through {where}")
    assert lines[1] == "six.example ipv4 trusted"


def test_zones_test_asks_a_zone_with_a_key_under_it_and_never_shows_the_key(
    settings: Blocklists, tmp_path: Path
) -> None:
    with_key = msgspec.structs.replace(settings, keys={"mine": "k3y"})
    _, lines = repmon(with_key, tmp_path, "zones", "test")
    assert "keyed.example ipv4 trusted" in lines
    _, listed = repmon(with_key, tmp_path, "zones", "list")
    assert not [line for line in lines + listed if "k3y" in line]


def test_zones_test_ends_with_1_and_says_why_a_zone_is_distrusted(settings: Blocklists, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(ZONES.replace('"bl.example"', '"gone.example"'))
    code, lines = repmon(msgspec.structs.replace(settings, zones_file=str(elsewhere)), tmp_path, "zones", "test")
    assert code == 1
    assert lines[0].startswith("gone.example ipv4 distrusted: 127.0.0.2: ")
    assert "refused" in lines[0]
    assert lines[1] == "six.example ipv4 trusted"


def test_zones_list_says_what_each_zone_is(settings: Blocklists, tmp_path: Path) -> None:
    code, lines = repmon(settings, tmp_path, "zones", "list")
    assert code == 0
    assert lines == [
        "bl.example ipv4 major asked",
        "six.example ipv4, ipv6 minor asked",
        "dbl.example domain major asked",
        "keyed.example ipv4, ipv6 major not asked, needs key mine",
    ]
    unused = msgspec.structs.replace(settings, zones_file="", port=free_port())
    assert len(repmon(unused, tmp_path, "zones", "list")[1]) >= 25
