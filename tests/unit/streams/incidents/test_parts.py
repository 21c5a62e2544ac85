"""What is known of a table's parts: each block counts once, however parts are merged between two looks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.incidents import parts as module
from streams.incidents.hour_cells import NO_CELLS, HourCells, added_up
from streams.incidents.parts import ByHour, KnownParts


def block(number: int) -> ByHour:
    """What one INSERT brought: a cell of its own, and one that all have."""
    names = np.array([1, 1_000 + number], np.uint64)
    return {3_600: HourCells(names, np.full((6, 2), number + 1, np.int32))}


def of_blocks(first: int, last: int) -> ByHour:
    return {3_600: added_up(block(number)[3_600] for number in range(first, last + 1))}


def is_same(one: HourCells, other: HourCells) -> bool:
    return np.array_equal(one.names, other.names) and np.array_equal(one.counts, other.counts)


@given(looks=st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=8), small=st.booleans())
def test_each_block_counts_once_however_parts_are_merged(looks: list[list[bool]], small: bool) -> None:
    """Between two looks blocks come (True), or the newest three parts are merged (False)."""
    before, module.SMALL = module.SMALL, 1_000 if small else 0
    try:
        known, active, count, total = KnownParts(), [], 0, NO_CELLS
        for look in looks:
            for comes in look:
                if comes:
                    active.append((count, count))
                    count += 1
                else:
                    active[-3:] = [(active[-3:][0][0], active[-1][1])] if active else []
            if not known.all_in([f"all_{first}_{last}_0" for first, last in active]):
                raise AssertionError("nothing is gone")
            for first, last in active:
                for change in known.take(f"all_{first}_{last}_0", of_blocks(first, last)):
                    total = total.plus(change[3_600])
            if known.lost:
                assert not small
                known, total = KnownParts(), NO_CELLS
                for first, last in active:
                    for change in known.take(f"all_{first}_{last}_0", of_blocks(first, last)):
                        total = total.plus(change[3_600])
            if count:
                assert is_same(added_up([total]), of_blocks(0, count - 1)[3_600])
    finally:
        module.SMALL = before


def test_part_merged_of_known_ones_alone_is_not_read() -> None:
    known = KnownParts()
    for number in range(3):
        known.take(f"all_{number}_{number}_0", block(number))
    assert known.is_known("all_0_2_1")
    assert known.names == ["all_0_2_1"]
    assert not known.is_known("all_0_3_2")


def test_what_a_replica_that_is_behind_has_is_known_already() -> None:
    known = KnownParts()
    known.take("all_0_4_1", of_blocks(0, 4))
    assert known.take("all_1_2_1", of_blocks(1, 2)) == []
    assert known.all_in(["all_1_2_1", "all_3_4_1"])
    assert known.names == ["all_0_4_1"]


def test_part_that_a_mutation_changed_is_read_and_one_made_after_it_has_it() -> None:
    known = KnownParts()
    known.take("all_0_1_1", of_blocks(0, 1))
    assert not known.is_known("all_0_1_1_2")
    known.take("all_0_1_1_2", block(1))
    known.take("all_3_3_0", block(3))
    assert not known.is_known("all_0_3_2_2"), "block 2 may be one that was stored"
    known.take("all_2_2_0", {})
    known = KnownParts()
    known.take("all_0_1_1_2", block(1))
    known.take("all_2_2_0_2", {})
    known.take("all_3_3_0", block(3))
    assert known.is_known("all_0_3_2_2")


def test_part_that_is_gone_is_missed() -> None:
    known = KnownParts()
    known.take("all_0_0_0", block(0))
    known.take("all_1_1_0", block(1))
    assert known.all_in(["all_0_1_1"])
    assert not known.all_in(["all_1_1_0"])


def test_other_names_of_parts_than_are_understood_are_never_relied_on() -> None:
    known = KnownParts()
    assert known.take("a-part", block(0)) == []
    assert known.lost
