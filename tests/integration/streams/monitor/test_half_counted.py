"""Bounces are counted, and the deliveries of the same mail not yet: nobody is accused by that."""

import random

import pytest

from tests.support.api_client import DAY, MINUTE, Row
from tests.support.fleet import HOUR_11, accused, mail
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

#: So few that no incident, and no brake, can tell.
FLEET = ["good0", "good1"]
NOW_MS = (HOUR_11 + 30 * MINUTE) * 1000


def put(ground: Ground) -> list[Row]:
    """A good week, and the bounces of a large mailing; returns its deliveries."""
    chance, deliveries = random.Random(1), list[Row]()
    for each in FLEET:
        ground.put(*(row for day in range(1, 8) for row in mail(each, HOUR_11 - day * DAY, 600, 0.005, chance)))
        mailing = list(mail(each, HOUR_11 + 20 * MINUTE, 20_000, 0.005, chance))
        ground.put(*(row._replace(delivered=0) for row in mailing))
        deliveries += [row._replace(hard=0) for row in mailing]
    return deliveries


def test_who_is_judged_while_deliveries_are_behind_waits_for_them(ground: Ground) -> None:
    behind, deliveries = [True], put(ground)
    judge = ground.judge(is_behind=lambda _: behind[0])
    for waited_ms in (0, 5_000, 600_000):
        found = judge.judge_customers(FLEET, NOW_MS + waited_ms)
        assert found.again == [(each, NOW_MS + waited_ms + 5_000) for each in FLEET]
    ground.put(*deliveries)
    behind[0] = False
    judge.judge_customers(FLEET, NOW_MS + 605_000)
    assert accused(ground) == set()


def test_without_it_both_would_be_accused(ground: Ground) -> None:
    put(ground)
    ground.judge().judge_customers(FLEET, NOW_MS)
    assert accused(ground) == set(FLEET)


def test_who_is_bad_is_accused_once_all_is_counted_or_after_an_hour(ground: Ground) -> None:
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 1_000, 0.2, random.Random(3)))
    behind = [True]
    judge = ground.judge(is_behind=lambda _: behind[0])
    judge.judge_customers(["bought"], NOW_MS)
    assert accused(ground) == set()
    behind[0] = False
    judge.judge_customers(["bought"], NOW_MS + 5_000)
    assert accused(ground) == {"bought"}


def test_intake_that_stays_behind_hides_nobody_for_ever(ground: Ground) -> None:
    ground.put(*mail("bought", HOUR_11 + 20 * MINUTE, 1_000, 0.2, random.Random(3)))
    judge = ground.judge(is_behind=lambda _: True, behind_wait_s=600)
    for waited_ms in (0, 599_000):
        assert judge.judge_customers(["bought"], NOW_MS + waited_ms).again
        assert accused(ground) == set()
    judge.judge_customers(["bought"], NOW_MS + 600_000)
    assert accused(ground) == {"bought"}
