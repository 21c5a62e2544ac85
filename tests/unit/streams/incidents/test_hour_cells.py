"""The cells of an hour as arrays: added up like counts, and the places that are chosen are those that each customer's
weight, asked for one by one, says."""

from math import log

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.incident import EVERYWHERE
from schemas.providers import OTHER
from streams.incidents.accounts import CellCounts
from streams.incidents.detect import LEAST_USUAL, MORE
from streams.incidents.hour_cells import (
    LEAST_FAILING,
    LEAST_SHARE,
    LEAST_WEIGHT,
    OUTCOMES,
    PLACE_BITS,
    TRIED,
    HourCells,
    added_up,
    by_hour,
    failing_together,
)

PLACES = ["gmail", "yahoo", OTHER]
USUAL = {"gmail": CellCounts(10, 10, 10, 1, 1_000, 900), EVERYWHERE: CellCounts(30, 10, 10, 1, 2_000, 1_900)}
Table = dict[tuple[int, int], CellCounts]

counts = st.builds(
    lambda hard, block, expired, complained, delivered: CellCounts(
        hard, block, expired, complained, hard + block + expired + delivered, delivered
    ),
    st.sampled_from([0, 0, 0, 1, 3, 30]),
    st.sampled_from([0, 0, 1, 8]),
    st.sampled_from([0, 0, 1, 9]),
    st.sampled_from([0, 0, 0, 2]),
    st.integers(0, 60),
)
tables = st.dictionaries(st.tuples(st.integers(0, 12), st.integers(1, len(PLACES))), counts, max_size=30)


def cells_of(table: Table) -> HourCells:
    names = [customer << PLACE_BITS | place for customer, place in sorted(table)]
    return HourCells(
        np.array(names, np.uint64), np.array([table[each] for each in sorted(table)], np.int32).T.reshape(6, -1)
    )


def one_by_one(table: Table, told: set[int]) -> set[str]:
    """As it is said, without arrays. Of what expires those are asked who are told, or some of whose mail did."""
    everywhere: dict[int, CellCounts] = {}
    for (customer, _), each in table.items():
        everywhere[customer] = everywhere.get(customer, CellCounts()).plus(each)
    found = set()
    for name in (*PLACES, EVERYWHERE):
        there = [(customer, each) for (customer, place), each in table.items() if PLACES[place - 1] == name]
        for outcome in OUTCOMES:
            usual = min(0.5, max(USUAL.get(name, CellCounts()).seen(outcome).rate, LEAST_USUAL[outcome]))
            for raised in (each for each in TRIED if each >= usual + MORE[outcome]):
                weights = []
                for customer, each in everywhere.items() if name == EVERYWHERE else there:
                    total, failed = each.seen(outcome)
                    if total and (outcome != "expired" or failed or customer in told):
                        weight = failed * log(raised / usual)
                        weight += max(0, total - failed) * log((1 - raised) / (1 - usual))
                        weights.append(max(-3.0, min(3.0, weight)))
                pro = sum(weight for weight in weights if weight > 0)
                if (
                    sum(weight >= 1 for weight in weights) >= LEAST_FAILING
                    and pro >= LEAST_WEIGHT
                    and pro >= LEAST_SHARE * sum(map(abs, weights))
                ):
                    found.add(name)
    return found


@settings(max_examples=150)
@given(table=tables, told=st.sets(st.integers(0, 12)))
def test_chosen_are_the_places_at_which_customers_fail_together(table: Table, told: set[int]) -> None:
    cells = cells_of(table)
    found = failing_together(cells, PLACES, USUAL, told=lambda names: np.isin(names, np.array([*told], np.uint64)))
    assert found == one_by_one(table, told)
    assert failing_together(cells, PLACES, USUAL) == one_by_one(table, set(range(13)))


def test_three_who_fail_at_one_provider_choose_it_or_all_mail() -> None:
    table = {(customer, 1): CellCounts(20, 0, 0, 0, 50, 30) for customer in range(3)}
    assert failing_together(cells_of(table), PLACES, USUAL) == {"gmail", EVERYWHERE}
    assert failing_together(cells_of(dict(list(table.items())[:2])), PLACES, USUAL) == set()


@given(one=tables, other=tables)
def test_cells_are_added_and_taken_away_like_counts(one: Table, other: Table) -> None:
    both = {each: one.get(each, CellCounts()).plus(other.get(each, CellCounts())) for each in {*one, *other}}
    both = {each: numbers for each, numbers in both.items() if any(numbers)}
    for together in (cells_of(one).plus(cells_of(other)), added_up([cells_of(one), cells_of(other)])):
        assert np.all(np.diff(together.names.astype(np.int64)) > 0)
        left = added_up([together])
        assert left.names.tolist() == cells_of(both).names.tolist()
        assert left.counts.tolist() == cells_of(both).counts.tolist()
    assert not added_up([cells_of(one), cells_of(one).minus()]).names.size


def test_cells_of_several_hours_are_taken_apart() -> None:
    hours, names = np.array([7_200, 3_600, 7_200]), np.array([5, 9, 2], np.uint64)
    found = by_hour(hours, names, np.arange(18, dtype=np.int32).reshape(6, 3))
    assert {hour: cells.names.tolist() for hour, cells in found.items()} == {3_600: [9], 7_200: [2, 5]}
    assert found[7_200].counts[0].tolist() == [2, 0]
    assert by_hour(hours[:0], names[:0], np.zeros((6, 0), np.int32)) == {}
