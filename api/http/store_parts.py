"""Which of a table's parts hold what was not read yet. A part never changes: rows come in a new one, and several are
merged into one that has the blocks of all (ClickHouse documentation, "MergeTree", and `system.parts`). Only
`listed_parts` asks the store.
"""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from streams.io.store import Store

LISTED = """
SELECT name, partition_id, min_block_number, max_block_number, rows FROM system.parts
WHERE database = currentDatabase() AND table = {table:String} AND active
"""
#: Partition, first and last block, level, and the mutation that it has been through, if any.
_NAME = re.compile(r".+_[0-9]+_[0-9]+_[0-9]+_(?P<mutation>[0-9]+)")


class StorePart(NamedTuple):
    """A part with the blocks `first` to `last` of a partition; `mutation` is 0 where its rows are as they came."""

    name: str
    partition: str
    first: int
    last: int
    rows: int = 0

    @property
    def mutation(self) -> int:
        """The number of the last change to its rows."""
        found = _NAME.fullmatch(self.name)
        return int(found["mutation"]) if found else 0

    def has(self, other: "StorePart") -> bool:
        """Whether it has all blocks of another."""
        return self.partition == other.partition and self.first <= other.first and other.last <= self.last


class NewPart(NamedTuple):
    """A part that was not there before, and the parts before it whose blocks it has, in order."""

    part: StorePart
    before: tuple[StorePart, ...]

    @property
    def is_merged(self) -> bool:
        """Whether it has nothing but the blocks of those. A number between them may be a block that they have not, or
        one that never was: so it counts as a block."""
        following = self.part.first
        for each in self.before:
            if each.first != following:
                return False
            following = each.last + 1
        return following == self.part.last + 1


class PartsChange(NamedTuple):
    """What is new among a table's parts; `is_lost` where rows were taken out or changed, so that nothing counts."""

    new: tuple[NewPart, ...]
    is_lost: bool


def parts_change(known: Collection[StorePart], listed: Collection[StorePart]) -> PartsChange:
    """What became of the parts that are known, by what is listed now."""
    there, before = set(listed), set(known)
    new = tuple(
        NewPart(part, tuple(sorted((each for each in before if part.has(each)), key=lambda each: each.first)))
        for part in sorted(there - before)
    )
    found = {each for one in new for each in one.before} | (before & there)
    is_changed = any(each.mutation != one.part.mutation for one in new for each in one.before)
    return PartsChange(new, is_changed or found != before)


def listed_parts(store: Store, table: str) -> frozenset[StorePart]:
    """The parts that a query of the table reads now.

    Raises:
        StoreError: the store failed.
    """
    return frozenset(_parts(store, table))


def _parts(store: Store, table: str) -> Iterator[StorePart]:
    for name, partition, first, last, rows in store.rows(LISTED, {"table": table}):
        yield StorePart(str(name), str(partition), int(first), int(last), int(rows))
