"""What is new in a table is what its unread parts have more than those they were made of, whatever is merged when."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.part_sums import SUMS, CustomerNumbers, PartSums
from api.http.parts_follower import LISTED, SMALL, PartsChangingError, PartsFollower, PartsLostError
from api.http.rates import Definition
from streams.io.store import Store
from streams.io.table_parts import TablePart

Rows = Counter[tuple[str, int]]
ALL = "all"


class FakeParts:
    """A table of parts. `between` is called before each query."""

    def __init__(self) -> None:
        self.parts: dict[TablePart, Rows] = {}
        self.last = 0
        self.between: Callable[[], None] = lambda: None
        self.read: list[str] = []

    def put(self, rows: Rows, size: int = 1) -> None:
        self.last += 1
        self.parts[TablePart(f"all_{self.last}_{self.last}_0", ALL, self.last, self.last, size)] = rows

    def skip(self) -> None:
        """A number that no block has: an INSERT that was not taken."""
        self.last += 1

    def merge(self, first: int, count: int, mutation: str = "") -> None:
        chosen = sorted(self.parts, key=lambda part: part.first)[first : first + count]
        if not chosen:
            return
        rows = sum((self.parts.pop(each) for each in chosen), Rows())
        begin, end = chosen[0].first, chosen[-1].last
        size = sum(each.rows for each in chosen)
        self.parts[TablePart(f"all_{begin}_{end}_{self.last}{mutation}", ALL, begin, end, size)] = rows

    def rows(self, sql: str, _: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        assert sql == LISTED
        self.between()
        return [each[:5] for each in self.parts]

    def blocks(self, _: str, parameters: Mapping[str, Any]) -> Iterator[list[Any]]:
        self.between()
        self.read += parameters["parts"]
        there = {part.name: rows for part, rows in self.parts.items()}
        for name in parameters["parts"]:
            for (customer, minute), number in there.get(name, Rows()).items():
                yield [
                    np.array([name], object),
                    np.array([customer], object),
                    np.array([minute]),
                    *(np.array([number]) for _ in SUMS),
                ]

    def total(self) -> Rows:
        return sum(self.parts.values(), Rows())


def follower(table: FakeParts, numbers: CustomerNumbers) -> PartsFollower:
    return PartsFollower(cast(Store, table), Definition(()), numbers)


def rows_of(sums: PartSums, names: Mapping[int, str]) -> Rows:
    rows = zip(sums.customers.tolist(), sums.minutes.tolist(), sums.values[:, 0].tolist(), strict=True)
    return Rows({(names[customer], minute): number for customer, minute, number in rows})


some_rows = st.dictionaries(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), st.integers(1, 9)).map(Rows)
changes = st.one_of(
    st.tuples(st.just("put"), some_rows),
    st.tuples(st.just("skip")),
    st.tuples(st.just("merge"), st.integers(0, 8), st.integers(1, 5)),
)


@given(st.lists(st.tuples(st.lists(changes, max_size=4), st.lists(changes, max_size=3)), max_size=8))
def test_all_that_was_there_and_all_that_is_new_is_all_there_is(rounds: list[tuple[Any, Any]]) -> None:
    """Whatever comes and is merged before a look, and between its queries."""
    table, numbers = FakeParts(), CustomerNumbers()
    names = {numbers.of(each): each for each in "abc"}
    table.put(Rows({("a", 1): 1}))
    counted, followed = table.total(), follower(table, numbers)
    for before, during in rounds:
        for name, *arguments in before:
            getattr(table, name)(*arguments)
        coming = iter(during)

        def between(coming: Iterator[Any] = coming) -> None:
            for name, *arguments in coming:
                getattr(table, name)(*arguments)
                break

        table.between = between
        counted.update(rows_of(followed.look(cast(Store, table)), names))
        table.between = lambda: None
        assert followed.holds(cast(Store, table)) or during
        counted.update(rows_of(followed.look(cast(Store, table)), names))
        assert counted == table.total()


def test_a_large_part_merged_with_what_was_seen_is_not_read_again() -> None:
    table = FakeParts()
    table.put(Rows({("a", 1): 5}), SMALL + 1)
    followed = follower(table, CustomerNumbers())
    table.put(Rows({("a", 2): 5}))
    assert followed.look(cast(Store, table)).values.sum() == 5 * len(SUMS)
    table.merge(0, 2)
    table.read.clear()
    assert not len(followed.look(cast(Store, table)).keys)
    assert not table.read


def lose_a_part(table: FakeParts) -> None:
    table.parts.popitem()


def merge_unseen_with_a_large_one(table: FakeParts) -> None:
    table.put(Rows({("a", 2): 5}))
    table.merge(0, 2)


def change_rows(table: FakeParts) -> None:
    table.merge(0, 1, mutation="_7")


@pytest.mark.parametrize("happens", [lose_a_part, merge_unseen_with_a_large_one, change_rows])
def test_what_cannot_be_told_is_lost_and_nothing_counts_until_it_is_begun_again(
    happens: Callable[[FakeParts], None],
) -> None:
    table = FakeParts()
    table.put(Rows({("a", 1): 5}), SMALL + 1)
    followed = follower(table, CustomerNumbers())
    happens(table)
    for _ in range(2):
        with pytest.raises(PartsLostError):
            followed.look(cast(Store, table))
    again = follower(table, CustomerNumbers())
    assert not len(again.look(cast(Store, table)).keys)


def test_parts_that_never_stop_changing_are_left_for_later() -> None:
    table, numbers = FakeParts(), CustomerNumbers()
    table.put(Rows({("a", 1): 5}))
    followed = follower(table, numbers)

    def between() -> None:
        table.put(Rows({("a", 2): 1}))
        table.merge(0, 9)

    table.between = between
    with pytest.raises(PartsChangingError):
        followed.look(cast(Store, table))
    table.between = lambda: None
    assert rows_of(followed.look(cast(Store, table)), {0: "a"}) == table.total() - Rows({("a", 1): 5})
