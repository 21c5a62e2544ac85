"""Which blocklists are trusted: the self-test, refusals, and lists that list the world."""

import pytest
from aiodns.error import ARES_ETIMEOUT, DNSError

from jobs.blocklists.answer import Clear, Failed, Listed, Look, LookOutcome, Raw
from jobs.blocklists.zone_trust import ZoneFamily, distrusted_as_failed, probes, untrusted, verdict
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import Family, Zone, load_zones
from schemas.listing import Weight

IP = Zone(zone="bl.example", kind="ip", weight="major", any_code=True)
DOMAIN = Zone(zone="dbl.example", kind="domain", weight="major", any_code=True)
OWN = Zone(
    zone="own.example", kind="domain", weight="major", any_code=True, test_listed="_yes_.test", test_clean="_no_.test"
)
YES, NO = Raw(("127.0.0.2",), None), Raw(None, None)
LOST = Raw(None, DNSError(ARES_ETIMEOUT, "Timeout while contacting DNS servers"))


def test_names_of_the_self_test_are_those_of_rfc_5782() -> None:
    zeros = ".".join("0" * 20)
    assert [each[::2] for each in probes(IP, "ipv4")] == [("2.0.0.127", True), ("1.0.0.127", False)]
    assert [each[::2] for each in probes(IP, "ipv6")] == [
        (f"2.0.0.0.0.0.f.7.f.f.f.f.{zeros}", True),
        (f"1.0.0.0.0.0.f.7.f.f.f.f.{zeros}", False),
    ]
    assert [each[::2] for each in probes(DOMAIN, "domain")] == [("test", True), ("invalid", False)]
    assert [each[::2] for each in probes(OWN, "domain")] == [("_yes_.test", True), ("_no_.test", False)]


@pytest.mark.parametrize(
    ("listed", "clean", "words"),
    [
        (YES, NO, ""),
        (Raw(("127.0.0.254", "127.0.0.2"), None), NO, ""),
        (NO, NO, "not listed"),
        (YES, YES, "lists everything"),
        (LOST, NO, "Timeout"),
        (YES, LOST, "Timeout"),
        (Raw(("127.255.255.254",), None), NO, "127.255.255.254"),
        (Raw(("192.0.2.80",), None), NO, "192.0.2.80"),
        (YES, Raw(("192.0.2.80",), None), "192.0.2.80"),
        (Raw(("127.0.0.1",), None), NO, "127.0.0.1"),
        (Raw((), None), NO, "without A records"),
    ],
)
@pytest.mark.parametrize(("zone", "family"), [(IP, "ipv4"), (IP, "ipv6"), (DOMAIN, "domain"), (OWN, "domain")])
def test_zone_passes_only_if_one_name_is_listed_and_the_other_is_not(
    zone: Zone, family: Family, listed: Raw, clean: Raw, words: str
) -> None:
    yes, no = probes(zone, family)
    reason = verdict(zone, family, {(yes.name, zone.zone): listed, (no.name, zone.zone): clean})
    assert bool(reason) == bool(words)
    assert words in reason


def test_answers_of_another_zone_prove_nothing() -> None:
    yes, no = probes(IP, "ipv4")
    assert verdict(IP, "ipv4", {(yes.name, "other.example"): YES, (no.name, "other.example"): NO})


def test_every_zone_that_comes_with_the_project_can_be_tested() -> None:
    assert all(len(set(probes(zone, family))) == 2 for zone in load_zones() for family in zone.holds)


# ---- what an answering zone gives away

SETTINGS = Blocklists(most_listed_share=0.5, trust_min_sample=20)
HELD = ZoneFamily("bl.example", "ipv4")


def listed(weight: Weight = "major") -> LookOutcome:
    return Listed(weight, "spam", ("127.0.0.2",))


def looks(*outcomes: LookOutcome) -> list[Look]:
    return [Look(f"192.0.2.{last}", IP, outcome) for last, outcome in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("listings", "clear", "failed", "trusted"),
    [
        (19, 0, 0, True),
        (20, 0, 0, False),
        (11, 9, 0, False),
        (10, 10, 0, True),
        (12, 7, 0, True),
        (15, 2, 100, True),
        (30, 29, 0, False),
    ],
)
def test_zone_that_lists_more_than_its_share_of_enough_resources_is_not_trusted(
    listings: int, clear: int, failed: int, trusted: bool
) -> None:
    found = looks(*[listed()] * listings, *[Clear()] * clear, *[Failed("timeout")] * failed)
    assert (untrusted(found, SETTINGS) == {}) is trusted


def test_resources_chosen_because_they_were_listed_tell_nothing() -> None:
    assert untrusted(looks(*[listed()] * 40), SETTINGS, world=False) == {}


def test_listings_that_accuse_nobody_may_be_many() -> None:
    assert untrusted(looks(*[listed("informational")] * 40), SETTINGS) == {}


def test_one_refusal_spoils_all_answers_of_the_zone_and_family() -> None:
    found = looks(listed(), Failed("127.255.255.254: refused", distrust=True), Clear())
    other = [Look("2001:db8::1", IP, listed()), Look("192.0.2.1", DOMAIN, listed())]
    assert untrusted(found + other, SETTINGS) == {HELD: "127.255.255.254: refused"}


def test_failure_that_is_no_refusal_spoils_nothing() -> None:
    assert untrusted(looks(listed(), Failed("timeout")), SETTINGS) == {}


def test_answers_of_a_distrusted_zone_are_failures_that_say_why() -> None:
    first, second = distrusted_as_failed(
        [*looks(listed()), Look("2001:db8::1", IP, listed())], {HELD: "lists everything"}
    )
    assert first.outcome == Failed("distrusted: lists everything", distrust=True)
    assert second.outcome == listed()
