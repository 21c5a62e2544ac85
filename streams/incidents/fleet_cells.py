"""What all customers met at each mailbox provider in the last seven days, kept as arrays, and brought up to date by
reading nothing but what was stored since.

A part of a table of ClickHouse never changes. A flush makes a new one, and parts that are merged become one that has
the sums of theirs; its name says which blocks it is made of (`parts`). So it is asked for the parts that are not known
yet. Where such a one has the blocks of known parts and no others, nothing is new. Else it is read, and takes the place
of those whose blocks it has. One query reads all parts that are not known, at one moment: what is kept is then exactly
what is stored, as of that query, however parts are merged meanwhile. Where blocks are gone, since a part was dropped by
hand, everything is read anew.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.counts import finished_sql
from schemas.incident import EVERYWHERE
from schemas.times import HOUR_S
from streams.incidents.accounts import CellCounts, ProviderHour
from streams.incidents.cells import candidates
from streams.incidents.detect import Outcome
from streams.incidents.hour_cells import (
    MOST_PLACES,
    NO_CELLS,
    OUTCOMES,
    PLACE_BITS,
    HourCells,
    Names,
    added_up,
    by_hour,
    expired_customers,
    failing_together,
    senders,
)
from streams.incidents.parts import ByHour, KnownParts
from streams.io.store import Store
from streams.io.table_parts import in_order

#: Hours that are kept, the one that runs included; fewer where there are more cells: each takes 32 bytes. Of other
#: hours the store is asked each time.
KEPT_H = 7 * 24
MOST_CELLS = 2_000_000
#: Read anew with fewer hours when there are so many times more.
GROWN = 1.5
#: What is known of mail soon after it was sent; who is to be asked of the others depends on later hours.
KNOWN_LATE: tuple[Outcome, ...] = ("expired",)
KNOWN_AT_ONCE = tuple(each for each in OUTCOMES if each not in KNOWN_LATE)
#: Their names are bound to a query, in an address where it is a server. One with more has other troubles.
MOST_PARTS = 1_000

#: Of a Distributed table parts of several servers have one name, and no other engine has parts.
ENGINE = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'counts'"
PARTS = "SELECT _part, count() FROM counts GROUP BY _part"
PLACES = """
SELECT DISTINCT value FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
    AND value NOT IN {places:Array(String)}
"""
#: How many cells each hour has, latest first.
SIZES = """
SELECT toUnixTimestamp(hour) AS hour, count()
FROM
(
    SELECT customer, value, toStartOfHour(bucket) AS hour FROM counts
    WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
    GROUP BY customer, value, hour
)
GROUP BY hour
ORDER BY hour DESC
"""
NEW_CELLS = f"""
SELECT _part, toUnixTimestamp(toStartOfHour(bucket)) AS hour,
    bitOr(bitShiftLeft(cityHash64(customer), {PLACE_BITS}),
        toUInt64(transform(toString(value), {{places:Array(String)}}, {{numbers:Array(UInt16)}}, 0))) AS name,
    sum(hard), sum(block), sum(expired), sum(complained), toInt64({finished_sql("sum({})")}), sum(delivered)
FROM counts
WHERE dimension = 'provider' AND bucket >= toDateTime({{since:UInt32}}) AND _part NOT IN {{known:Array(String)}}
GROUP BY _part, customer, value, hour
"""  # noqa: S608 - made of texts of this project only


class FleetCells:
    """Keeps the cells of all customers, and knows the provider-hours in which they may fail together. One thread at a
    time."""

    def __init__(self, store: Store, most: int = MOST_CELLS) -> None:
        self._store = store
        self._most = most
        self._places: list[str] = []
        self.forget()

    def forget(self) -> None:
        """Read everything anew."""
        self._parts = KnownParts()
        #: The names of all parts there were when they were last asked for.
        self._listed: frozenset[str] = frozenset()
        self._cells: ByHour = {}
        #: The first hour (epoch s) that is kept; None before anything is read.
        self._since: int | None = None
        self._usual: Mapping[str, CellCounts] = {}
        #: What was found of an hour, until something of it changes.
        self._found: dict[int, frozenset[str]] = {}
        #: The customers some of whose mail expired, by their hashes, with the last hour of such; None: to be made anew.
        self._last_expired: tuple[Names, NDArray[np.int64]] | None = None

    def candidates(self, hours: Collection[int], usual: Mapping[str, CellCounts], now_s: int) -> set[ProviderHour]:
        """The provider-hours of some hours (epoch s) in which customers may fail together, as of now: what was stored
        before is in it. `*` stands for all mail.

        Raises:
            StoreError: the store failed.
        """
        self.refresh(now_s)
        if usual is not self._usual:
            self._usual = usual
            self._found.clear()
        kept = {hour for hour in hours if self._since is not None and hour >= self._since}
        for hour in kept - self._found.keys():
            cells = self._cells.get(hour, NO_CELLS)
            self._found[hour] = failing_together(cells, self._places, usual, KNOWN_AT_ONCE)
        found = {(place, hour) for hour in kept for place in self._found[hour]}
        for hour in kept:
            cells, told = self._cells.get(hour, NO_CELLS), partial(self._told, hour)
            found |= {(place, hour) for place in failing_together(cells, self._places, usual, KNOWN_LATE, told)}
        if others := set(hours) - kept:
            found |= candidates(self._store, others, usual)
        return found

    def senders(self, place: str, hour: int, least: int) -> int:
        """How many customers had `least` finished recipients or more at one place (`*`: everywhere) in an hour (epoch
        s), as of the last look; 0 where that is not kept."""
        cells = self._cells.get(hour, NO_CELLS)
        if place == EVERYWHERE:
            return senders(cells, 0, least)
        return senders(cells, self._places.index(place) + 1, least) if place in self._places else 0

    def _told(self, hour: int, customers: Names) -> NDArray[np.bool_]:
        """Whether some mail of customers, by their hashes, that was sent in an hour (epoch s) or later has expired."""
        if self._last_expired is None:
            several = [(hour, expired_customers(cells)) for hour, cells in sorted(self._cells.items())]
            names = np.concatenate([each for _, each in several])
            hours = np.repeat(np.array([each for each, _ in several], np.int64), [len(each) for _, each in several])
            # Turned round, so that the last hour is met first.
            known, first = np.unique(names[::-1], return_index=True)
            self._last_expired = known, hours[::-1][first]
        known, last = self._last_expired
        at = np.minimum(np.searchsorted(known, customers), max(len(known) - 1, 0))
        if not len(known):
            return np.zeros(len(customers), np.bool_)
        return np.asarray((known[at] == customers) & (last[at] >= hour), np.bool_)

    def state(self, hour: int) -> object | None:
        """What stands for all that is counted in an hour (epoch s), as of the last `refresh`: another object once
        anything comes to it. None where the hour is not kept."""
        return self._cells.get(hour, NO_CELLS) if self._since is not None and hour >= self._since else None

    def counted(self) -> frozenset[str] | None:
        """What stands for all that is counted, of whatever dimension, as of the last `refresh`: the parts that have it.
        None where these are not known."""
        return self._listed if self._since is not None else None

    def refresh(self, now_s: int) -> None:
        """Read what is not known, as of now (epoch s).

        Raises:
            StoreError: the store failed.
        """
        since = max(0, (now_s // HOUR_S - KEPT_H + 1) * HOUR_S)
        if self._since is None or not self._read_new(max(since, self._since)):
            self.forget()
            self._read_all(since)

    def _read_all(self, since: int) -> None:
        engines = [str(engine) for (engine,) in self._store.rows(ENGINE)]
        parts = self._store.rows(PARTS)
        if len(parts) > MOST_PARTS or not all(engine.endswith("MergeTree") for engine in engines):
            return
        first: int | None = since
        if sum(int(count) for _, count in parts) > self._most:
            first = self._first_kept(since)
        if first is None:
            return
        if not self._places:
            self._learn_places(first)
        self._since = first
        self._listed = frozenset(str(name) for name, _ in parts)
        if not self._read(first, ()):
            self.forget()

    def _first_kept(self, since: int) -> int | None:
        """The first hour (epoch s) since which there are no more cells than may be kept."""
        first, left = None, self._most
        for hour, count in self._store.rows(SIZES, {"since": since}):
            left -= int(count)
            if left < 0:
                return first
            first = int(hour)
        return since

    def _read_new(self, since: int) -> bool:
        """Whether what is kept could be brought up to date."""
        names = [str(name) for name, _ in self._store.rows(PARTS)]
        if len(names) > MOST_PARTS or not self._parts.all_in(names):
            return False
        unknown = [name for name in in_order(names) if not self._parts.is_known(name)]
        for hour in [hour for hour in self._cells if hour < since]:
            del self._cells[hour]
            self._found.pop(hour, None)
        self._since = since
        self._listed = frozenset(names)
        if self._parts.lost or (unknown and not self._read(since, unknown)):
            return False
        return sum(len(each.names) for each in self._cells.values()) <= GROWN * self._most

    def _read(self, since: int, listed: Collection[str]) -> bool:
        """Read the parts that are not known; whether that could be. Of those that were `listed` nothing is kept, where
        nothing is read."""
        read = self._new_cells(since)
        if read is None:
            return False
        changes: dict[int, list[HourCells]] = defaultdict(list)
        for name in in_order({*read, *listed}):
            for part in self._parts.take(name, read.get(name, {})):
                for hour, cells in part.items():
                    if hour >= since:
                        changes[hour].append(cells)
        for hour, several in changes.items():
            change = several[0] if len(several) == 1 else added_up(several)
            if len(change.names):
                self._cells[hour] = self._cells.get(hour, NO_CELLS).plus(change)
                self._found.pop(hour, None)
                self._last_expired = None
        return not self._parts.lost

    def _new_cells(self, since: int) -> dict[str, ByHour] | None:
        """By part; None where there are too many providers."""
        known = self._parts.names
        found = self._asked_cells(since, known)
        if found is None:
            self._learn_places(since)
            found = self._asked_cells(since, known) if len(self._places) <= MOST_PLACES else None
        return found

    def _learn_places(self, since: int) -> None:
        new = self._store.rows(PLACES, {"since": since, "places": self._places})
        self._places += sorted(str(value) for (value,) in new)

    def _asked_cells(self, since: int, known: list[str]) -> dict[str, ByHour] | None:
        """What the store says, by part; None where it names a provider that is not known."""
        numbers = list(range(1, len(self._places) + 1))
        asked = {"since": since, "places": self._places, "numbers": numbers, "known": known}
        pieces: dict[str, list[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int32]]]] = defaultdict(list)
        is_complete = True
        for parts, hours, names, *counts in self._store.blocks(NEW_CELLS, asked):
            is_complete = is_complete and bool((names & np.uint64(MOST_PLACES)).all())
            if is_complete:
                for part, rows in _by_part(parts):
                    some = np.array([each[rows] for each in counts], np.int32)
                    pieces[part].append((hours[rows].astype(np.int64), names[rows], some))
        if not is_complete:
            return None
        found = {}
        for part, several in pieces.items():
            all_hours, all_names, all_counts = zip(*several, strict=True)
            found[part] = by_hour(
                np.concatenate(all_hours), np.concatenate(all_names), np.concatenate(all_counts, axis=1)
            )
        return found


def _by_part(parts: NDArray[Any]) -> list[tuple[str, NDArray[np.intp]]]:
    """The names of parts, and the rows of each."""
    names = parts.tolist()
    numbers = {name: place for place, name in enumerate(set(names))}
    codes = np.fromiter(map(numbers.__getitem__, names), np.intp, len(names))
    return [(str(name), np.flatnonzero(codes == number)) for name, number in numbers.items()]
