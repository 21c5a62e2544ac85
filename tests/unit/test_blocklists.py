"""Blocklists: the table of zones, how answers are read, and what a look changes."""

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

from jobs.blocklist_scan import SAY_AGAIN_MS, OpenListing, transitions
from jobs.dnsbl import Clear, Failed, Listed, Look, Outcome, is_address, read_answer
from schemas.blocklists import BlocklistsError, Code, Zone, load
from schemas.listing import BlocklistEvent, Weight

ZONES = {each.zone: each for each in load()}
ZEN = ZONES["zen.spamhaus.org"]
DBL = ZONES["dbl.spamhaus.org"]
PSBL = ZONES["psbl.surriel.com"]
NOW = 1_764_576_000_000


# ---- the table


def test_every_zone_says_what_its_answers_mean_and_where_to_ask_for_removal() -> None:
    for zone in ZONES.values():
        assert zone.codes, zone.zone
        assert zone.delisting.startswith("https://"), zone.zone
        assert zone.source.startswith("https://"), zone.zone


def test_no_zone_is_one_of_the_dead() -> None:
    dead = ("sorbs.net", "ahbl.org", "njabl.org", "five-ten-sg.com", "msrbl.net", "abuse.ch", "ttk.pte.hu")
    assert not [name for name in ZONES if name.endswith(dead)]


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


GOOD = '[[zone]]\nzone = "bl.example"\nkind = "ip"\nweight = "major"\n'
CODES = '[zone.codes]\n"127.0.0.2" = { meaning = "spam" }\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zone = ", ["not valid TOML"]),
        ("", ["no [[zone]]"]),
        ("zones = 1\n" + GOOD + CODES, ["unknown field `zones`"]),
        (GOOD + CODES + GOOD + CODES, ["zone bl.example", "`zone`", "twice"]),
        (GOOD.replace("major", "dreadful") + CODES, ["zone bl.example", "$.weight", "dreadful"]),
        (GOOD.replace('kind = "ip"\n', "") + CODES, ["zone bl.example", "kind"]),
        (GOOD.replace('zone = "bl.example"\n', "") + CODES, ["zone number 1", "zone"]),
        (GOOD.replace("bl.example", "BL example") + CODES, ["zone BL example", "$.zone"]),
        (GOOD + "wieght = 1\n" + CODES, ["zone bl.example", "wieght"]),
        (GOOD, ["zone bl.example", "`codes`"]),
        (GOOD + '[zone.codes]\n"127.0.0.2" = { meaning = "" }\n', ["zone bl.example", "$.codes"]),
        (GOOD + CODES.replace("127.0.0.2", "2"), ["zone bl.example", "`codes`", "'2'"]),
        (GOOD + CODES.replace("127.0.0.2", "10.0.0.2"), ["zone bl.example", "`codes`", "10.0.0.2"]),
        (GOOD + CODES.replace("127.0.0.2", "127.255.255.254"), ["zone bl.example", "127.255.255.254"]),
        (GOOD + CODES.replace("127.0.0.2", "127.0.0.1"), ["zone bl.example", "127.0.0.1"]),
        (GOOD + 'errors = { "127.0.0.2" = "no" }\n' + CODES, ["zone bl.example", "`errors`", "127.0.0.2"]),
        (GOOD + 'errors = { "10.0.0.2" = "no" }\n' + CODES, ["zone bl.example", "`errors`", "10.0.0.2"]),
    ],
)
def test_mistake_in_the_table_is_named_with_file_zone_and_field(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BlocklistsError) as raised:
        load(file)
    for word in ["mine.toml", *words]:
        assert word in str(raised.value)


def test_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BlocklistsError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


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


def test_unknown_code_beside_a_named_one_is_kept_as_evidence() -> None:
    answer = read_answer(ZEN, ("127.0.0.10", "127.0.0.77"))
    assert isinstance(answer, Listed)
    assert answer.codes == ("127.0.0.10", "127.0.0.77")
    assert answer.weight == "informational"


def test_only_nxdomain_is_clear() -> None:
    assert read_answer(ZEN, (), DNSError(ARES_ENOTFOUND, "Domain name not found")) == Clear()


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


# ---- what a look changes

BL = Zone(
    zone="bl.example",
    kind="ip",
    weight="major",
    codes={"127.0.0.2": Code(meaning="spam"), "127.0.0.9": Code(meaning="worse", weight="critical")},
)
SPAM = Listed("major", "spam", ("127.0.0.2",))
WORSE = Listed("critical", "worse", ("127.0.0.9",))
TIMEOUT = Failed("Timeout while contacting DNS servers")


def look(outcome: Outcome, resource: str = "192.0.2.1", zone: Zone = BL) -> Look:
    return Look(resource, zone, outcome)


def listing(
    *,
    weight: Weight = "major",
    confirmed: bool = True,
    said_ms: int = NOW - 60_000,
    resource: str = "192.0.2.1",
) -> OpenListing:
    return OpenListing(
        kind="ip",
        resource=resource,
        zone="bl.example",
        weight=weight,
        codes=("127.0.0.2",),
        confirmed=confirmed,
        said_ms=said_ms,
    )


def types(events: list[BlocklistEvent]) -> list[str]:
    return [each.type for each in events]


def test_first_look_that_finds_a_listing_reports_it_unconfirmed() -> None:
    (event,) = transitions([], [look(SPAM)], NOW)
    assert (event.type, event.time, event.resource, event.zone) == ("listed", NOW, "192.0.2.1", "bl.example")
    assert (event.weight, event.codes, event.meaning, event.kind) == ("major", ("127.0.0.2",), "spam", "ip")
    assert not event.confirmed


def test_second_look_confirms() -> None:
    (event,) = transitions([listing(confirmed=False)], [look(SPAM)], NOW)
    assert (event.type, event.confirmed) == ("still_listed", True)


@pytest.mark.parametrize(("age_ms", "said"), [(60_000, []), (SAY_AGAIN_MS - 1, []), (SAY_AGAIN_MS, ["still_listed"])])
def test_listing_that_goes_on_is_reported_again_after_six_hours(age_ms: int, said: list[str]) -> None:
    assert types(transitions([listing(said_ms=NOW - age_ms)], [look(SPAM)], NOW)) == said


def test_other_codes_of_the_same_weight_are_reported_at_once() -> None:
    both = Listed("major", "spam; code 127.0.0.7", ("127.0.0.2", "127.0.0.7"))
    (event,) = transitions([listing()], [look(both)], NOW)
    assert (event.type, event.codes) == ("still_listed", both.codes)


def test_listing_that_changed_its_weight_ends_with_the_old_one_and_begins_with_the_new() -> None:
    ended, began = transitions([listing()], [look(WORSE)], NOW)
    assert (ended.type, ended.weight) == ("delisted", "major")
    assert (began.type, began.weight, began.confirmed) == ("listed", "critical", True)
    assert ended.time_ms < began.time_ms == NOW


def test_listing_that_is_gone_is_delisted_with_the_weight_it_had() -> None:
    (event,) = transitions([listing(weight="critical")], [look(Clear())], NOW)
    assert (event.type, event.weight, event.codes) == ("delisted", "critical", ())


def test_address_that_was_and_is_not_listed_is_no_news() -> None:
    assert transitions([], [look(Clear())], NOW) == []


def test_failed_look_at_a_listing_is_reported_and_changes_nothing() -> None:
    (event,) = transitions([listing()], [look(TIMEOUT), look(Clear(), "192.0.2.2")], NOW)
    assert (event.type, event.reason, event.resource) == ("check_failed", TIMEOUT.reason, "192.0.2.1")


def test_failed_look_at_an_address_not_listed_is_no_event_while_the_zone_answers_others() -> None:
    assert transitions([], [look(TIMEOUT), look(Clear(), "192.0.2.2")], NOW) == []


def test_zone_that_failed_wholly_is_one_event_about_a_listing_if_there_is_one() -> None:
    looks = [look(TIMEOUT, f"192.0.2.{last}") for last in range(1, 9)]
    assert types(transitions([], looks, NOW)) == ["check_failed"]
    held = [listing(resource="192.0.2.5"), listing(resource="192.0.2.7")]
    (event,) = transitions(held, looks, NOW)
    assert (event.type, event.resource) == ("check_failed", "192.0.2.5")


def test_listing_reported_later_than_this_scan_is_left_alone() -> None:
    assert transitions([listing(said_ms=NOW)], [look(Clear())], NOW) == []


def test_same_scan_has_the_same_ids_and_another_scan_others() -> None:
    looks = [look(SPAM), look(SPAM, "192.0.2.2"), look(WORSE, "192.0.2.3")]
    held = [listing(resource="192.0.2.3")]
    first, again = transitions(held, looks, NOW), transitions(held, looks[::-1], NOW)
    later = transitions(held, looks, NOW + 1)
    assert first == again
    ids = {each.id for each in first}
    assert len(ids) == len(first) == 4
    assert ids.isdisjoint(each.id for each in later)


OUTCOMES = st.sampled_from([SPAM, WORSE, Clear(), TIMEOUT])


@given(st.lists(st.dictionaries(st.sampled_from(["192.0.2.1", "192.0.2.2"]), OUTCOMES), max_size=8))
def test_after_any_scans_exactly_what_was_last_seen_listed_is_open(scans: list[dict[str, Outcome]]) -> None:
    opened: dict[str, OpenListing] = {}
    expected: dict[str, Weight] = {}
    for number, outcomes in enumerate(scans):
        now_ms = NOW + number * 600_000
        looks = [look(outcome, resource) for resource, outcome in outcomes.items()]
        for event in transitions(list(opened.values()), looks, now_ms):
            if event.type == "delisted":
                del opened[event.resource]
            elif event.type != "check_failed":
                opened[event.resource] = OpenListing(
                    kind=event.kind,
                    resource=event.resource,
                    zone=event.zone,
                    weight=event.weight,
                    codes=event.codes,
                    confirmed=event.confirmed,
                    said_ms=event.time_ms,
                )
        for resource, outcome in outcomes.items():
            if isinstance(outcome, Listed):
                expected[resource] = outcome.weight
            elif isinstance(outcome, Clear):
                expected.pop(resource, None)
        assert {each.resource: each.weight for each in opened.values()} == expected
