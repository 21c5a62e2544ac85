"""Incidents out of hours: neighbours are one, an open one covers the hour that runs, what was none is taken back."""

from collections.abc import Collection

from msgspec.structs import replace

from schemas.incident import Incident, incident_id
from streams.incidents.hours import FoundHour, Looked, Place, updated

H = 3600
NOON = 500_000 * H
GMAIL: Place = ("provider", "gmail")


def found(*hours: int, place: Place = GMAIL, struck: int = 9) -> list[FoundHour]:
    return [FoundHour(place, NOON + hour * H, "hard", 0.9, 0.01, struck, 0, 20.0) for hour in hours]


def looked(
    known: dict[str, Incident],
    some: list[FoundHour],
    at_h: float,
    over: Collection[int] = (),
    outcome: str = "hard",
) -> dict[str, Incident]:
    at = Looked(some, {(GMAIL, NOON + hour * H, outcome) for hour in over})
    return known | {each.id: each for each in updated(known, at, int((NOON + at_h * H) * 1000))}


def hours(incident: Incident) -> list[int]:
    return [(hour - NOON) // H for hour in incident.hours]


def test_hours_that_follow_each_other_are_one_incident_and_others_are_their_own() -> None:
    known = looked({}, [*found(0, 1, 5), *found(1, place=("provider", "yahoo"))], 9)
    assert {(each.value, tuple(hours(each)), each.open) for each in known.values()} == {
        ("gmail", (0, 1), False),
        ("gmail", (5,), False),
        ("yahoo", (1,), False),
    }
    assert incident_id("provider", "gmail", "hard", NOON) in known


def test_open_one_covers_the_hour_that_runs_until_those_who_send_are_spared() -> None:
    known = looked({}, found(0), 0.5)
    (incident,) = known.values()
    assert (hours(incident), incident.open, incident.closed_ms) == ([0], True, None)
    (goes_on,) = looked(known, found(0), 1.1).values()
    assert (hours(goes_on), goes_on.open) == ([0, 1], True)
    (spared,) = looked({goes_on.id: goes_on}, found(0), 1.3, over=[1]).values()
    assert (hours(spared), spared.open, spared.closed_ms) == ([0], False, int((NOON + 1.3 * H) * 1000))
    (silent,) = looked({goes_on.id: goes_on}, found(0), 2.1).values()
    assert (hours(silent), silent.open) == ([0], False)
    (struck,) = looked({goes_on.id: goes_on}, found(0, 1), 1.3).values()
    assert (hours(struck), struck.open, struck.id) == ([0, 1], True, incident.id)


def test_earlier_hour_that_is_found_later_belongs_to_it_and_its_id_stays() -> None:
    known = looked({}, found(1), 1.5)
    (incident,) = looked(known, found(0, 1), 1.6).values()
    assert (hours(incident), incident.id) == ([0, 1], incident_id("provider", "gmail", "hard", NOON + H))


def test_hour_is_not_forgotten_because_a_later_look_does_not_reach_it() -> None:
    known = looked({}, found(0, 1), 1.5)
    (incident,) = looked(known, [], 30).values()
    assert (hours(incident), incident.open) == ([0, 1], False)


def test_what_turns_out_to_be_none_is_taken_back_and_may_be_found_again() -> None:
    known = looked({}, found(0), 0.2)
    assert looked(known, [], 0.9, over=[0], outcome="block") == looked(known, [], 0.9), "of another outcome"
    (taken,) = looked(known, [], 0.9, over=[0]).values()
    assert (taken.state, taken.leaves_out, taken.open) == ("dismissed", False, False)
    (again,) = looked({taken.id: taken}, found(0), 0.95).values()
    assert (again.state, hours(again), again.open) == ("detected", [0], True)


def test_look_that_finds_the_same_changes_nothing() -> None:
    known = looked({}, found(0, 1), 1.5)
    at = Looked(found(0, 1), ())
    assert updated(known, at, int((NOON + 1.6 * H) * 1000)) == []


def test_pool_is_suspected_only() -> None:
    (incident,) = looked({}, found(0, place=("pool", "b@gmail")), 3).values()
    assert (incident.state, incident.leaves_out) == ("suspected", False)
    assert not replace(incident, state="dismissed").leaves_out


def test_look_at_older_hours_alone_neither_ends_nor_resumes_what_goes_on() -> None:
    (begun,) = updated({}, Looked(found(0), ()), NOON * 1000)
    later_ms = (NOON + H) * 1000
    (over,) = updated({begun.id: begun}, Looked((), {(GMAIL, NOON + H, "hard")}), later_ms)
    assert not over.open
    assert updated({over.id: over}, Looked((), (), at_current=False), later_ms) == []
    (goes_on,) = updated({begun.id: begun}, Looked((), (), at_current=False), later_ms)
    assert goes_on.open


def test_hours_of_complaints_within_a_day_of_each_other_are_one_incident() -> None:
    """A batch of them is about the mail of several days, and nobody sends at night."""
    some = [each._replace(outcome="complained") for each in found(0, 3, 24, 60)]
    known = looked({}, some, 70)
    assert {tuple(hours(each)) for each in known.values()} == {(0, 3, 24), (60,)}
    (more,) = [
        each for each in looked(known, [some[0]._replace(hour=NOON + 40 * H)], 71).values() if each.from_s == NOON
    ]
    assert hours(more) == [0, 3, 24, 40]


def test_what_was_none_is_not_changed_again_by_the_next_look() -> None:
    known = looked({}, found(0), 0.5)
    (taken,) = looked(known, [], 0.9, over=[0]).values()
    assert taken.state == "dismissed"
    assert updated({taken.id: taken}, Looked([], ()), int((NOON + 2 * H) * 1000)) == []


def test_suspicion_of_many_does_not_become_sure_by_a_few_who_just_began_to_send() -> None:
    known = looked({}, [each._replace(suspected=True, why="so many surge") for each in found(0, struck=61)], 0.5)
    (few,) = looked(known, found(0, struck=7), 0.6).values()
    (many,) = looked(known, found(0, struck=70), 0.6).values()
    assert (few.state, few.struck, many.state, many.struck) == ("suspected", 61, "detected", 70)


def test_incident_that_is_found_again_in_another_way_was_taken_for_the_wrong_one() -> None:
    """While mail waits what is refused at once seems much; then the rest is given up."""
    given_up = [each._replace(outcome="expired", rate=0.8, struck=5) for each in found(0, 1)]
    known = looked({}, found(0, 1), 1.5)
    (incident,) = looked(known, given_up, 30).values()
    assert (incident.outcome, incident.rate, incident.struck) == ("expired", 0.8, 5)
    assert [incident.id] == [*known]
    (both,) = looked(known, [*given_up, *found(0)], 30).values()
    (of_one_hour,) = looked(known, given_up[:1], 30).values()
    assert {both.outcome, of_one_hour.outcome} == {"hard"}
