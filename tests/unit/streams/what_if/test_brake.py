"""Whom the brake would have held, of alerts that were replayed by the hour."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from schemas.levels import Level
from schemas.policy import Brake
from schemas.scope import CUSTOMER
from schemas.times import HOUR_MS
from streams.alerts.lifecycle import Transition
from streams.what_if.brake import HeldThen, held_then, new_rises

BRAKE = Brake(customers=2, share=0.0, minutes=10)


def rise(
    customer: str, hour: int, level: Level = "excessive", before: Level = "good", scope: str = CUSTOMER
) -> Transition:
    return Transition(
        customer=customer,
        scope=scope,
        rule="failure",
        kind="opened" if before == "good" else "escalated",
        level=level,
        previous_level=before,
        episode=1,
        transition=1,
        time_ms=hour * HOUR_MS,
        opened_ms=0,
    )


def held(transitions: Iterable[Transition], brake: Brake = BRAKE, active: int = 100) -> tuple[HeldThen, ...]:
    return held_then(new_rises(transitions), brake, lambda _: active, 0)


def test_more_than_the_limit_in_one_hour_are_held() -> None:
    (found,) = held(rise(each, 5) for each in "cab")
    assert found == HeldThen(time_ms=5 * HOUR_MS, customers=("a", "b", "c"), limit=2)
    assert held(rise(each, 5) for each in "ab") == ()
    assert held(rise(each, hour) for hour, each in enumerate("abc", start=1)) == ()


def test_limit_grows_with_the_fleet_and_the_period_with_the_minutes() -> None:
    assert held((rise(each, 5) for each in "abc"), Brake(customers=2, share=0.5, minutes=10)) == ()
    (found,) = held(
        (rise(each, hour) for hour, each in enumerate("abc", start=1)), Brake(customers=2, share=0.0, minutes=150)
    )
    assert found.customers == ("a", "b", "c")


def test_who_was_bad_at_the_begin_or_before_is_not_new() -> None:
    assert held(rise(each, 0) for each in "abc") == ()
    again = [rise("a", 1), rise("a", 5, scope="stream:news"), rise("b", 5), rise("c", 5, "warning")]
    assert held([*again, rise("d", 5)]) == ()
    assert len(held([*again, rise("d", 5), rise("e", 5, "critical", "warning")])) == 1


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 4)), max_size=30), st.integers(1, 8))
def test_of_any_hour_no_more_than_the_limit_are_not_held(rises: list[tuple[str, int]], limit: int) -> None:
    first = {customer: min(hour for who, hour in rises if who == customer) for customer, _ in rises}
    said = held((rise(customer, hour) for customer, hour in first.items()), Brake(customers=limit, share=0.0))
    caught = {customer for each in said for customer in each.customers}
    for hour in range(1, 5):
        assert sum(at == hour and customer not in caught for customer, at in first.items()) <= limit
