"""Who fails at one provider where hardly anybody else was seen waits a little before it is accused."""

import random

import pytest

from tests.support.api_client import DAY, MINUTE, Row
from tests.support.fleet import HOUR_11, accused, mail
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

GOOD = [f"good{number:02}" for number in range(12)]
NOW_MS = (HOUR_11 + 30 * MINUTE) * 1000


def refused(customer: str, chance: random.Random) -> list[Row]:
    """A good week, then an hour in which one provider refuses everybody."""
    before = [row for day in range(1, 8) for row in mail(customer, HOUR_11 - day * DAY, 600, 0.005, chance)]
    return [*before, *mail(customer, HOUR_11 + 20 * MINUTE, 700, 0.005, chance, "gmail")]


def test_first_customer_of_a_log_that_is_read_customer_by_customer_is_not_accused(ground: Ground) -> None:
    chance = random.Random(1)
    ground.put(*refused(GOOD[0], chance))
    judge = ground.judge(alone_wait_s=10)
    first = judge.judge_customers([GOOD[0]], NOW_MS)
    assert first.again == [(GOOD[0], NOW_MS + 1_000)]
    ground.put(*(row for each in GOOD[1:] for row in refused(each, chance)))
    judge.judge_customers(GOOD, NOW_MS + 1_000)
    assert accused(ground) == set()


def test_who_fails_at_one_provider_where_nobody_comes_is_accused_after_the_wait(ground: Ground) -> None:
    ground.put(*refused(GOOD[0], random.Random(2)))
    judge = ground.judge(alone_wait_s=10)
    for waited_ms in (0, 1_000, 9_000):
        assert judge.judge_customers([GOOD[0]], NOW_MS + waited_ms).again
    assert accused(ground) == set()
    judge.judge_customers([GOOD[0]], NOW_MS + 10_000)
    assert accused(ground) == {GOOD[0]}


def test_wait_that_is_shorter_than_the_rest_of_a_customer_ends(ground: Ground) -> None:
    ground.put(*refused(GOOD[0], random.Random(2)))
    judge = ground.judge(alone_wait_s=0.1)
    for waited_ms in (0, 5_000):
        judge.judge_customers([GOOD[0]], NOW_MS + waited_ms)
    assert accused(ground) == {GOOD[0]}


def test_who_fails_everywhere_does_not_wait(ground: Ground) -> None:
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 1_000, 0.2, random.Random(3)))
    ground.judge(alone_wait_s=10).judge_customers(["bought"], NOW_MS)
    assert accused(ground) == {"bought"}


@pytest.mark.parametrize(("senders", "waits"), [(5, True), (6, False)])
def test_who_fails_where_others_are_spared_does_not_wait(ground: Ground, senders: int, waits: bool) -> None:
    chance = random.Random(4)
    ground.put(*refused("spammer", chance))
    ground.put(*(row for each in GOOD[: senders - 1] for row in mail(each, HOUR_11, 200, 0.0, chance)))
    ground.judge(alone_wait_s=10).judge_customers(["spammer"], NOW_MS)
    assert (accused(ground) == set()) == waits
