"""Subjects as arrays: what was counted for many customers and streams over several windows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import ne
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.counts import SubjectCounts, VolumeBaseline, WindowCounts
from schemas.listing import WEIGHTS
from schemas.scope import CUSTOMER, STREAM_PREFIX
from schemas.times import DAY_S

#: The last axis of every array of counts.
FIELDS: tuple[str, ...] = WindowCounts.__struct_fields__
FIELD_INDEX = {name: place for place, name in enumerate(FIELDS)}
#: The fields of a customer's own listings, by the weight of the list: how many, and for how many seconds.
LISTINGS_OF = {weight: FIELD_INDEX[f"listings_{weight}"] for weight in WEIGHTS}
LISTED_S_OF = {weight: FIELD_INDEX[f"listed_s_{weight}"] for weight in WEIGHTS}

#: Mail of before a fresh start.
BEFORE = ("before_finished", "before_delivered", "before_fbl_delivered")
#: Outcomes of mail of an unknown time.
_UNDATED = [place for name, place in FIELD_INDEX.items() if name.startswith(("undated_", "fbl_undated_"))]

Counts = NDArray[np.int64]
#: Customer and stream.
StreamKey = tuple[str, str]
#: Windows up to this length (s) begin at a minute.
SHORT_S = DAY_S


@dataclass(frozen=True, slots=True)
class Totals:
    """What streams have over some windows: `counts` has the axes key, window, field (see `no_counts`)."""

    keys: list[StreamKey]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Subjects:
    """Who is judged, and by what: `counts` has the axes subject, window, field.

    `baselines` are by the place of a subject; hardly anybody has one. `by_provider` has the counts of mail to groups
    of mailbox providers alone, with the same axes.
    """

    customers: list[str]
    scopes: list[str]
    windows: tuple[str, ...]
    counts: Counts
    baselines: Mapping[int, VolumeBaseline] = field(default_factory=dict)
    by_provider: Mapping[tuple[str, ...], Counts] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.customers)

    def of_scopes(self, kinds: Sequence[str]) -> "Subjects":
        """Only those whose scopes are of these kinds."""
        if {scope.partition(":")[0] for scope in set(self.scopes)} <= set(kinds):
            return self
        return self.at([row for row, scope in enumerate(self.scopes) if scope.partition(":")[0] in kinds])

    def at(self, rows: Sequence[int]) -> "Subjects":
        """Only those at these places."""
        return Subjects(
            [self.customers[row] for row in rows],
            [self.scopes[row] for row in rows],
            self.windows,
            self.counts[rows],
            {place: self.baselines[row] for place, row in enumerate(rows) if row in self.baselines},
            {group: counts[rows] for group, counts in self.by_provider.items()},
        )

    @property
    def undated(self) -> bool:
        """Whether any outcome is of mail of an unknown time."""
        return any(map(has_undated, (self.counts, *self.by_provider.values())))

    def first(self, windows: int) -> "Subjects":
        """With so many of their windows only."""
        return replace(
            self,
            windows=self.windows[:windows],
            counts=self.counts[:, :windows],
            by_provider={group: counts[:, :windows] for group, counts in self.by_provider.items()},
        )

    def one(self, place: int) -> SubjectCounts:
        """A subject by itself, as it is judged."""
        return self.each([place])[0]

    def each(self, places: Sequence[int]) -> list[SubjectCounts]:
        """Subjects by themselves; many together cost much less than one after the other."""
        counts = _by_window(self.windows, self.counts[places])
        of_groups = {group: _by_window(self.windows, some[places]) for group, some in self.by_provider.items()}
        return [
            SubjectCounts(
                customer=self.customers[place],
                scope=self.scopes[place],
                windows=windows,
                baseline=self.baselines.get(place),
                by_provider={group: some[row] for group, some in of_groups.items()},
            )
            for row, (place, windows) in enumerate(zip(places, counts, strict=True))
        ]

    def mail_to(self, providers: tuple[str, ...]) -> Counts:
        """The counts of mail to a group of mailbox providers; without any, of all mail."""
        return self.by_provider.get(providers, np.zeros_like(self.counts)) if providers else self.counts


def _by_window(windows: Sequence[str], counts: Counts) -> list[dict[str, WindowCounts]]:
    """Of each subject, the counts by the names of windows."""
    fields = filled(counts)
    names = [FIELDS[each] for each in fields]
    return [
        {name: WindowCounts(**dict(zip(names, row, strict=True))) for name, row in zip(windows, rows, strict=True)}
        for rows in counts[..., fields].tolist()
    ]


def no_counts(rows: int, windows: int) -> Counts:
    """Zeros with the axes row, window, field. In memory the fields come first: nearly all work is on one field of all
    rows, and most fields of most fleets are never touched."""
    return np.zeros((len(FIELDS), windows, rows), np.int64).transpose(2, 1, 0)


def filled(counts: Counts) -> list[int]:
    """The fields that are not zero everywhere."""
    return [each for each in range(len(FIELDS)) if np.count_nonzero(counts[..., each])]


def has_undated(counts: Counts) -> bool:
    """Whether any outcome is of mail of an unknown time; the last axis is that of fields."""
    return any(np.count_nonzero(counts[..., each]) for each in _UNDATED)


def merged(parts: Sequence[Totals], places: Sequence[Sequence[int]], windows: int) -> Totals:
    """Totals of different windows put together: the windows of each part go to its `places`.

    A stream that one part lacks has zeros there. Keys are sorted, and come out sorted.
    """
    # Mostly the part with the longest windows has all.
    known = max((part.keys for part in parts), key=len, default=[])
    row_of = {key: row for row, key in enumerate(known)}
    if not all(map(row_of.__contains__, chain.from_iterable(part.keys for part in parts if part.keys is not known))):
        # The parts are sorted, so sorting them together is one pass.
        known = list(dict.fromkeys(sorted(chain.from_iterable(part.keys for part in parts))))
        row_of = {key: row for row, key in enumerate(known)}
    counts = no_counts(len(known), windows)
    for part, columns in zip(parts, places, strict=True):
        if not part.keys:
            continue
        rows = slice(None) if part.keys == known else np.array(list(map(row_of.__getitem__, part.keys)), np.intp)
        for each in filled(part.counts):
            for place, column in enumerate(columns):
                counts[rows, column, each] = part.counts[:, place, each]
    return Totals(known, counts)


class Layout(NamedTuple):
    """Who the subjects of some streams are: first the customers, then the streams of customers that have several.

    `starts` are the places of the customers' first streams, `several` those of the streams.
    """

    customers: list[str]
    scopes: list[str]
    starts: NDArray[np.intp]
    several: list[int]


def layout(keys: Sequence[StreamKey]) -> Layout:
    """The subjects of streams; `keys` are sorted."""
    customers = [key[0] for key in keys]
    starts = np.flatnonzero([True, *map(ne, customers[1:], customers)][: len(keys)])
    sizes = np.diff(starts, append=len(keys))
    several = np.flatnonzero(np.repeat(sizes > 1, sizes)).tolist()
    return Layout(
        customers=[customers[start] for start in starts.tolist()] + [customers[row] for row in several],
        scopes=[CUSTOMER] * len(starts) + [STREAM_PREFIX + keys[row][1] for row in several],
        starts=starts,
        several=several,
    )


def subjects(totals: Totals, windows: tuple[str, ...]) -> Subjects:
    """Each customer with all of its streams together, and each stream of customers that have several.

    The keys of `totals` are sorted.
    """
    if not totals.keys:
        return Subjects([], [], windows, totals.counts)
    customers, scopes, starts, several = layout(totals.keys)
    counts, places = no_counts(len(customers), len(windows)), np.array(several, np.intp)
    for each in filled(totals.counts):
        # All windows at once, along the axis that lies together in memory.
        columns = totals.counts[:, :, each].T
        counts[: len(starts), :, each] = np.add.reduceat(columns, starts, axis=1).T
        counts[len(starts) :, :, each] = columns[:, places].T
    return Subjects(customers, scopes, windows, counts)


def is_long(window_ms: int) -> bool:
    """Whether a window begins at a full hour, so that it is read from the hourly projection."""
    return window_ms // 1000 > SHORT_S
