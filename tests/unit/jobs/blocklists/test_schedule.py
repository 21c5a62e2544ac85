"""When zones are asked: none too often, none too late, in turns that leave nothing out."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.blocklists.dnsbl import Question, Resource
from jobs.blocklists.round_robin import ResourceCircle
from jobs.blocklists.schedule import (
    CIRCLE,
    Arc,
    Rhythm,
    Turn,
    allowed_from_ms,
    arc_out_of_turn,
    next_arc,
    place_of,
    resumed,
    rhythm,
    standing_by,
    taken,
)
from schemas.blocklist_settings import Blocklists, EveryMinutes
from schemas.blocklists import Zone
from schemas.listing import Weight
from schemas.times import DAY_MS

NOW = 1_764_576_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
SETTINGS = Blocklists(jitter=0.1)
ZEN = Zone(zone="zen.example", kind="ip", weight="critical", any_code=True)
LIMITED = Zone(zone="limited.example", kind="ip", weight="minor", any_code=True, queries_per_day=10_000)


def zone_of(weight: Weight) -> Zone:
    return Zone(zone="bl.example", kind="ip", weight=weight, any_code=True)


# ---- how a zone goes round


@pytest.mark.parametrize(("weight", "minutes"), [("critical", 10), ("major", 30), ("minor", 60), ("informational", 60)])
def test_zone_goes_round_as_often_as_its_weight_says(weight: Weight, minutes: int) -> None:
    assert rhythm(zone_of(weight), 100, SETTINGS) == Rhythm(minutes * MINUTE, 1, 0.1)


def test_interval_of_each_weight_is_a_setting() -> None:
    quick = Blocklists(every_minutes=EveryMinutes(minor=2))
    assert rhythm(zone_of("minor"), 1, quick).round_ms == 2 * MINUTE
    assert rhythm(zone_of("critical"), 1, quick).round_ms == 10 * MINUTE


@pytest.mark.parametrize(
    ("resources", "per_s", "turns"),
    [
        (0, 100, 1),
        (1_000, 100, 1),
        (1_001, 100, 2),
        (10_000, 100, 10),
        (10_000, 1_000, 10),
        (10_000, 20, 50),
        (80, 1, 2),
    ],
)
def test_many_resources_are_spread_over_turns_of_ten_seconds_or_so(resources: int, per_s: float, turns: int) -> None:
    assert rhythm(ZEN, resources, Blocklists(queries_per_s=per_s)).turns == turns


def test_rate_of_a_zone_takes_precedence_over_that_of_the_settings() -> None:
    slow = Zone(zone="bl.example", kind="ip", weight="critical", any_code=True, queries_per_s=10)
    assert rhythm(slow, 1_000, SETTINGS).turns == 10


def test_list_that_answers_slowly_has_shorter_turns() -> None:
    """So that no other waits long for it."""
    assert rhythm(ZEN, 10_000, SETTINGS, per_s=20).turns == 50
    assert rhythm(ZEN, 10_000, SETTINGS, per_s=1).turns == 250, "too few are not asked together"
    assert rhythm(ZEN, 10_000, SETTINGS, per_s=10_000) == rhythm(ZEN, 10_000, SETTINGS)


def test_round_takes_as_long_as_the_questions_of_a_day_last() -> None:
    assert rhythm(LIMITED, 100, SETTINGS).round_ms == HOUR
    assert rhythm(LIMITED, 5_000, SETTINGS).round_ms > DAY_MS / 2


def test_arcs_of_a_round_are_the_whole_circle() -> None:
    going = Rhythm(600_000, 7, 0.1)
    turn, length = Turn(0, 0, NOW, 0), 0
    for number in range(1, 8):
        arc = next_arc(turn, going)
        assert arc.begin == length
        length += arc.length
        assert arc.ends_round == (number == 7)
        turn = taken(turn, arc, going, turn.due_ms, 1, 0.5)
    assert (length, turn.place) == (CIRCLE, 0)


# ---- the next turn


def test_next_turn_is_due_an_interval_later_give_or_take_jitter() -> None:
    going, turn = Rhythm(600_000, 1, 0.1), Turn(0, 0, NOW, 0)
    due = [taken(turn, Arc(), going, NOW, 5, chance).due_ms - NOW for chance in (0.0, 0.5, 1.0)]
    assert due == [540_000, 600_000, 660_000]


def test_turn_that_began_a_little_late_is_made_up_for_but_not_by_asking_too_soon() -> None:
    going, turn = Rhythm(600_000, 1, 0.1), Turn(0, 0, NOW, 0)
    assert taken(turn, Arc(), going, NOW + 20_000, 5, 0.5).due_ms == NOW + 600_000
    assert taken(turn, Arc(), going, NOW + HOUR, 5, 0.5).due_ms == NOW + HOUR + 540_000


def test_turn_taken_before_it_was_due_puts_the_next_one_off() -> None:
    going, turn = Rhythm(600_000, 1, 0.1), Turn(NOW - 1, 5, NOW + 500_000, 0)
    assert taken(turn, Arc(), going, NOW, 5, 0.5).due_ms == NOW + 660_000


# ---- after a start


def test_what_is_overdue_or_new_is_asked_within_jitter_of_a_round_and_not_at_once() -> None:
    going = Rhythm(HOUR, 1, 0.1)
    for turn in (None, Turn(NOW - 9 * HOUR, 5, NOW - 8 * HOUR, 7)):
        due = [resumed(turn, going, NOW, chance).due_ms - NOW for chance in (0.0, 0.5, 0.999)]
        assert due == [0, 3 * MINUTE, round(0.0999 * HOUR)]


def test_turn_that_lies_ahead_is_kept_with_its_place() -> None:
    turn = Turn(NOW - MINUTE, 5, NOW + 20 * MINUTE, 7)
    assert resumed(turn, Rhythm(HOUR, 3, 0.1), NOW, 0.9) == turn


def test_turn_lies_no_further_ahead_than_a_round() -> None:
    """Not even after the interval was shortened or the clock put back."""
    going = Rhythm(10 * MINUTE, 1, 0.1)
    assert resumed(Turn(NOW - MINUTE, 5, NOW + 50 * MINUTE, 0), going, NOW, 0.9).due_ms == NOW + 10 * MINUTE
    assert resumed(Turn(NOW + 9 * HOUR, 5, NOW + 10 * HOUR, 0), going, NOW, 0.9).due_ms == NOW + 11 * MINUTE


# ---- two scanners on one store


def test_turn_that_another_scanner_took_is_left_to_it_unless_it_is_late() -> None:
    taken_by_another = Turn(NOW, 5, NOW + 10 * MINUTE, 7)
    assert standing_by(taken_by_another) == Turn(NOW, 5, NOW + 11 * MINUTE, 7)


# ---- out of turn


def test_out_of_turn_everything_is_asked_or_what_the_list_allows_a_day() -> None:
    turn = Turn(0, 0, NOW, CIRCLE // 2)
    assert arc_out_of_turn(turn, ZEN, 1_000_000) == Arc()
    assert arc_out_of_turn(turn, LIMITED, 8_500) == Arc()
    arc = arc_out_of_turn(turn, LIMITED, 34_000)
    assert (arc.begin, round(arc.length / CIRCLE, 3)) == (CIRCLE // 2, 0.25)
    assert arc_out_of_turn(turn, LIMITED, 10_000).ends_round


def test_list_with_a_limit_a_day_rests_as_long_as_its_questions_should_last() -> None:
    """As long as those questions it was asked should last."""
    turn = Turn(NOW, 8_500, NOW + HOUR, 0)
    assert allowed_from_ms(LIMITED, turn) == NOW + DAY_MS
    assert allowed_from_ms(ZEN, turn) == 0


# ---- resources on the circle

ADDRESSES = [Resource("ip", f"192.0.2.{last}") for last in range(100)]
DOMAINS = [Resource("domain", name) for name in ("acme.example", "news.acme.example")]
SIX = Resource("ip", "2001:db8::1")


def test_zone_is_asked_about_what_it_holds_alone() -> None:
    circle = ResourceCircle([*ADDRESSES, *DOMAINS, SIX])
    four = Zone(zone="four.example", kind="ip", families=("ipv4",), weight="minor", any_code=True)
    names = Zone(zone="dbl.example", kind="domain", weight="minor", any_code=True)
    registered = Zone(zone="reg.example", kind="domain", weight="minor", any_code=True, names="registered")
    asked = {zone.zone: [each.name for each in circle.questions(zone, Arc())] for zone in (four, names, registered)}
    assert set(asked["four.example"]) == {each.name for each in ADDRESSES}
    assert asked["dbl.example"] == ["acme.example", "news.acme.example"]
    assert asked["reg.example"] == ["acme.example"]
    assert [circle.count(zone) for zone in (four, names, registered)] == [100, 2, 1]


def test_listing_of_what_sends_no_more_is_asked_about_in_the_turn_of_its_place() -> None:
    circle, place = ResourceCircle(ADDRESSES), place_of("198.51.100.1")
    known = ["198.51.100.1", "192.0.2.1"]
    assert circle.questions(ZEN, Arc(place, 1), known) == [Question("198.51.100.1", ZEN)]
    assert "198.51.100.1" not in [each.name for each in circle.questions(ZEN, Arc(0, place), known)]
    assert len(circle.questions(ZEN, Arc(), known)) == 101


def test_listing_of_what_a_list_does_not_hold_is_not_asked_about() -> None:
    four = Zone(zone="four.example", kind="ip", families=("ipv4",), weight="minor", any_code=True)
    names = Zone(zone="dbl.example", kind="domain", weight="minor", any_code=True)
    known = ["2001:db8::1", "acme.example", "nobody", "192.0.2.1"]
    circle = ResourceCircle(())
    assert [each.name for each in circle.questions(four, Arc(), known)] == ["192.0.2.1"]
    assert [each.name for each in circle.questions(names, Arc(), known)] == ["acme.example"]


@given(st.integers(1, 60))
def test_turns_of_a_round_ask_about_each_resource_once(turns: int) -> None:
    circle, going, turn = ResourceCircle(ADDRESSES), Rhythm(600_000, turns, 0.1), Turn(0, 0, NOW, 0)
    names: list[str] = []
    for _ in range(turns):
        arc = next_arc(turn, going)
        names += [each.name for each in circle.questions(ZEN, arc)]
        turn = taken(turn, arc, going, turn.due_ms, 1, 0.5)
    assert sorted(names) == sorted(each.name for each in ADDRESSES)


# ---- laws

SEEDS = st.integers(0, 2**32)


def asked_at(
    zone: Zone, count: int, settings: Blocklists, chance: Callable[[], float], late: Callable[[], int], days: float
) -> dict[int, list[int]]:
    """When each of so many evenly spread places was asked about (ms), with a restart at every tenth turn."""
    going = rhythm(zone, count, settings)
    places = [number * CIRCLE // count for number in range(count)]
    times: dict[int, list[int]] = {each: [] for each in places}
    turn, number = resumed(None, going, 0, chance()), 0
    while turn.due_ms < days * DAY_MS:
        now_ms = turn.due_ms + late()
        arc = next_arc(turn, going)
        for place in places:
            if arc.holds(place):
                times[place].append(now_ms)
        turn, number = taken(turn, arc, going, now_ms, 1, chance()), number + 1
        if number % 10 == 0:
            turn = resumed(turn, going, now_ms, chance())
    return times


@given(st.integers(1, 300), st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from([0.5, 2.0, 100.0]), SEEDS)
def test_nothing_is_asked_too_often_or_too_late(count: int, jitter: float, per_s: float, seed: int) -> None:
    """Not more often than its interval minus jitter, not later than its interval plus jitter."""
    settings = Blocklists(jitter=jitter, queries_per_s=per_s)
    for times in asked_at(ZEN, count, settings, random.Random(seed).random, lambda: 0, 0.1).values():
        gaps = [after - before for before, after in pairwise(times)]
        assert gaps
        # A turn is due at a whole millisecond.
        slack = rhythm(ZEN, count, settings).turns
        assert min(gaps) >= 600_000 * (1 - jitter) - slack
        assert max(gaps) <= 600_000 * (1 + jitter) + slack
        assert times[0] <= 600_000 * (1 + jitter) * 2


@given(st.integers(1, 100), SEEDS)
def test_turns_that_begin_late_are_never_followed_too_soon(count: int, seed: int) -> None:
    settings, dice = Blocklists(queries_per_s=0.5), random.Random(seed)
    for times in asked_at(ZEN, count, settings, dice.random, lambda: dice.randrange(20_000), 0.1).values():
        gaps = [after - before for before, after in pairwise(times)]
        turns = rhythm(ZEN, count, settings).turns
        assert min(gaps) >= 600_000 * 0.9 - turns
        assert max(gaps) <= 600_000 * 1.1 + turns * 20_001


@given(st.integers(1, 400), st.sampled_from([0.0, 0.1, 0.5]), SEEDS)
def test_list_with_a_limit_a_day_is_never_asked_more_in_any_day(count: int, jitter: float, seed: int) -> None:
    limited = Zone(zone="bl.example", kind="ip", weight="critical", any_code=True, queries_per_day=200)
    settings = Blocklists(jitter=jitter)
    found = asked_at(limited, count, settings, random.Random(seed).random, lambda: 0, 5)
    times = sorted(each for several in found.values() for each in several)
    assert all(times[last] - times[last - 200] >= DAY_MS for last in range(200, len(times)))
