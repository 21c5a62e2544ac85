"""Who is struck by an incident, as the store has it."""

import pytest

from api.explain.struck import StruckPart, hours_of, struck
from streams.io.store import Store
from tests.support.api_client import HOUR, NOW
from tests.support.provider_counts import put_counts

NOON = NOW // HOUR * HOUR
pytestmark = pytest.mark.usefixtures("standing_clock")


def test_everybody_who_sent_there_then_is_counted_the_worst_first(store: Store) -> None:
    there = {"at": NOON - HOUR, "provider": "gmail"}
    rows = [{"customer": f"c{place}", "delivered": 90, "hard": place, "block": 5, **there} for place in range(4)]
    elsewhere = [
        {"customer": "yahoo's", "delivered": 9, "at": NOON - HOUR, "provider": "yahoo"},
        {"customer": "later", "delivered": 9, "at": NOON, "provider": "gmail"},
    ]
    put_counts(store, rows + elsewhere)
    customers, totals = struck(store, "gmail", "hard", [NOON - HOUR], 2)
    assert [(each.customer, each.failed, each.total) for each in customers] == [("c3", 3, 98), ("c2", 2, 97)]
    assert (totals.customers, totals.with_failures, totals.failed, totals.total) == (4, 3, 6, 386)
    customers, totals = struck(store, "gmail", "hard", [NOON - HOUR], 2, 2)
    assert [each.customer for each in customers] == ["c1", "c0"]
    assert totals.customers == 4
    assert struck(store, "gmail", "declared", [NOON - HOUR], 9).totals.failed == 26
    assert struck(store, "*", "declared", [NOON - HOUR, NOON], 9).totals.customers == 6
    assert struck(store, "apple", "hard", [NOON], 9) == StruckPart()


def test_hours_are_those_that_the_times_lie_in() -> None:
    assert hours_of(NOON * 1000 + 1, (NOON + HOUR) * 1000) == [NOON]
    assert hours_of(NOON * 1000, (NOON + HOUR) * 1000 + 1) == [NOON, NOON + HOUR]
