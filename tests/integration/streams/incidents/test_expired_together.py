"""Mail of an unknown time that one provider put off is given up by several customers within the same hour, a day later:
nobody knows of an incident, and nobody can tell that it is they, so a person looks first."""

import random

import pytest

from schemas.times import utc_time
from streams.incidents.stored import read_incidents
from tests.support.api_client import DAY, MINUTE
from tests.support.fleet import HOUR_11, held, mail, suspended
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

NOW_MS = (HOUR_11 + 30 * MINUTE) * 1000


def give_up(ground: Ground, customers: list[str], count: int, provider: str = "gmail") -> None:
    """Counted when it comes, as undated."""
    rows = len(customers)
    columns: dict[str, list[object]] = {
        "dimension": ["provider"] * rows,
        "value": [provider] * rows,
        "customer": [*customers],
        "stream": ["news"] * rows,
        "bucket": [utc_time((HOUR_11 + 10 * MINUTE) * 1000)] * rows,
        "source": [f"made/{customers[0]}"] * rows,
        "expired": [count] * rows,
        "undated_expired": [count] * rows,
    }
    ground.store.insert("counts", columns)


def days(ground: Ground, customers: list[str], hard: float = 0.005) -> None:
    chance = random.Random(1)
    for each in customers:
        ground.put(*(row for day in range(1, 6) for row in mail(each, HOUR_11 - day * DAY, 600, hard, chance)))


@pytest.mark.parametrize(
    ("customers", "provider", "expected"),
    [("abcd", "gmail", "held"), ("ab", "gmail", "suspended"), ("abcd", "other", "suspended")],
    ids=["several", "two", "dead domains"],
)
def test_who_gave_up_together_is_held(ground: Ground, customers: str, provider: str, expected: str) -> None:
    days(ground, [*customers, "spared"])
    give_up(ground, [*customers], 300, provider)
    ground.judge().judge_customers([*customers, "spared"], NOW_MS)
    assert {"held": held(ground), "suspended": suspended(ground)} == {
        "held": set(),
        "suspended": set(),
        expected: {*customers},
    }
    if expected == "held":
        (incident,) = read_incidents(ground.store).in_force()
        assert (incident.value, incident.outcome, incident.state) == ("gmail", "expired", "suspected")
        assert incident.why.startswith("several gave up mail of an unknown time")


def test_who_has_a_bad_list_besides_is_not_held(ground: Ground) -> None:
    days(ground, [*"abc"])
    days(ground, ["bad"], 0.2)
    give_up(ground, [*"abc", "bad"], 300)
    ground.judge().judge_customers([*"abc", "bad"], NOW_MS)
    assert (held(ground), suspended(ground)) == ({*"abc"}, {"bad"})


def test_first_of_them_waits_until_the_others_are_counted(ground: Ground) -> None:
    """However many send there in that hour: they do not say whether others gave up mail, too."""
    others = [f"other{number}" for number in range(8)]
    days(ground, [*"abcd", *others])
    chance = random.Random(2)
    ground.put(*(row for each in others for row in mail(each, HOUR_11, 600, 0.005, chance)))
    judge = ground.judge(alone_wait_s=10)
    give_up(ground, ["a"], 300)
    again = dict(judge.judge_customers(["a", *others], NOW_MS).again)
    assert (held(ground), suspended(ground)) == (set(), set())
    assert NOW_MS < again["a"] <= NOW_MS + 10_000
    give_up(ground, [*"bcd"], 300)
    judge.judge_customers([*"abcd"], NOW_MS + 11_000)
    judge.judge_customers([*"abcd"], NOW_MS + 22_000)
    assert (held(ground), suspended(ground)) == ({*"abcd"}, set())


def test_who_gave_up_alone_is_told_after_the_wait(ground: Ground) -> None:
    days(ground, [*"ab"])
    give_up(ground, ["a"], 300)
    judge = ground.judge(alone_wait_s=10)
    judge.judge_customers(["a"], NOW_MS)
    assert suspended(ground) == set()
    judge.judge_customers(["a"], NOW_MS + 11_000)
    assert suspended(ground) == {"a"}
