"""Whose mail is refused for several hours, little of it in each: nobody can tell, where others fail there with it and
all its other mail is good."""

import pytest

from streams.incidents.accounts import CellCounts
from streams.incidents.detect import Account, Seen
from streams.incidents.doubtful_hours import MOST_HOURS, hours_with_most, is_doubtful, may_be_of

USUAL = Seen(10_000, 50)
HOUR = 3_600


def account(name: str, here: tuple[int, int], *, told: bool = True) -> Account:
    """Recipients and failed ones at one place in one hour; it has no history."""
    return Account(name, name, "", Seen(*here), Seen(0, 0), Seen(0, 0), Seen(0, 0), told=told)


def cells(finished: int, hard: int = 0, block: int = 0) -> CellCounts:
    return CellCounts(hard=hard, block=block, finished=finished, delivered=finished - hard - block)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([account("b", (4, 3))], True),
        ([account("b", (2, 1))], False),
        ([], False),
        ([account("b", (4, 3)), account("c", (9, 0))], False),
        ([account("b", (4, 3)), account("c", (9, 0), told=False)], True),
    ],
    ids=["a second one", "a single failure", "alone", "a third one is spared", "mail of a third one waits"],
)
def test_hour_is_doubtful_where_a_second_one_fails_and_nobody_is_spared(others: list[Account], expected: bool) -> None:
    assert is_doubtful("expired", [account("a", (5, 5)), *others], USUAL, "a") == expected


@pytest.mark.parametrize(
    ("failed", "every", "expected"),
    [
        (20, cells(158, hard=20), True),
        (31, cells(158, hard=31), False),
        (20, cells(39, hard=20), False),
        (24, cells(120, hard=24), False),
        (24, cells(120, hard=20, block=4), False),
    ],
    ids=["all of it", "not two thirds", "hardly any other mail", "other mail is bad", "bad in another way"],
)
def test_it_may_be_of_these_hours_if_all_other_mail_is_good(failed: int, every: CellCounts, expected: bool) -> None:
    there = [cells(10, hard=10), cells(10, hard=10)]
    doubtful = [account("a", (10, 10)) for _ in there]
    assert may_be_of("hard", doubtful, failed, every, there, USUAL) == expected


def test_no_doubtful_hour_explains_anything() -> None:
    assert not may_be_of("hard", [], 0, cells(100), [], USUAL)


def test_it_is_looked_where_most_failed_if_that_is_enough() -> None:
    failed = {("yahoo", hour * HOUR): 40 - hour for hour in range(20)}
    assert not hours_with_most(failed, [("yahoo", hour * HOUR) for hour in range(3)])
    assert hours_with_most(failed, failed.keys()) == {("yahoo", hour * HOUR) for hour in range(MOST_HOURS)}
    assert not hours_with_most({("yahoo", 0): 9}, [("yahoo", 0)])
