"""Of what a rate is made up: which value is called the worst, and when none is."""

import pytest

from api.console.case.tables import PartTable, part_tables
from api.http.breakdowns import RatePart
from api.http.models.parameters import Breakdown


def about(numerator: int, denominator: int) -> tuple[float, float]:
    return numerator / denominator * 0.8, numerator / denominator * 1.2


def tables(**parts: list[tuple[str, int, int]]) -> dict[Breakdown, PartTable]:
    given = {by: [RatePart(*each) for each in some] for by, some in parts.items()}
    return {each.by: each for each in part_tables(given, {"invalid": "550 no such user"}, about)}  # type: ignore[arg-type]


def worst(table: PartTable) -> list[str]:
    return [each.value for each in table.rows if each.is_worst]


def test_worst_is_who_is_surely_worse_than_all_mail() -> None:
    found = tables(provider=[("gmail", 90, 1_000), ("yahoo", 10, 5_000)])["provider"]
    assert worst(found) == ["gmail"]
    assert found.verdict == "one provider is surely worse than the rest"


@pytest.mark.parametrize(
    "some",
    [
        [("gmail", 90, 1_000)],
        [("gmail", 50, 1_000), ("yahoo", 48, 1_000)],
        [("gmail", 2, 10), ("yahoo", 10, 5_000)],
        [],
    ],
    ids=["alone", "alike", "too few", "none"],
)
def test_nobody_is_called_the_worst_without_a_difference(some: list[tuple[str, int, int]]) -> None:
    assert worst(tables(provider=some)["provider"]) == []


def test_campaigns_are_divided_by_all_mail_and_the_largest_is_named() -> None:
    found = tables(provider=[("gmail", 90, 900), ("yahoo", 10, 100)], campaign=[("spring", 80, 0), ("", 20, 0)])
    rows = found["campaign"].rows
    assert [(each.value, each.denominator, each.rate) for each in rows] == [("spring", 1_000, 0.08), ("", 1_000, 0.02)]
    assert worst(found["campaign"]) == ["spring"]


def test_bounce_classes_have_a_typical_answer() -> None:
    found = tables(provider=[("gmail", 9, 90)], bounce_class=[("invalid", 9, 0)])["bounce_class"]
    assert [each.sample for each in found.rows] == ["550 no such user"]


def test_more_outcomes_than_mail_are_a_rate_of_one() -> None:
    (row,) = tables(provider=[("gmail", 9, 3)])["provider"].rows
    assert (row.numerator, row.denominator, row.rate) == (9, 3, 1.0)
