"""The life of a listing: two looks for whatever is new, none forgotten, and failures that change nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.blocklists.answer import Clear, Failed, Listed, Look, LookOutcome
from jobs.blocklists.listing_life import (
    NOTHING,
    SAME_RESOLVER_MS,
    SAY_AGAIN_MS,
    FirstLook,
    ReportedListing,
    SecondLookRules,
    State,
    owes_second_look,
    step,
)
from jobs.blocklists.scan import transitions
from jobs.blocklists.state import States
from schemas.blocklists import Code, Zone
from schemas.listing import BlocklistEvent, Weight

NOW = 1_764_576_000_000
MINUTE = 60_000
A, B = "192.0.2.53", "198.51.100.53"
RULES = SecondLookRules(second_look_ms=3 * MINUTE, resolvers=2)
ALONE = SecondLookRules(second_look_ms=3 * MINUTE, resolvers=1)

BL = Zone(
    zone="bl.example",
    kind="ip",
    weight="major",
    codes={"127.0.0.2": Code(meaning="spam"), "127.0.0.9": Code(meaning="worse", weight="critical")},
)
SPAM = Listed("major", "spam", ("127.0.0.2",))
WORSE = Listed("critical", "worse", ("127.0.0.9",))
LESS = Listed("minor", "less", ("127.0.0.4",))
CLEAR = Clear()
TIMEOUT = Failed("Timeout while contacting DNS servers")
REFUSED = Failed("127.255.255.254: refused", distrust=True)

#: Minutes, what was answered, through which resolver.
Story = list[tuple[int, LookOutcome, str]]


def look(outcome: LookOutcome, resource: str = "192.0.2.1", resolver: str = A) -> Look:
    return Look(resource, BL, outcome, resolver)


def listing(
    *, weight: Weight = "major", confirmed: bool = True, said_ms: int = NOW - 5 * MINUTE, resource: str = "192.0.2.1"
) -> ReportedListing:
    return ReportedListing(
        kind="ip",
        resource=resource,
        zone="bl.example",
        weight=weight,
        codes=("127.0.0.2",),
        confirmed=confirmed,
        said_ms=said_ms,
    )


def reported(
    story: Story, rules: SecondLookRules = RULES, state: State = NOTHING
) -> tuple[State, list[tuple[int, str]]]:
    """The state at the end, and what was reported: at which minute, which type (`?` where unconfirmed)."""
    said: list[tuple[int, str]] = []
    for minute, outcome, resolver in story:
        state, events = step(state, look(outcome, resolver=resolver), NOW + minute * MINUTE, rules)
        said += [(minute, each.type + ("" if each.confirmed else "?")) for each in events]
    return state, said


# ---- beginning


@pytest.mark.parametrize(
    ("story", "said"),
    [
        pytest.param([(0, SPAM, A)], [], id="one look is not enough"),
        pytest.param([(0, SPAM, A), (3, SPAM, B)], [(3, "listed")], id="another resolver says so, too"),
        pytest.param([(0, SPAM, A), (2, SPAM, B)], [], id="too soon"),
        pytest.param([(0, SPAM, A), (2, SPAM, B), (3, SPAM, B)], [(3, "listed")], id="the first look counts"),
        pytest.param([(0, SPAM, A), (3, SPAM, A)], [], id="the same resolver"),
        pytest.param([(0, SPAM, A), (30, SPAM, A)], [(30, "listed")], id="the same resolver, much later"),
        pytest.param([(0, SPAM, A), (3, CLEAR, B), (6, SPAM, B)], [], id="a clean look forgets the first"),
        pytest.param([(0, SPAM, A), (3, TIMEOUT, B), (6, SPAM, B)], [(6, "listed")], id="a failure forgets nothing"),
        pytest.param([(0, SPAM, A), (3, LESS, B)], [], id="the second look says something else"),
        pytest.param([(0, SPAM, A), (3, LESS, B), (6, LESS, A)], [(6, "listed")], id="twice the same in the end"),
        pytest.param([(0, WORSE, A)], [(0, "listed?")], id="critical counts at once, unconfirmed"),
        pytest.param([(0, WORSE, A), (3, WORSE, B)], [(0, "listed?"), (3, "still_listed")], id="critical confirmed"),
        pytest.param([(0, WORSE, A), (3, WORSE, A)], [(0, "listed?")], id="critical, the same resolver"),
        pytest.param([(0, WORSE, A), (1, WORSE, B)], [(0, "listed?")], id="critical, too soon"),
        pytest.param([(0, SPAM, A), (3, WORSE, B)], [(3, "listed?")], id="critical on the second look"),
    ],
)
def test_listing_begins_with_the_second_look_and_a_critical_one_at_once(story: Story, said: list[object]) -> None:
    assert reported(story)[1] == said


def test_one_resolver_is_enough_where_there_is_no_other() -> None:
    assert reported([(0, SPAM, A), (3, SPAM, A)], ALONE)[1] == [(3, "listed")]


# ---- ending

HELD = State(listing=listing())


@pytest.mark.parametrize(
    ("story", "said"),
    [
        pytest.param([(0, CLEAR, A)], [], id="one clean look is not enough"),
        pytest.param([(0, CLEAR, A), (3, CLEAR, B)], [(3, "delisted")], id="two clean looks"),
        pytest.param([(0, CLEAR, A), (1, CLEAR, B)], [], id="too soon"),
        pytest.param([(0, CLEAR, A), (3, SPAM, B), (6, CLEAR, B)], [], id="listed in between"),
        pytest.param([(0, CLEAR, A), (3, REFUSED, B), (6, TIMEOUT, B)], [], id="failures are not clean"),
        pytest.param([(0, LESS, A), (3, LESS, B)], [(3, "delisted"), (3, "listed")], id="another weight, twice"),
        pytest.param([(0, LESS, A), (3, CLEAR, B)], [], id="another weight, then clean"),
        pytest.param([(0, WORSE, A)], [(0, "delisted"), (0, "listed?")], id="critical at once"),
    ],
)
def test_listing_ends_with_the_second_clean_look(story: Story, said: list[object]) -> None:
    assert reported(story, state=HELD)[1] == said


def test_unconfirmed_critical_listing_ends_with_two_clean_looks_too() -> None:
    assert reported([(0, WORSE, A), (3, CLEAR, B), (6, CLEAR, A)])[1] == [(0, "listed?"), (6, "delisted")]


def test_critical_listing_is_not_made_light_of_at_the_first_look() -> None:
    state, said = reported([(0, LESS, A)], state=State(listing=listing(weight="critical")))
    assert said == []
    assert state.listing is not None
    assert state.listing.weight == "critical"
    assert owes_second_look(state)


def test_end_and_new_begin_are_reported_in_this_order_with_the_weight_each_had() -> None:
    _, events = step(HELD, look(WORSE), NOW, RULES)
    ended, began = events
    assert (ended.type, ended.weight, ended.reason) == ("delisted", "major", "now critical")
    assert (began.type, began.weight, began.codes, began.meaning) == ("listed", "critical", ("127.0.0.9",), "worse")
    assert ended.time_ms < began.time_ms == NOW


# ---- going on


@pytest.mark.parametrize(("age_ms", "said"), [(MINUTE, 0), (SAY_AGAIN_MS - 1, 0), (SAY_AGAIN_MS, 1)])
def test_listing_that_goes_on_is_reported_again_after_six_hours(age_ms: int, said: int) -> None:
    state = State(listing=listing(said_ms=NOW - age_ms))
    assert [each.type for each in step(state, look(SPAM), NOW, RULES)[1]] == ["still_listed"] * said


def test_other_codes_of_the_same_weight_are_reported_at_once() -> None:
    both = Listed("major", "spam; code 127.0.0.7", ("127.0.0.2", "127.0.0.7"))
    _, (event,) = step(HELD, look(both), NOW, RULES)
    assert (event.type, event.codes) == ("still_listed", both.codes)


def test_what_another_reported_is_reported_by_us_as_soon_as_we_see_it() -> None:
    state, events = step(State(listing=replace(listing(), monitor="hetrixtools")), look(SPAM), NOW, RULES)
    assert [(each.type, each.monitor) for each in events] == [("still_listed", "")]
    assert step(state, look(SPAM), NOW + MINUTE, RULES)[1] == []


def test_unconfirmed_listing_whose_first_look_is_not_known_is_confirmed_by_its_age() -> None:
    state = State(listing=listing(weight="critical", confirmed=False))
    _, (event,) = step(state, look(WORSE), NOW, RULES)
    assert (event.type, event.confirmed) == ("still_listed", True)


def test_look_no_later_than_the_last_report_changes_nothing() -> None:
    state = State(listing=listing(said_ms=NOW))
    assert step(state, look(CLEAR), NOW, RULES) == (state, [])


# ---- laws

ANSWERS = st.sampled_from([SPAM, WORSE, LESS, CLEAR])
FAILURES = st.sampled_from([TIMEOUT, REFUSED])
STEPS = st.tuples(st.integers(1, 40), ANSWERS | FAILURES, st.sampled_from([A, B]))
STATES = st.builds(
    State,
    listing=st.none() | st.builds(listing, weight=st.sampled_from(["critical", "minor"]), confirmed=st.booleans()),
    first=st.none()
    | st.builds(FirstLook, said=st.sampled_from(["clear", "major"]), since_ms=st.just(1), resolver=st.just(A)),
    looked_ms=st.just(NOW - MINUTE),
)


@given(STATES, FAILURES, st.integers(0, 10**12), st.sampled_from([RULES, ALONE]))
def test_a_failure_changes_nothing_ever(state: State, failure: Failed, later_ms: int, rules: SecondLookRules) -> None:
    assert step(state, look(failure), NOW + later_ms, rules) == (state, [])


@given(st.lists(STEPS, max_size=30))
def test_what_is_in_force_is_what_was_reported_and_no_listing_is_forgotten(steps: Story) -> None:
    state, now_ms, reported = NOTHING, NOW, ""
    for minutes, outcome, resolver in steps:
        now_ms += minutes * MINUTE
        state, events = step(state, look(outcome, resolver=resolver), now_ms, RULES)
        for event in events:
            if event.type == "still_listed":
                assert reported == event.weight
            reported = "" if event.type == "delisted" else event.weight
        assert (state.listing.weight if state.listing else "") == reported


@given(st.lists(STEPS, max_size=30))
def test_a_listing_ends_only_after_two_answers_in_a_row_that_say_something_else(steps: Story) -> None:
    state, now_ms, since = NOTHING, NOW, 0
    for minutes, outcome, resolver in steps:
        now_ms += minutes * MINUTE
        before = state.listing
        state, events = step(state, look(outcome, resolver=resolver), now_ms, RULES)
        if not isinstance(outcome, Failed) and before is not None:
            same = isinstance(outcome, Listed) and outcome.weight == before.weight
            since = 0 if same else since + 1
            ended = [each for each in events if each.type == "delisted"]
            assert not ended or since >= 2 or outcome == WORSE
        if state.listing is not before:
            since = 0


@given(st.lists(st.tuples(st.integers(1, 40), ANSWERS, st.sampled_from([A, B])), max_size=12))
def test_the_same_answer_again_and_again_is_trusted_in_the_end(steps: Story) -> None:
    state, _ = reported(steps)
    later = NOW + 10**9
    for at in (later, later + SAME_RESOLVER_MS):
        state, _ = step(state, look(LESS), at, RULES)
    assert state.listing is not None
    assert state.listing.weight == "minor"
    assert not owes_second_look(state)


# ---- a scan


def types(events: list[BlocklistEvent]) -> list[str]:
    return [each.type for each in events]


def held(*resources: str) -> States:
    return {(each, "bl.example"): State(listing=listing(resource=each)) for each in resources}


def test_address_that_was_and_is_not_listed_is_no_news_and_nothing_to_keep() -> None:
    assert transitions({}, [look(CLEAR)], NOW, RULES) == ({}, [])


def test_failed_look_at_a_listing_is_reported_and_changes_nothing() -> None:
    before = held("192.0.2.1")
    after, (event,) = transitions(before, [look(TIMEOUT), look(CLEAR, "192.0.2.2")], NOW, RULES)
    assert (event.type, event.reason, event.resource) == ("check_failed", TIMEOUT.reason, "192.0.2.1")
    assert after == before


def test_failed_look_at_an_address_not_listed_is_no_event() -> None:
    """While the zone answers others."""
    assert transitions({}, [look(TIMEOUT), look(CLEAR, "192.0.2.2")], NOW, RULES)[1] == []


def test_zone_that_failed_wholly_is_one_event_about_a_listing_if_there_is_one() -> None:
    looks = [look(TIMEOUT, f"192.0.2.{last}") for last in range(1, 9)]
    assert types(transitions({}, looks, NOW, RULES)[1]) == ["check_failed"]
    _, (event,) = transitions(held("192.0.2.5", "192.0.2.7"), looks, NOW, RULES)
    assert (event.type, event.resource) == ("check_failed", "192.0.2.5")


def test_same_scan_has_the_same_ids_and_another_scan_others() -> None:
    looks = [look(WORSE), look(WORSE, "192.0.2.2"), look(WORSE, "192.0.2.3")]
    first, again = (transitions(held("192.0.2.3"), each, NOW, RULES)[1] for each in (looks, looks[::-1]))
    later = transitions(held("192.0.2.3"), looks, NOW + 1, RULES)[1]
    assert first == again
    ids = {each.id for each in first}
    assert len(ids) == len(first) == 4
    assert ids.isdisjoint(each.id for each in later)
