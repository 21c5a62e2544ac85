"""Sorting, filtering and paging of the fleet in memory."""

from typing import Any

import pytest

from api.console.fleet.marks import TREND_WIDTH, interval_mark, trend_lines
from api.console.fleet.rows import FleetRow, RuleFigures
from api.console.fleet.table import FleetQuery, FleetTable, Sort
from api.explain.worst import WorstLine, WorstRate

METRICS = {"complaints": "complaint", "failures": "failure"}


def _row(customer: str, standing: str = "good", **fields: Any) -> FleetRow:
    row = {name: fields.pop(name) for name in ("plan", "pools", "trend") if name in fields}
    rates = {name: WorstRate(fields.pop(name, 0.0)) for name in ("failure", "block", "exposure")}
    complaint = WorstRate(fields.pop("complaint", 0.0), unseen=fields.pop("unseen", None))
    usual: dict[str, Any] = {"scope": "customer", "since_ms": 0, "rule": "", "overridden": False, "volume": 0}
    line = WorstLine(
        customer=customer, standing=standing, complaint=complaint, **{**usual, "score": None, **rates, **fields}
    )
    return FleetRow(line=line, **row)


FLEET = FleetTable(
    [
        _row("bad", "critical", rule="failures", failure=0.2, volume=10, since_ms=50, score=3, pools=("shared-1",)),
        _row("worse", "excessive", rule="complaints", complaint=0.01, volume=30, since_ms=20, score=20, plan="pro"),
        _row(
            "worse",
            "warning",
            scope="stream:News",
            rule="complaints",
            complaint=0.02,
            since_ms=40,
            plan="pro",
            held=True,
        ),
        _row("Unseen", "good", unseen=(1, 100), volume=20, since_ms=30, score=90),
        _row("small", "insufficient_volume", volume=1, since_ms=10),
    ],
    METRICS,
)


def _names(**asked: Any) -> list[str]:
    return [row.line.customer for row in FLEET.page(FleetQuery(**asked)).rows]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["bad", "worse", "worse", "Unseen", "small"]),
        ({"standings": ("critical", "good")}, ["bad", "Unseen"]),
        ({"metric": "complaint"}, ["worse", "worse"]),
        ({"text": "UNS"}, ["Unseen"]),
        ({"text": "news"}, ["worse"]),
        ({"pool": "shared-1"}, ["bad"]),
        ({"plan": "pro"}, ["worse", "worse"]),
        ({"only_open": True}, ["bad", "worse", "worse"]),
        ({"only_held": True}, ["worse"]),
        ({"unobservable": True}, ["Unseen"]),
        ({"standings": ("warning",), "text": "bad"}, []),
    ],
    ids=str,
)
def test_filters(asked: dict[str, Any], names: list[str]) -> None:
    assert _names(**asked) == names


@pytest.mark.parametrize(
    ("sort", "descending", "names"),
    [
        ("worst", True, ["small", "Unseen", "worse", "worse", "bad"]),
        ("customer", False, ["bad", "small", "Unseen", "worse", "worse"]),
        ("since", True, ["bad", "worse", "Unseen", "worse", "small"]),
        ("rule", False, ["worse", "worse", "bad", "Unseen", "small"]),
        ("volume", True, ["worse", "Unseen", "bad", "small", "worse"]),
        ("complaint", True, ["worse", "worse", "bad", "Unseen", "small"]),
        ("failure", True, ["bad", "worse", "worse", "Unseen", "small"]),
        ("score", False, ["bad", "worse", "Unseen", "worse", "small"]),
    ],
)
def test_sorts_and_of_equals_the_worst_comes_first(sort: Sort, descending: bool, names: list[str]) -> None:
    assert _names(sort=sort, descending=descending) == names


def test_pages_do_not_overlap_and_the_last_one_stands_for_those_after_it() -> None:
    table = FleetTable([_row(f"c{number:03d}") for number in range(120)], {})
    first, second, last = (table.page(FleetQuery(page=number)) for number in (1, 2, 3))
    assert [len(each.rows) for each in (first, second, last)] == [50, 50, 20]
    assert len({row.key for each in (first, second, last) for row in each.rows}) == 120
    assert table.page(FleetQuery(page=99)) == last
    assert FleetTable([], {}).page(FleetQuery(page=7)).number == 1


def test_customers_are_counted_by_standing_without_parts_of_their_mail() -> None:
    assert FLEET.by_standing == {"critical": 1, "excessive": 1, "good": 1, "insufficient_volume": 1}


def test_what_can_be_chosen_is_what_there_is() -> None:
    assert (FLEET.plans, FLEET.pools, FLEET.metrics) == (["pro"], ["shared-1"], ["complaint", "failure"])


def test_interval_lies_where_its_figures_do() -> None:
    figures = RuleFigures(
        metric="failure",
        window="24h",
        numerator=6,
        denominator=100,
        rate=0.06,
        lower=0.05,
        upper=0.08,
        threshold=0.05,
    )
    mark = interval_mark(figures)
    assert mark is not None
    assert mark.lower == mark.threshold < mark.rate < mark.upper


def test_trend_has_a_line_for_each_run_of_hours_with_mail() -> None:
    lines = trend_lines((0.1, 0.2, None, 0.3), "failure")
    assert [len(each.split()) for each in lines] == [2, 2]
    assert all(0 <= float(point.split(",")[0]) <= TREND_WIDTH for line in lines for point in line.split())
    assert trend_lines((), "failure") == ()
    assert trend_lines((None, None), "failure") == ()
