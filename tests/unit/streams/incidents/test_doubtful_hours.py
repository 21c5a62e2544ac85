"""Whose mail is refused for several hours, little of it in each: nobody can tell, where others fail there with it and
all its other mail is good."""

import pytest

from streams.incidents.accounts import CellCounts
from streams.incidents.detect import Account, Seen
from streams.incidents.doubtful_hours import MOST_HOURS, failing_together, hours_with_most, may_be_of

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
        ([account("b", (4, 3))], 2),
        ([account("b", (2, 1))], 1),
        ([account("b", (2, 1)), account("c", (2, 1))], 3),
        ([], 1),
        ([account("b", (4, 3)), account("c", (9, 0))], 0),
        ([account("b", (4, 3)), account("c", (9, 0), told=False)], 2),
    ],
    ids=["a second one", "a single failure", "two of them", "alone", "a third one is spared", "a third one waits"],
)
def test_hour_is_doubtful_where_a_second_one_fails_and_nobody_is_spared(others: list[Account], expected: int) -> None:
    assert failing_together("expired", [account("a", (5, 5)), *others], USUAL, "a") == expected


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


@pytest.mark.parametrize(("other", "expected"), [(9, False), (11, True)])
def test_fewer_of_other_mail_are_enough_where_two_others_fail_with_it(other: int, expected: bool) -> None:
    """On a first day two large providers fail at once, and a customer has eleven recipients elsewhere."""
    there = [cells(15, hard=8), cells(20, hard=12)]
    doubtful = [account("a", (15, 8)), account("a", (20, 12))]
    every = cells(35 + other, hard=20)
    assert may_be_of("hard", doubtful, 20, every, there, USUAL, together=3) == expected
    assert not may_be_of("hard", doubtful, 20, every, there, USUAL, together=2)


def test_no_doubtful_hour_explains_anything() -> None:
    assert not may_be_of("hard", [], 0, cells(100), [], USUAL)


def test_it_is_looked_where_most_failed_if_that_is_enough() -> None:
    failed = {("yahoo", hour * HOUR): 40 - hour for hour in range(20)}
    assert not hours_with_most(failed, [("yahoo", hour * HOUR) for hour in range(3)])
    assert hours_with_most(failed, failed.keys()) == {("yahoo", hour * HOUR) for hour in range(MOST_HOURS)}
    assert not hours_with_most({("yahoo", 0): 9}, [("yahoo", 0)])
