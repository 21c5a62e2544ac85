"""What comes into the table of counts, read once: by its parts (`streams.io.table_parts`)."""

from collections.abc import Collection, Iterator

from api.http.part_sums import NOTHING, CustomerNumbers, PartSums, added, read_parts
from api.http.rates import Definition
from schemas.errors import ExternalError
from streams.io.store import Store
from streams.io.table_parts import NewPart, TablePart, part_of, parts_change

TABLE = "counts"
LISTED = """
SELECT name, partition_id, min_block_number, max_block_number, rows FROM system.parts
WHERE database = currentDatabase() AND table = {table:String} AND active
"""
#: How often it is tried again when parts were merged while they were read.
TRIES = 5
#: To begin with, parts of so many rows are read; of what came since, so many sums are kept apart.
SMALL, APART = 100_000, 1_000_000


class PartsLostError(ExternalError):
    """What is new cannot be told from what was there before: rows were taken out or changed, a part is gone, or a
    large old one was merged with one that was not seen."""


class PartsChangingError(ExternalError):
    """The parts changed again and again while they were read."""


class PartsFollower:
    """Knows which parts were read. For one thread; after an error all is as it was."""

    def __init__(self, store: Store, definition: Definition, numbers: CustomerNumbers) -> None:
        """Begin with the parts that there are.

        Raises:
            StoreError: the store failed.
        """
        self._definition = definition
        self._numbers = numbers
        self.parts = listed_parts(store)
        #: Small ones are soon merged with what comes, so their sums are needed.
        small = {each.name: each for each in self.parts if each.rows <= SMALL}
        found = self._read(store, small)
        self._sums = {small[name]: sums for name, sums in found.items()}

    def look(self, store: Store) -> PartSums:
        """What is new since the last look, or since the begin.

        Raises:
            PartsLostError: begin again.
            PartsChangingError: try later.
            StoreError: the store failed.
        """
        parts, sums, new = self.parts, dict(self._sums), [NOTHING]
        for _ in range(TRIES):
            listed = listed_parts(store)
            change = parts_change(parts, listed)
            unread = [each for each in change.new if not each.is_merged]
            if change.is_lost or any(each not in sums for one in unread for each in one.before):
                raise PartsLostError("what is new in the table of counts cannot be told from what was there")
            found = self._read(store, [each.part.name for each in unread])
            there = listed
            if any(each.part.name not in found for each in unread):
                # One that is there before and after has no such rows; another was merged, and not read.
                there = listed_parts(store)
            for each in change.new:
                whole = found.get(each.part.name, NOTHING if each.part in there else None)
                if each.is_merged or whole is not None:
                    parts = parts - set(each.before) | {each.part}
                    new.append(_take_in(sums, each, whole))
            if parts >= listed:
                self.parts, self._sums = parts, _few(sums)
                return added(new)
        raise PartsChangingError(f"parts of the table of counts changed {TRIES} times while they were read")

    def holds(self, store: Store) -> bool:
        """Whether all parts that were read are there: then they were there all the while since they were read.

        Raises:
            StoreError: the store failed.
        """
        return self.parts <= listed_parts(store)

    def _read(self, store: Store, names: Collection[str]) -> dict[str, PartSums]:
        return read_parts(store, names, self._definition, self._numbers) if names else {}


def listed_parts(store: Store) -> frozenset[TablePart]:
    """The parts that a query of the table reads now.

    Raises:
        StoreError: the store failed.
    """
    return frozenset(_parts(store))


def _parts(store: Store) -> Iterator[TablePart]:
    for name, partition, first, last, rows in store.rows(LISTED, {"table": TABLE}):
        named = part_of(str(name))
        mutation = named.mutation if named is not None else 0
        yield TablePart(str(name), str(partition), int(first), int(last), int(rows), mutation)


def _take_in(sums: dict[TablePart, PartSums], new: NewPart, whole: PartSums | None) -> PartSums:
    """Keep the sums of a new part in place of those that it has in it; what it has more than those."""
    before = [sums.pop(each) for each in new.before if each in sums]
    if new.is_merged:
        if len(before) == len(new.before):
            sums[new.part] = added(before)
        return NOTHING
    assert whole is not None  # noqa: S101
    sums[new.part] = whole
    return added([whole], less=before)


def _few(sums: dict[TablePart, PartSums]) -> dict[TablePart, PartSums]:
    """Those of the smallest parts: large ones are hardly merged before what comes in meanwhile was seen."""
    found, rows = {}, 0
    for part in sorted(sums, key=lambda each: len(sums[each].keys)):
        rows += len(sums[part].keys)
        if rows > APART:
            break
        found[part] = sums[part]
    return found
