"""What of listings that began together is an incident: the cases of `mass_listing.toml`; and what is together."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import HOUR_MS, MINUTE_MS
from streams.incidents.mass_listing import (
    WITHIN_MS,
    Begun,
    Voter,
    mass,
    may_be_mass,
    together,
)
from streams.listings.good_history import Bad, History, Mail, history_of

CASES = tomllib.loads(Path(__file__).with_name("mass_listing.toml").read_text(encoding="utf-8"))["case"]
ZEN = "zen.spamhaus.org"
DEFAULT, MILD = Bad(0.03, 0.001), Bad(0.08, 0.004)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    voters = [
        Voter(f"c{place}-{number}", group.get("struck", False), group.get("history", "good"))
        for place, group in enumerate(case["group"])
        for number in range(group["count"])
    ]
    found = mass(voters, case.get("busiest", 0), established=case.get("established", True))
    assert (0 if found is None else len(found.struck)) == case["struck"]


@given(st.integers(0, 40), st.integers(0, 200), st.integers(0, 50))
def test_one_more_that_is_spared_never_makes_an_incident(struck: int, spared: int, busiest: int) -> None:
    voters = [Voter(f"c{number}", number < struck, "good") for number in range(struck + spared)]
    if mass(voters, busiest, established=True) is None:
        assert mass([*voters, Voter("x", False, "good")], busiest, established=True) is None


def begun(minute: int, resource: str, zone: str = ZEN) -> Begun:
    return Begun(resource, "ip", zone, minute * MINUTE_MS)


def said(*some: Begun) -> list[tuple[str, list[str]]]:
    return [(each.place, sorted(each.resources)) for each in together(some)]


def test_what_trickles_in_within_an_hour_is_together() -> None:
    some = [begun(10 * turn, f"192.0.{turn}.1") for turn in range(4)]
    assert said(*some) == [(ZEN, [f"192.0.{turn}.1" for turn in range(4)])]


def test_what_is_an_hour_apart_is_not() -> None:
    some = [begun(0, "192.0.1.1"), begun(0, "192.0.2.1"), begun(WITHIN_MS // MINUTE_MS, "192.0.3.1")]
    assert said(*some) == []


def test_hour_may_begin_at_any_minute() -> None:
    some = [begun(55, "192.0.1.1"), begun(58, "192.0.2.1"), begun(65, "192.0.3.1")]
    assert len(said(*some)) == 1


def test_every_list_is_asked_by_itself() -> None:
    assert said(*(begun(0, "192.0.2.1", f"bl{number}.example") for number in range(5))) == []


def test_networks_of_a_list_are_asked_too() -> None:
    some = [begun(0, f"192.0.2.{number}") for number in range(3)] + [begun(0, "198.51.100.1")]
    assert said(*some) == [
        (ZEN, ["192.0.2.0", "192.0.2.1", "192.0.2.2", "198.51.100.1"]),
        (f"192.0.2.0/24@{ZEN}", ["192.0.2.0", "192.0.2.1", "192.0.2.2"]),
    ]


def test_ipv6_neighbours_are_a_site_and_a_link() -> None:
    places = {each.place for each in together(begun(0, f"2001:db8:1:{number}::1") for number in range(3))}
    assert places == {ZEN, f"2001:db8:1::/48@{ZEN}"}
    places = {each.place for each in together(begun(0, f"2001:db8:1:1::{number}") for number in range(3))}
    assert places == {ZEN, f"2001:db8:1::/48@{ZEN}", f"2001:db8:1:1::/64@{ZEN}"}


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 5)), max_size=30))
def test_all_that_lie_within_an_hour_are_in_one_run(some: list[tuple[int, int]]) -> None:
    every = [begun(minute, f"192.0.{number}.1") for minute, number in some]
    runs = [set(each.begun) for each in together(every) if each.place == ZEN]
    for each in every:
        hour = {one for one in every if 0 <= one.from_ms - each.from_ms < HOUR_MS}
        if len({one.resource for one in hour}) >= 3:
            assert any(hour <= run for run in runs)
    for run in runs:
        times = [each.from_ms for each in run]
        assert max(times) - min(times) < WITHIN_MS


@pytest.mark.parametrize(
    ("mail", "bad", "expected"),
    [
        (Mail(old=50, finished=90, failed=4, delivered=86), DEFAULT, "good"),
        (Mail(old=49, finished=900, delivered=900), DEFAULT, "none"),
        (Mail(old=500, finished=600, failed=18), DEFAULT, "bad"),
        (Mail(old=500, finished=600, failed=18), MILD, "good"),
        (Mail(old=500, finished=600, failed=48), MILD, "bad"),
        (Mail(old=500, finished=600, delivered=600, complained=5), DEFAULT, "bad"),
        (Mail(old=500, finished=2_000, delivered=2_000, complained=7), MILD, "good"),
        (Mail(old=500, finished=2_000, delivered=2_000, complained=8), MILD, "bad"),
        (Mail(old=5, finished=5, failed=5), DEFAULT, "bad"),
    ],
)
def test_history_is_good_by_the_policy_in_force(mail: Mail, bad: Bad, expected: str) -> None:
    assert history_of(mail, bad) == expected


@pytest.mark.parametrize(
    ("struck", "spared", "busiest", "suspected"),
    [
        (2, 6, 0, True),
        (2, 8, 0, True),
        (2, 9, 0, False),  # less than a fifth
        (2, 0, 0, True),
        (1, 0, 0, False),  # one is its own matter
        (2, 6, 2, False),  # an hour of the weeks before was like it
    ],
)
def test_two_of_a_small_fleet_may_be_a_list_that_errs(
    struck: int,
    spared: int,
    busiest: int,
    suspected: bool,
) -> None:
    voters = [Voter(f"v{number}", number < struck, "good") for number in range(struck + spared)]
    assert mass(voters, busiest, established=True) is None
    assert (may_be_mass(voters, busiest) is not None) == suspected


def test_who_has_no_good_history_is_not_asked_whether_a_list_errs() -> None:
    histories: tuple[History, ...] = ("none", "bad")
    assert may_be_mass([Voter(each, True, each) for each in histories] + [Voter("a", True, "good")], 0) is None
