"""What the name of a part says, and when one has nothing that was not read."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.io.table_parts import TablePart, all_in, in_order, part_of, parts_change


def part(first: int, last: int, mutation: int = 0) -> TablePart:
    found = part_of(f"all_{first}_{last}_1" + (f"_{mutation}" if mutation else ""))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("all_3_17_2", ("all", 3, 17, 0, 0)),
        ("all_3_17_2_19", ("all", 3, 17, 0, 19)),
        ("20261101_3_17_2", ("20261101", 3, 17, 0, 0)),
        ("detached", None),
    ],
)
def test_name_says_which_blocks_a_part_has(name: str, found: tuple[str, int, int, int, int] | None) -> None:
    assert part_of(name) == (found and TablePart(name, *found))


@given(cuts=st.lists(st.integers(1, 30), unique=True), gone=st.integers(0, 5))
def test_part_is_merged_of_those_that_have_all_its_blocks_and_of_no_fewer(cuts: Sequence[int], gone: int) -> None:
    ends = [*sorted(cuts), 31]
    parts = [part(first, end - 1) for first, end in zip([0, *ends], ends, strict=False)]
    whole = part(0, 30)._replace(name="all_0_30_2")
    assert whole.is_merged_of(reversed(parts))
    left = [each for at, each in enumerate(parts) if at != gone]
    assert whole.is_merged_of(left) == (len(left) == len(parts))
    assert parts_change(parts, [whole]).is_lost is False
    assert [each.is_merged for each in parts_change(left, [whole]).new] == [len(left) == len(parts)]


def test_part_that_is_gone_is_missed_by_both_ways_of_following_them() -> None:
    known = [part(0, 0), part(1, 1)]
    for listed, is_there in (([part(0, 1)], True), ([part(1, 1)], False), ([part(1, 1), part(2, 2)], False)):
        assert all_in(known, listed) is is_there
        assert parts_change(known, listed).is_lost is not is_there


def test_part_of_a_replica_that_is_behind_is_covered_by_the_merged_one() -> None:
    assert part(1, 2).is_covered(part(0, 4))
    assert not part(1, 2, 9).is_covered(part(0, 4)), "it was changed since"
    assert not part(0, 4).is_covered(part(0, 4))


def test_parts_are_sorted_by_their_blocks_not_their_names() -> None:
    assert in_order(["all_10_10_0", "all_9_9_0", "what"]) == ["what", "all_9_9_0", "all_10_10_0"]
