"""Complaints of whole days that come at once: which days were struck, and who of the bad stays in sight."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pytest

from schemas.times import DAY_S
from streams.incidents.days import ProviderDay, struck_days
from streams.incidents.detect import Seen

#: Of the weeks before, and of a week that is asked about.
DAYS = range(1, 8)
USUAL, BATCH = 0.0002, 0.01


class Group(NamedTuple):
    """So many customers with so much mail a day at `yahoo` and `comcast`, and what share of it complains on which days
    besides the usual."""

    many: int
    a_day: tuple[int, int]
    rates: Mapping[str, float]
    days: Iterable[int] = DAYS


def counted(groups: Iterable[Group], usual: float, seed: int) -> dict[str, dict[ProviderDay, Seen]]:
    chance = np.random.default_rng(seed)
    found: dict[str, dict[ProviderDay, Seen]] = {}
    for place, group in enumerate(groups):
        for number in range(group.many):
            spread = float(np.exp(chance.normal(0, 1)))
            cells = found.setdefault(f"c{place}-{number}", {})
            for provider, mail in zip(("yahoo", "comcast"), group.a_day, strict=True):
                for day in (0, *DAYS):
                    total = int(mail * spread * (21 if day == 0 else 1))
                    rate = usual + (group.rates.get(provider, 0.0) if day in group.days else 0.0)
                    cells[provider, day * DAY_S] = Seen(total, int(chance.binomial(total, rate)))
    return found


def struck(counts: dict[str, dict[ProviderDay, Seen]]) -> set[tuple[str, int]]:
    asked = {(provider, day * DAY_S) for provider in ("yahoo", "comcast") for day in DAYS}
    found = struck_days(counts, asked, {})
    return {(place, day // DAY_S) for each in found for place in each.places for day in each.days}


GOOD = {"yahoo": BATCH}
CASES = {
    "three days at once": ([Group(60, (700, 90), GOOD, (4, 5, 6))], {("yahoo", day) for day in (4, 5, 6)}),
    "seven days at once": ([Group(60, (700, 90), GOOD)], {("yahoo", day) for day in DAYS}),
    "of a small provider": ([Group(60, (700, 90), {"comcast": BATCH}, (6,))], {("comcast", 6)}),
    "in a fleet of six": ([Group(6, (700, 90), GOOD, (5, 6))], {("yahoo", 5), ("yahoo", 6)}),
    "so few that no day shows it": (
        [Group(8, (60, 900), GOOD, (4, 5, 6, 7))],
        {("yahoo", day) for day in (4, 5, 6, 7)},
    ),
    "so few, at usual rates": ([Group(8, (60, 900), {})], set()),
    "so few, and three of them bad everywhere": (
        [Group(5, (60, 900), {}), Group(3, (60, 900), GOOD | {"comcast": BATCH}, (4, 5, 6, 7))],
        set(),
    ),
    "of two providers at once": (
        [Group(60, (700, 300), GOOD | {"comcast": BATCH}, (6,))],
        {("yahoo", 6), ("comcast", 6)},
    ),
    "at usual rates": ([Group(60, (700, 90), {})], set()),
    "some who are complained of everywhere": (
        [Group(20, (700, 300), {}), Group(8, (700, 300), GOOD | {"comcast": BATCH}, (4, 5, 6))],
        set(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    groups, expected = CASES[name]
    assert struck(counted(groups, USUAL, 1)) == expected


def test_provider_that_always_reports_much_is_no_incident() -> None:
    """What is usual there is what it reports every day, however late."""
    for seed in range(3):
        assert struck(counted([Group(40, (700, 90), {})], 0.0008, seed)) == set()


def test_days_of_small_senders_who_complain_by_chance_are_no_incident() -> None:
    for many in (6, 30, 100):
        for seed in range(4):
            assert struck(counted([Group(many, (40, 10), {})], USUAL, seed)) == set()


def test_who_is_new_is_no_witness_however_many_accounts_there_are() -> None:
    counts = counted([Group(60, (300, 100), GOOD, (6,))], USUAL, 1)
    new = {who: {at: each for at, each in cells.items() if at[1] == 6 * DAY_S} for who, cells in counts.items()}
    assert struck({**new, "old": counts["c0-0"]}) == set()


def test_accounts_of_one_owner_weigh_as_one() -> None:
    counts = counted([Group(30, (300, 100), GOOD, (6,)), Group(3, (300, 100), {})], USUAL, 1)
    asked = {("yahoo", 6 * DAY_S)}
    assert struck_days(counts, asked, {(who, "from"): "one.example" for who in counts if who[:2] == "c0"}) == []
    assert [each.places for each in struck_days(counts, asked, {})] == [("yahoo",)]
