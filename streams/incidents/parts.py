"""The parts of a table of ClickHouse that are known, by their names, and what each has. Pure.

A name says which blocks a part is made of: `<partition>_<first>_<last>_<level>`, and behind that the last mutation, if
there was one. A block is what one INSERT brought; all active parts together have each block once.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from streams.incidents.hour_cells import HourCells, added_up

#: The cells of a part are kept by themselves, so that they can be taken away again, where they are no more than this.
#: Larger parts are merged seldom, and seldom with one that is not known: then everything is read anew.
SMALL = 100_000

_NAME = re.compile(r"(?P<partition>.+?)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_(?P<mutation>\d+))?")

#: The cells of a part by hour (epoch s).
ByHour = dict[int, HourCells]


class Part(NamedTuple):
    """The blocks of a part, and the last mutation that it has."""

    partition: str
    first: int
    last: int
    mutation: int = 0

    def has(self, other: "Part") -> bool:
        """Whether all blocks of another are in this one."""
        return self.partition == other.partition and self.first <= other.first and other.last <= self.last

    def has_mutations_of(self, other: "Part") -> bool:
        """Whether it has the last mutation of another: a part that was made after that has it without saying so."""
        return self.mutation <= other.mutation <= max(self.mutation, self.first)

    def meets(self, other: "Part") -> bool:
        """Whether both have a block."""
        return self.partition == other.partition and self.first <= other.last and other.first <= self.last


def part_of(name: str) -> Part | None:
    """What the name of a part says of it; None where it is no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Part(found["partition"], int(found["first"]), int(found["last"]), int(found["mutation"] or 0))


def in_order(names: Iterable[str]) -> list[str]:
    """Names of parts by their blocks."""
    return sorted(names, key=lambda name: (part_of(name) or Part("", 0, 0), name))


class _Kept(NamedTuple):
    part: Part
    #: None where there are too many to be kept by themselves.
    cells: ByHour | None


class KnownParts:
    """The parts whose cells are in what is kept."""

    def __init__(self) -> None:
        self._known: dict[str, _Kept] = {}
        #: Whether what is stored does not follow from what is known, so that everything is to be read anew.
        self.lost = False

    @property
    def names(self) -> list[str]:
        """Theirs, sorted."""
        return sorted(self._known)

    def all_in(self, names: Collection[str]) -> bool:
        """Whether of each known part there are blocks in these parts, which are all there are."""
        there = set(names)
        gone = [each.part for name, each in self._known.items() if name not in there]
        new = [part for name in there - self._known.keys() if (part := part_of(name)) is not None]
        return all(any(part.meets(each) for each in new) for part in gone)

    def is_known(self, name: str) -> bool:
        """Whether all that a part has is known. It takes the place of those that it was merged of.

        A replica that is behind has parts whose blocks are in a known one.
        """
        new = part_of(name)
        if new is None or self.lost:
            self.lost = True
            return False
        if name in self._known:
            return True
        met = {each: kept for each, kept in self._known.items() if kept.part.meets(new)}
        if any(part.has(new) and part.mutation >= new.mutation and part != new for part, _ in met.values()):
            return True
        is_whole = sum(part.last - part.first + 1 for part, _ in met.values()) == new.last - new.first + 1
        if is_whole and all(new.has(part) and part.has_mutations_of(new) for part, _ in met.values()):
            self._replace(met, name, new, [cells for _, cells in met.values()])
            return True
        # What is not kept by itself cannot be taken away.
        self.lost = any(cells is None or not new.has(part) for part, cells in met.values())
        return False

    def take(self, name: str, cells: ByHour) -> list[ByHour]:
        """Know a part from now on; returns what is to be added to the sums."""
        new = part_of(name)
        if self.is_known(name) or self.lost or new is None:
            return []
        within = {each: kept.cells for each, kept in self._known.items() if kept.part.meets(new)}
        gone = [{hour: each.minus() for hour, each in known.items()} for known in within.values() if known]
        self._replace(within, name, new, [cells])
        return [cells, *gone]

    def _replace(self, gone: Iterable[str], name: str, part: Part, some: Sequence[ByHour | None]) -> None:
        for each in gone:
            del self._known[each]
        several = [each for each in some if each is not None]
        count = sum(len(cells.names) for each in several for cells in each.values())
        is_kept = len(several) == len(some) and count <= SMALL
        self._known[name] = _Kept(part, _together(several) if is_kept else None)


def _together(several: Sequence[ByHour]) -> ByHour:
    by_hour: dict[int, list[HourCells]] = defaultdict(list)
    for each in several:
        for hour, cells in each.items():
            by_hour[hour].append(cells)
    return {hour: some[0] if len(some) == 1 else added_up(some) for hour, some in by_hour.items()}
