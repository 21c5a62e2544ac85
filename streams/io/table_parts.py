"""The parts of a table of ClickHouse, and which of them hold what was not read yet.

A part never changes: rows come in a new one, and several are merged into one that has the blocks of all. Its name says
which blocks: `<partition>_<first>_<last>_<level>`, and behind that the last mutation, if there was one. A block is what
one INSERT brought; all active parts together have each block once (ClickHouse documentation, "MergeTree" and
`system.parts`).

There are two ways to follow them, for two kinds of readers. `parts_change` compares what was read with all that is
listed now: where anything is gone without a part that has its blocks, or was changed, nothing counts any more. The
other is for a reader of parts one by one, who may meet those of a replica that is behind (`streams.incidents.parts`):
`all_in`, `is_covered`, `is_merged_of`. Pure.
"""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

_NAME = re.compile(r"(?P<partition>.+?)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_(?P<mutation>\d+))?")


class TablePart(NamedTuple):
    """A part with the blocks `first` to `last` of a partition; `mutation` is 0 where its rows are as they came."""

    name: str
    partition: str
    first: int
    last: int
    rows: int = 0
    mutation: int = 0

    def has(self, other: "TablePart") -> bool:
        """Whether it has all blocks of another."""
        return self.partition == other.partition and self.first <= other.first and other.last <= self.last

    def meets(self, other: "TablePart") -> bool:
        """Whether both have a block."""
        return self.partition == other.partition and self.first <= other.last and other.first <= self.last

    def has_mutations_of(self, other: "TablePart") -> bool:
        """Whether it has the last mutation of another: a part that was made after that has it without saying so."""
        return self.mutation <= other.mutation <= max(self.mutation, self.first)

    def is_merged_of(self, others: Iterable["TablePart"]) -> bool:
        """Whether it has the blocks of these and no others. A number between theirs may be a block that they have not,
        or one that never was: so it counts as a block."""
        following = self.first
        for each in sorted(others, key=_first):
            if each.first != following:
                return False
            following = each.last + 1
        return following == self.last + 1

    def is_covered(self, by: "TablePart") -> bool:
        """Whether another has all that it has, as where a replica that is behind still has it."""
        return by != self and by.has(self) and by.mutation >= self.mutation


class NewPart(NamedTuple):
    """A part that was not there before, and the parts before it whose blocks it has, in order."""

    part: TablePart
    before: tuple[TablePart, ...]

    @property
    def is_merged(self) -> bool:
        """Whether it has nothing but the blocks of those."""
        return self.part.is_merged_of(self.before)


class PartsChange(NamedTuple):
    """What is new among a table's parts; `is_lost` where rows were taken out or changed, so that nothing counts."""

    new: tuple[NewPart, ...]
    is_lost: bool


def part_of(name: str, rows: int = 0) -> TablePart | None:
    """What the name of a part says of it; None where it is no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    numbers = int(found["first"]), int(found["last"]), rows, int(found["mutation"] or 0)
    return TablePart(name, found["partition"], *numbers)


def in_order(names: Iterable[str]) -> list[str]:
    """Names of parts by their blocks."""
    return sorted(names, key=lambda name: ((part_of(name) or TablePart(name, "", 0, 0))[1:], name))


def all_in(known: Collection[TablePart], listed: Collection[TablePart]) -> bool:
    """Whether of each known part there are blocks in those listed, which are all there are."""
    there, before = set(listed), set(known)
    new = there - before
    return all(any(part.meets(each) for each in new) for part in before - there)


def parts_change(known: Collection[TablePart], listed: Collection[TablePart]) -> PartsChange:
    """What became of the parts that are known, by what is listed now."""
    there, before = set(listed), set(known)
    new = tuple(
        NewPart(part, tuple(sorted((each for each in before if part.has(each)), key=_first)))
        for part in sorted(there - before)
    )
    found = {each for one in new for each in one.before} | (before & there)
    is_changed = any(each.mutation != one.part.mutation for one in new for each in one.before)
    return PartsChange(new, is_changed or found != before)


def _first(part: TablePart) -> int:
    return part.first
