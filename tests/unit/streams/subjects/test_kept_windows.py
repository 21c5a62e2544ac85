"""Long windows that are kept give back what was put, and parts put together have all of each."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.subjects.arrays import FIELDS, StreamKey, Totals, merged, no_counts, subjects
from streams.subjects.totals import KEPT, LongWindows

WINDOWS = 2
CUSTOMERS = ["acme", "birch", "cedar", "dune"]
KEYS = st.tuples(st.sampled_from(CUSTOMERS), st.sampled_from(["news", "receipts"]))
CELLS = st.dictionaries(
    st.tuples(st.integers(0, WINDOWS - 1), st.integers(0, KEPT - 1)), st.integers(-(2**40), 2**40), max_size=4
)
#: By customer and stream, the numbers that are not zero by window and field.
Numbers = Mapping[StreamKey, Mapping[tuple[int, int], int]]
NUMBERS = st.dictionaries(KEYS, CELLS, max_size=6)


def totals(numbers: Numbers) -> Totals:
    keys = sorted(numbers)
    counts = no_counts(len(keys), WINDOWS)
    for row, key in enumerate(keys):
        for (window, field), number in numbers[key].items():
            counts[row, window, field] = number
    return Totals(keys, counts)


def same(one: Totals, other: Totals) -> bool:
    return one.keys == other.keys and bool((one.counts == other.counts).all())


@given(st.lists(st.tuples(st.sets(st.sampled_from(CUSTOMERS), min_size=1), NUMBERS), min_size=1, max_size=5))
def test_what_was_put_last_of_each_customer_comes_back(puts: list[tuple[set[str], Numbers]]) -> None:
    kept, known = LongWindows(WINDOWS, 60_000, 100), dict[str, Numbers]()
    for at_ms, (customers, numbers) in enumerate(puts):
        put = {key: each for key, each in numbers.items() if key[0] in customers}
        kept.put(sorted(customers), totals(put), at_ms)
        known |= {customer: {key: put[key] for key in put if key[0] == customer} for customer in customers}
    every = {key: each for numbers in known.values() for key, each in numbers.items()}
    assert same(kept.get(sorted(known)), totals(every))


@given(st.lists(NUMBERS, min_size=1, max_size=3))
def test_parts_put_together_have_all_of_each(parts: list[Numbers]) -> None:
    windows = WINDOWS * len(parts)
    places = [range(WINDOWS * place, WINDOWS * (place + 1)) for place in range(len(parts))]
    found = merged([totals(part) for part in parts], places, windows)
    assert found.keys == sorted({key for part in parts for key in part})
    for part, columns in zip(parts, places, strict=True):
        rows = [found.keys.index(key) for key in sorted(part)]
        assert (found.counts[rows][:, list(columns)] == totals(part).counts).all()
        others = [row for row in range(len(found.keys)) if row not in rows]
        assert not found.counts[others][:, list(columns)].any()


@given(NUMBERS)
def test_customer_has_the_sum_of_its_streams_and_several_streams_stand_by_themselves(numbers: Numbers) -> None:
    of_streams = totals(numbers)
    found = subjects(of_streams, ("3d", "30d"))
    whose = [key[0] for key in of_streams.keys]
    expected = {(each, "customer"): of_streams.counts[[name == each for name in whose]].sum(axis=0) for each in whose}
    for row, (customer, stream) in enumerate(of_streams.keys):
        if whose.count(customer) > 1:
            expected[customer, f"stream:{stream}"] = of_streams.counts[row]
    rows = dict(zip(zip(found.customers, found.scopes, strict=True), found.counts, strict=True))
    assert rows.keys() == expected.keys()
    assert all(np.array_equal(rows[key], expected[key]) for key in rows)
    assert found.counts.shape[1:] == (WINDOWS, len(FIELDS))
