"""The parts of a table of ClickHouse that are known, by their names, and the cells of each. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from streams.incidents.hour_cells import HourCells, added_up
from streams.io.table_parts import TablePart, all_in, part_of

#: The cells of a part are kept by themselves, so that they can be taken away again, where they are no more than this.
#: Larger parts are merged seldom, and seldom with one that is not known: then everything is read anew.
SMALL = 100_000

#: The cells of a part by hour (epoch s).
ByHour = dict[int, HourCells]


class _Kept(NamedTuple):
    part: TablePart
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
        listed = [part for name in names if (part := part_of(name)) is not None]
        return all_in([each.part for each in self._known.values()], listed)

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
        parts = [kept.part for kept in met.values()]
        if any(new.is_covered(part) for part in parts):
            return True
        if new.is_merged_of(parts) and all(part.has_mutations_of(new) for part in parts):
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

    def _replace(self, gone: Iterable[str], name: str, part: TablePart, some: Sequence[ByHour | None]) -> None:
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
