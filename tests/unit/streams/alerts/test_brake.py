"""The brake: of any of its minutes no more customers than the limit stay unheld, and nobody is held below it."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.alert import Held
from schemas.hold import Hold, hold_id
from schemas.policy import Brake
from schemas.times import MINUTE_MS
from streams.alerts.brake import as_held, covers, limit_of, next_hold, was_risen
from streams.alerts.lifecycle import AlertState

BRAKE = Brake(customers=3, share=0.1, minutes=10)
NOW_MS = 1_767_225_600_000


def state(excessive_ms: int, customer: str = "acme", scope: str = "customer", rule: str = "failure") -> AlertState:
    return AlertState(
        customer=customer,
        scope=scope,
        rule=rule,
        level="excessive",
        episode=1,
        transition=1,
        opened_ms=excessive_ms,
        changed_ms=excessive_ms,
        excessive_ms=excessive_ms,
    )


def held_of(rises: Sequence[int], limit: int) -> tuple[list[int], list[Hold]]:
    """The places of those who are held in the end, of customers who rise at times (ms, ascending), and the holds."""
    holds: list[Hold] = []
    for place, now_ms in enumerate(rises):
        risen = sum(now_ms - BRAKE.period_ms < each <= now_ms for each in rises[: place + 1])
        hold = next_hold(holds[-1] if holds else None, risen, limit, BRAKE, now_ms)
        if hold is not None:
            holds = [each for each in holds if each.id != hold.id] + [hold]
    held = [place for place, each in enumerate(rises) if any(covers(hold, state(each), ()) for hold in holds)]
    return held, holds


RISES = st.lists(st.integers(0, 120), min_size=1, max_size=40).map(
    lambda minutes: [NOW_MS + each * MINUTE_MS // 4 for each in sorted(minutes)]
)


@given(RISES, st.integers(1, 12))
def test_of_any_ten_minutes_no_more_than_the_limit_stay_unheld(rises: list[int], limit: int) -> None:
    held, _ = held_of(rises, limit)
    free = [each for place, each in enumerate(rises) if place not in held]
    for last in free:
        assert sum(last - BRAKE.period_ms < each <= last for each in free) <= limit


@given(RISES, st.integers(1, 12))
def test_nobody_is_held_who_did_not_rise_with_more_than_the_limit(rises: list[int], limit: int) -> None:
    """Within the brake's minutes before or after."""
    held, holds = held_of(rises, limit)
    for place in held:
        near = [each for each in rises if abs(each - rises[place]) < BRAKE.period_ms]
        assert len(near) > limit or any(hold.until_ms - hold.from_ms > BRAKE.period_ms for hold in holds)
    if len(rises) <= limit:
        assert not held


@given(RISES, st.integers(1, 12))
def test_holds_do_not_overlap_and_have_names_of_their_own(rises: list[int], limit: int) -> None:
    _, holds = held_of(rises, limit)
    assert len({each.id for each in holds}) == len(holds)
    for before, after in pairwise(holds):
        assert before.until_ms < after.from_ms


@pytest.mark.parametrize(("active", "limit"), [(0, 3), (30, 3), (39, 3), (40, 4), (49, 4), (1000, 100)])
def test_limit_is_the_larger_of_number_and_share(active: int, limit: int) -> None:
    assert limit_of(BRAKE, active) == limit


def test_share_of_everybody_holds_nobody() -> None:
    everybody = 5_000
    limit = limit_of(Brake(share=1), everybody)
    assert next_hold(None, everybody, limit, Brake(share=1), NOW_MS) is None


def test_monitors_that_see_it_begin_at_about_the_same_time_give_it_one_name() -> None:
    begin = NOW_MS // (10 * MINUTE_MS) * 10 * MINUTE_MS
    assert hold_id(begin, 10) == hold_id(begin + 9 * MINUTE_MS, 10)
    assert hold_id(begin, 10) != hold_id(begin + 10 * MINUTE_MS, 10)
    assert hold_id(begin, 10) != hold_id(begin, 5)


def hold() -> Hold:
    found = next_hold(None, 4, 3, BRAKE, NOW_MS)
    assert found is not None
    return found


def test_hold_that_ended_a_moment_ago_goes_on_under_its_name() -> None:
    first = hold()
    later = next_hold(first, 5, 3, BRAKE, NOW_MS + 9 * MINUTE_MS)
    assert later == replace(first, until_ms=NOW_MS + 9 * MINUTE_MS, customers=5)
    other = next_hold(first, 5, 3, BRAKE, NOW_MS + 11 * MINUTE_MS)
    assert other is not None
    assert other.id != first.id


def test_hold_covers_who_rose_within_the_minutes_before_it_too() -> None:
    found = [minute for minute in range(-12, 3) if covers(hold(), state(NOW_MS + minute * MINUTE_MS), ())]
    assert found == list(range(-9, 1))


@pytest.mark.parametrize(
    ("scope", "before", "covered"),
    [
        ("customer", -60, False),
        ("stream:news", -60, True),
        ("customer", -5, True),
        ("stream:news", -5, True),
    ],
)
def test_customer_who_was_excessive_before_is_not_newly(scope: str, before: int, covered: bool) -> None:
    """For all of its mail; a part of it says nothing of the whole."""
    other = state(NOW_MS + before * MINUTE_MS, scope=scope, rule="complaint")
    assert covers(hold(), state(NOW_MS), [other]) is covered


def test_stream_of_a_customer_who_was_excessive_before_is_not_newly() -> None:
    whole = state(NOW_MS - 60 * MINUTE_MS)
    assert not covers(hold(), state(NOW_MS, scope="stream:news"), [whole])


def test_what_was_held_before_is_no_reason_to_act_on_the_next() -> None:
    held = replace(state(NOW_MS - 60 * MINUTE_MS), held=Held(id="a", reason="brake", since_ms=1, customers=9))
    assert not was_risen([held], "customer", NOW_MS)
    assert was_risen([replace(held, held=None)], "customer", NOW_MS)
    assert not was_risen([replace(held, held=None, level="warning")], "customer", NOW_MS)


def test_confirmed_customer_is_not_held_by_the_same_hold_again() -> None:
    confirmed = replace(state(NOW_MS), confirmed=hold().id)
    assert not covers(hold(), confirmed, ())
    assert not covers(hold(), state(NOW_MS, rule="complaint"), [confirmed])


def test_incident_covers_nothing_by_its_time() -> None:
    assert not covers(replace(hold(), reason="incident"), state(NOW_MS), ())


def test_alert_says_why_since_when_and_how_many() -> None:
    found = hold()
    assert as_held(found) == Held(id=found.id, reason="brake", since_ms=NOW_MS, customers=4)
