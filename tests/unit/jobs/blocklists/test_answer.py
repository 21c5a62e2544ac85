"""Blocklists: the table of zones, and how answers are read."""

from pathlib import Path

import pytest
from aiodns.error import (
    ARES_ECONNREFUSED,
    ARES_ENODATA,
    ARES_ENOTFOUND,
    ARES_EREFUSED,
    ARES_ESERVFAIL,
    ARES_ETIMEOUT,
    DNSError,
)
from hypothesis import given
from hypothesis import strategies as st

from jobs.blocklists.answer import Clear, Failed, Listed, is_address, read_answer
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import BlocklistsError, Zone, in_force, load_zones
from schemas.listing import Weight

ZONES = {each.zone: each for each in load_zones()}
ZEN = ZONES["zen.spamhaus.org"]
DBL = ZONES["dbl.spamhaus.org"]
PSBL = ZONES["psbl.surriel.com"]
SURBL = ZONES["multi.surbl.org"]
URIBL = ZONES["multi.uribl.com"]


# ---- the table


def test_every_zone_says_what_its_answers_mean_and_where_to_ask_for_removal() -> None:
    for zone in ZONES.values():
        assert zone.codes or zone.bits, zone.zone
        assert zone.policy, zone.zone
        assert zone.delisting.startswith("https://"), zone.zone
        assert zone.source.startswith(("https://", "http://")), zone.zone


def test_there_are_25_zones_that_need_no_key() -> None:
    assert len([zone for zone in ZONES.values() if zone.asked_at]) >= 25
    assert {zone.kind for zone in ZONES.values() if zone.asked_at} == {"ip", "domain"}


#: Ended, and answer nothing or everything: SORBS (June 2024), NiX Spam (January 2025), WPBL (2024), CBL (now in XBL)...
DEAD = (
    "sorbs.net",
    "ahbl.org",
    "njabl.org",
    "five-ten-sg.com",
    "msrbl.net",
    "abuse.ch",
    "ttk.pte.hu",
    "manitu.net",
    "wpbl.info",
    "abuseat.org",
    "ordb.org",
    "dsbl.org",
    "osirusoft.com",
    "mail-abuse.org",
    "rfc-ignorant.org",
    "dnsbl.bit.nl",
    "openresolvers.org",
    "csma.biz",
    "swiftbl.net",
    "rbl.snark.net",
    "badnets.spameatingmonkey.net",
)


@pytest.mark.parametrize("dead", DEAD)
def test_no_zone_is_one_of_the_dead(dead: str) -> None:
    assert not [name for name in ZONES if name == dead or name.endswith(f".{dead}")]


@pytest.mark.parametrize(
    ("zone", "weight"),
    [
        ("zen.spamhaus.org", "critical"),
        ("dbl.spamhaus.org", "critical"),
        ("b.barracudacentral.org", "major"),
        ("bl.spamcop.net", "major"),
        ("dnsbl-2.uceprotect.net", "informational"),
        ("dnsbl-3.uceprotect.net", "informational"),
    ],
)
def test_zones_weigh_by_default_what_receivers_make_of_them(zone: str, weight: Weight) -> None:
    assert ZONES[zone].weight == weight


def test_policy_block_list_is_informational_and_the_rest_of_zen_critical() -> None:
    policy = {"127.0.0.10", "127.0.0.11"}
    weights = {code: each.weight or ZEN.weight for code, each in ZEN.codes.items()}
    assert {code for code, weight in weights.items() if weight == "informational"} == policy
    assert {weight for code, weight in weights.items() if code not in policy} == {"critical"}


def test_zone_that_needs_a_key_is_asked_only_where_its_key_is() -> None:
    keyed = Zone(zone="bl.example", kind="ip", weight="major", any_code=True, needs_key=True)
    assert keyed.asked_at is None
    with_key = Zone(zone="bl.example", kind="ip", weight="major", needs_key=True, host="k3y.bl.example")
    assert with_key.asked_at == "k3y.bl.example"
    assert ZEN.asked_at == "zen.spamhaus.org"


def test_key_of_a_setting_is_put_into_the_name_that_is_asked() -> None:
    zones = {each.zone: each for each in load_zones(keys={"spamhaus_dqs": "k3y", "abusix": ""})}
    assert zones["zen.spamhaus.org"].asked_at == "k3y.zen.dq.spamhaus.net"
    assert zones["dbl.spamhaus.org"].asked_at == "k3y.dbl.dq.spamhaus.net"
    assert zones["authbl.dq.spamhaus.net"].asked_at == "k3y.authbl.dq.spamhaus.net"
    assert zones["combined.mail.abusix.zone"].asked_at is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"spamhouse": "k3y"}, ["`spamhouse`", "abusix, spamhaus_dqs"]),
        ({"abusix": "k3y.example"}, ["`abusix`", "one DNS label"]),
        ({"abusix": "k" * 64}, ["`abusix`", "one DNS label"]),
    ],
)
def test_key_that_cannot_be_used_is_named_and_not_shown(keys: dict[str, str], words: list[str]) -> None:
    with pytest.raises(BlocklistsError) as raised:
        load_zones(keys=keys)
    for word in ["blocklists.keys", *words]:
        assert word in str(raised.value)
    assert not [key for key in keys.values() if key in str(raised.value)]


@pytest.mark.parametrize(
    ("zone", "a_day"), [("bl.mailspike.net", 100_000), ("bl.spameatingmonkey.net", 25_000), ("dbl.nordspam.com", 5_000)]
)
def test_limit_that_a_list_publishes_is_kept_and_shared_by_its_zones(zone: str, a_day: int) -> None:
    assert ZONES[zone].queries_per_day == a_day


def test_only_lists_that_know_nothing_else_are_asked_about_registered_domains_alone() -> None:
    registered = {name for name, zone in ZONES.items() if zone.names == "registered"}
    assert registered == {
        "dbl.spamhaus.org",
        "zrd.dq.spamhaus.net",
        "multi.uribl.com",
        "uribl.spameatingmonkey.net",
        "fresh.spameatingmonkey.net",
    }


def test_zone_to_be_skipped_is_not_in_force() -> None:
    names = [zone.zone for zone in in_force(Blocklists(skip_zones=["b.barracudacentral.org"]))]
    assert names == [name for name in ZONES if name != "b.barracudacentral.org"]


def test_zone_to_be_skipped_that_is_not_there_is_named() -> None:
    with pytest.raises(BlocklistsError, match=r"blocklists\.skip_zones: there is no zone `bl\.example`"):
        in_force(Blocklists(skip_zones=["bl.example"]))
    with pytest.raises(BlocklistsError, match=r"blocklists\.skip_zones: no zone is left"):
        in_force(Blocklists(skip_zones=list(ZONES)))


GOOD = '[[zone]]\nzone = "bl.example"\nkind = "ip"\nweight = "major"\n'
CODES = '[zone.codes]\n"127.0.0.2" = { meaning = "spam" }\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zone = ", ["not valid TOML"]),
        ("", ["no [[zone]]"]),
        ("zones = 1\n" + GOOD + CODES, ["unknown field `zones`"]),
        (GOOD + CODES + GOOD + CODES, ["zone bl.example", "`zone`", "twice"]),
        (GOOD.replace("major", "dreadful") + CODES, ["zone bl.example", "weight", "dreadful"]),
        (GOOD.replace('kind = "ip"\n', "") + CODES, ["zone bl.example", "kind"]),
        (GOOD.replace('zone = "bl.example"\n', "") + CODES, ["zone number 1", "zone"]),
        (GOOD.replace("bl.example", "BL example") + CODES, ["zone BL example", "zone"]),
        (GOOD + "wieght = 1\n" + CODES, ["zone bl.example", "wieght"]),
        (GOOD, ["zone bl.example", "`codes`"]),
        (GOOD + '[zone.codes]\n"127.0.0.2" = { meaning = "" }\n', ["zone bl.example", "codes"]),
        (GOOD + CODES.replace("127.0.0.2", "2"), ["zone bl.example", "`codes`", "'2'"]),
        (GOOD + CODES.replace("127.0.0.2", "10.0.0.2"), ["zone bl.example", "`codes`", "10.0.0.2"]),
        (GOOD + CODES.replace("127.0.0.2", "127.255.255.254"), ["zone bl.example", "127.255.255.254"]),
        (GOOD + CODES.replace("127.0.0.2", "127.0.0.1"), ["zone bl.example", "127.0.0.1"]),
        (GOOD + 'errors = { "127.0.0.2" = "no" }\n' + CODES, ["zone bl.example", "`errors`", "127.0.0.2"]),
        (GOOD + 'errors = { "10.0.0.2" = "no" }\n' + CODES, ["zone bl.example", "`errors`", "10.0.0.2"]),
        (GOOD + '[zone.bits]\n"3" = { meaning = "spam" }\n', ["zone bl.example", "`bits`", "3"]),
        (GOOD + '[zone.bits]\n"1" = { meaning = "spam" }\n', ["zone bl.example", "`bits`", "1"]),
        (GOOD + '[zone.bits]\n"2" = { meaning = "spam" }\n' + CODES, ["zone bl.example", "`bits`", "`codes`"]),
        (GOOD + "families = []\n" + CODES, ["zone bl.example", "`families`"]),
        (GOOD + 'families = ["ipv5"]\n' + CODES, ["zone bl.example", "families", "ipv5"]),
        (GOOD + 'names = "registered"\n' + CODES, ["zone bl.example", "`names`", "domain"]),
        (GOOD.replace('"ip"', '"domain"') + 'names = "none"\n' + CODES, ["zone bl.example", "names", "none"]),
        (GOOD + "queries_per_s = 0\n" + CODES, ["zone bl.example", "queries_per_s"]),
        (GOOD + "queries_per_day = 0.5\n" + CODES, ["zone bl.example", "queries_per_day"]),
        (GOOD + 'key = "mine"\n' + CODES, ["zone bl.example", "`key`", "`keyed_host`"]),
        (GOOD + 'key = "mine"\nkeyed_host = "bl.example"\n' + CODES, ["zone bl.example", "keyed_host"]),
    ],
)
def test_mistake_in_the_table_is_named_with_file_zone_and_field(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BlocklistsError) as raised:
        load_zones(file)
    for word in ["mine.toml", *words]:
        assert word in str(raised.value)


def test_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlocklistsError, match=r"none\.toml: cannot be read"):
        load_zones(tmp_path / "none.toml")


# ---- reading an answer


def test_named_code_is_a_listing_with_its_meaning_and_weight() -> None:
    assert read_answer(ZEN, ("127.0.0.4",)) == Listed("critical", ZEN.codes["127.0.0.4"].meaning, ("127.0.0.4",))
    policy = read_answer(ZEN, ("127.0.0.11",))
    assert isinstance(policy, Listed)
    assert policy.weight == "informational"


def test_several_codes_weigh_as_the_worst_in_any_order() -> None:
    answer = read_answer(ZEN, ("127.0.0.10", "127.0.0.2"))
    assert answer == read_answer(ZEN, ("127.0.0.2", "127.0.0.10"))
    assert isinstance(answer, Listed)
    assert answer.weight == "critical"
    assert answer.codes == ("127.0.0.2", "127.0.0.10")


@pytest.mark.parametrize("code", ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.255.255.1"])
def test_refusal_is_never_a_listing_even_where_any_code_is(code: str) -> None:
    for zone in (ZEN, PSBL, DBL):
        answer = read_answer(zone, (code, "127.0.0.2"))
        assert isinstance(answer, Failed)
        assert code in answer.reason


@pytest.mark.parametrize("code", ["192.0.2.1", "10.0.0.2", "128.0.0.1", "0.0.0.7", "126.255.255.255"])
def test_answer_outside_127_is_never_a_listing(code: str) -> None:
    for zone in (ZEN, PSBL):
        answer = read_answer(zone, (code,))
        assert isinstance(answer, Failed)
        assert code in answer.reason


def test_loopback_is_never_a_listing() -> None:
    assert isinstance(read_answer(PSBL, ("127.0.0.1",)), Failed)


def test_address_asked_of_a_domain_list_is_a_failure() -> None:
    answer = read_answer(DBL, ("127.0.1.255",))
    assert isinstance(answer, Failed)
    assert "IP address" in answer.reason


def test_unknown_code_is_a_failure_unless_the_zone_takes_any() -> None:
    answer = read_answer(ZEN, ("127.0.0.77",))
    assert isinstance(answer, Failed)
    assert "127.0.0.77" in answer.reason
    assert read_answer(PSBL, ("127.0.0.77",)) == Listed("minor", "code 127.0.0.77", ("127.0.0.77",))


def test_unknown_code_next_to_a_named_one_is_kept_as_evidence() -> None:
    answer = read_answer(ZEN, ("127.0.0.10", "127.0.0.77"))
    assert isinstance(answer, Listed)
    assert answer.codes == ("127.0.0.10", "127.0.0.77")
    assert answer.weight == "informational"


def test_only_nxdomain_is_clear() -> None:
    assert read_answer(ZEN, (), DNSError(ARES_ENOTFOUND, "Domain name not found")) == Clear()


@pytest.mark.parametrize(
    ("zone", "code", "weight", "meanings"),
    [
        (SURBL, "127.0.0.64", "major", ["ABUSE"]),
        (SURBL, "127.0.0.80", "critical", ["MW", "ABUSE"]),
        (SURBL, "127.0.0.32", "informational", ["CT"]),
        (URIBL, "127.0.0.2", "major", ["black"]),
        (URIBL, "127.0.0.12", "minor", ["grey", "red"]),
        (URIBL, "127.0.0.3", "major", ["black"]),
    ],
)
def test_sum_of_bits_means_each_list_it_holds_and_weighs_as_the_worst(
    zone: Zone, code: str, weight: Weight, meanings: list[str]
) -> None:
    answer = read_answer(zone, (code,))
    assert isinstance(answer, Listed)
    assert (answer.weight, answer.codes) == (weight, (code,))
    assert len(answer.meaning.split("; ")) == len(meanings)
    assert all(each in answer.meaning for each in meanings)


def test_bits_that_the_table_does_not_name_are_a_failure() -> None:
    answer = read_answer(URIBL, ("127.0.0.64",))
    assert isinstance(answer, Failed)
    assert not answer.distrust


@pytest.mark.parametrize(
    ("zone", "code"),
    [(URIBL, "127.0.0.1"), (DBL, "127.0.1.255"), (ZEN, "127.255.255.254"), (PSBL, "192.0.2.1"), (ZEN, "10.0.0.2")],
)
def test_refusal_or_foreign_address_costs_the_zone_its_credit(zone: Zone, code: str) -> None:
    answer = read_answer(zone, (code,))
    assert isinstance(answer, Failed)
    assert answer.distrust


def test_unknown_code_or_timeout_costs_no_credit() -> None:
    for answer in (read_answer(ZEN, ("127.0.0.77",)), read_answer(ZEN, (), DNSError(ARES_ETIMEOUT, "timeout"))):
        assert isinstance(answer, Failed)
        assert not answer.distrust


@pytest.mark.parametrize("number", [ARES_ESERVFAIL, ARES_ETIMEOUT, ARES_EREFUSED, ARES_ECONNREFUSED, ARES_ENODATA])
def test_any_other_error_of_the_resolver_is_a_failure(number: int) -> None:
    answer = read_answer(ZEN, (), DNSError(number, "what the resolver said"))
    assert isinstance(answer, Failed)
    assert answer.reason


def test_answer_without_records_is_a_failure() -> None:
    assert isinstance(read_answer(PSBL, ()), Failed)


ADDRESSES = st.ip_addresses(v=4).map(str) | st.sampled_from(
    ["127.0.0.2", "127.0.0.10", "127.0.0.77", "127.255.255.254", "127.0.0.1"]
)


@given(st.lists(ADDRESSES, min_size=1, max_size=4), st.sampled_from([ZEN, DBL, PSBL]))
def test_a_listing_consists_of_nothing_but_listing_codes(codes: list[str], zone: Zone) -> None:
    answer = read_answer(zone, tuple(codes))
    assert not isinstance(answer, Clear)
    if isinstance(answer, Listed):
        assert set(answer.codes) == set(codes)
        assert all(each.startswith("127.") and not each.startswith("127.255.255.") for each in codes)
        assert zone.any_code or set(codes) & set(zone.codes)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("mx1.example", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_only_a_plain_ip_address_can_be_asked_about(text: str, answer: bool) -> None:
    assert is_address(text) is answer
