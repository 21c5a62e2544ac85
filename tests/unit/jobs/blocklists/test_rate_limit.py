"""Questions keep their distance, zone by zone."""

import asyncio
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.blocklists.rate_limit import ENOUGH, Pacer, Spacing
from schemas.blocklists import Zone
from tests.support.fake_time import FakeTime

ONE = Zone(zone="one.example", kind="ip", weight="minor", any_code=True)
OTHER = Zone(zone="other.example", kind="ip", weight="minor", any_code=True)
SLOW = Zone(zone="slow.example", kind="ip", weight="minor", any_code=True, queries_per_s=2)


def test_first_question_goes_at_once_and_each_following_one_its_distance_later() -> None:
    spacing = Spacing(4)
    assert [spacing.take(10.0) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]


def test_pause_is_not_made_up_for_by_a_burst() -> None:
    spacing = Spacing(4)
    spacing.take(10.0)
    assert [spacing.take(20.0) for _ in range(2)] == [0.0, 0.25]


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 10), min_size=2, max_size=50))
def test_no_two_questions_are_closer_than_the_rate_allows(per_s: float, pauses: list[float]) -> None:
    spacing, now, moments = Spacing(per_s), 0.0, []
    for pause in pauses:
        now += pause
        moments.append(now + spacing.take(now))
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps) >= 1 / per_s * (1 - 1e-6)


@pytest.mark.parametrize(
    ("zones", "seconds"),
    [
        ([ONE] * 11, 1.0),
        ([ONE] * 11 + [OTHER] * 11, 1.0),
        ([SLOW] * 11, 5.0),
        ([SLOW] * 3 + [ONE] * 11, 1.0),
    ],
)
def test_each_zone_has_a_pace_of_its_own(zones: list[Zone], seconds: float) -> None:
    time = FakeTime()
    pacer = Pacer(10, time.clock, time.sleep)

    async def ask_all() -> None:
        await asyncio.gather(*(pacer.turn(zone) for zone in zones))

    asyncio.run(ask_all())
    assert time.now == pytest.approx(seconds)


def test_pace_holds_from_one_loop_to_the_next() -> None:
    time = FakeTime()
    pacer = Pacer(10, time.clock, time.sleep)
    for _ in range(3):
        asyncio.run(pacer.turn(ONE))
    assert time.now == pytest.approx(0.2)


def test_how_fast_a_zone_answers_is_known_from_enough_questions() -> None:
    pacer = Pacer(10)
    assert pacer.answers_per_s(ONE) == inf
    pacer.took(ONE, ENOUGH - 1, 400.0)
    assert pacer.answers_per_s(ONE) == inf
    pacer.took(ONE, 2 * ENOUGH, 40.0)
    assert (pacer.answers_per_s(ONE), pacer.answers_per_s(OTHER)) == (2.0, inf)
    pacer.took(ONE, 2 * ENOUGH, 0.0)
    assert pacer.answers_per_s(ONE) > 1_000, "once it answers faster, that is known"
