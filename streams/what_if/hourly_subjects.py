"""Numbers of streams by the hour, laid out as counts of subjects: customers, streams, sub-accounts and classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from schemas.counts import FINISHED
from schemas.policy import Policy
from schemas.policy_metric import SPIKE, window_ms
from schemas.scope import CLASS_PREFIX, SHARED
from schemas.times import HOUR_MS, HOUR_S
from streams.judge.spikes import FIRST_H
from streams.subjects import undated
from streams.subjects.arrays import FIELD_INDEX, FIELDS, Counts, Layout, StreamKey
from streams.subjects.total_queries import OF_FBL
from streams.what_if.each_rule import lengths_of
from streams.windows.pool_queries import HISTORY

#: The measures that rates are made of.
MEASURED = (*FINISHED, "unsubscribed", "undated_hard", "undated_block", "undated_unsubscribed")
READ = (*MEASURED, *(f"fbl_{name}" for name in OF_FBL))


@dataclass(frozen=True, slots=True)
class Extent:
    """What is read and judged: hours from `start_s` to `end_s` (epoch s), judged from the end of hour `first` on."""

    start_s: int
    end_s: int
    first: int

    @classmethod
    def of(cls, policies: Sequence[Policy], since_ms: int, now_ms: int) -> "Extent":
        """From the first full hour at or after `since_ms` to the last one by `now_ms`, with the windows before it."""
        longest = max(
            ceil(undated.longer(window_ms(window), lengths_of(policy)) / HOUR_MS)
            for policy in policies
            for rule in policy.rules
            for window in rule.reads
        )
        if any(rule.metric == SPIKE for policy in policies for rule in policy.rules):
            longest = max(longest, FIRST_H)
        if any(kind in policy.scopes for policy in policies for kind in SHARED):
            longest = max(longest, window_ms(HISTORY) // HOUR_MS)
        end = now_ms // 1000 // HOUR_S * HOUR_S
        begin = min(-(-since_ms // 1000 // HOUR_S) * HOUR_S, end)
        start = max(0, begin - longest * HOUR_S)
        return cls(start, end, (begin - start) // HOUR_S)

    @property
    def hours(self) -> int:
        """How many hours are read."""
        return (self.end_s - self.start_s) // HOUR_S


class HourlyRows(NamedTuple):
    """Counts of streams by the hour: the streams, and for each of them the hours (epoch s) and the numbers of each of
    `READ`, and how many rows."""

    keys: list[StreamKey]
    columns: list[list[Any]]


@dataclass(frozen=True, slots=True)
class HourlySubjects:
    """Who the subjects are: customers, their streams where they have several, sub-accounts, classes."""

    who: Layout
    keys: Sequence[StreamKey]
    customers: Sequence[str]
    scopes: Sequence[str]
    accounts: Sequence[Sequence[int]]
    extent: Extent

    def filled(self, rows: HourlyRows, fields: Sequence[str]) -> tuple[Counts, Counts]:
        """The counts of all subjects but classes, and how many rows each has by the hour."""
        # Field by field in memory: a rate is made of few, and those that are never written take no room.
        counts = np.moveaxis(np.zeros((len(FIELDS), len(self.customers), self.extent.hours), np.int64), 0, -1)
        seen = np.zeros((len(self.customers), self.extent.hours), np.int64)
        if rows.keys:
            row_of = {key: row for row, key in enumerate(self.keys)}
            hours, *values, many = map(np.concatenate, rows.columns)
            at = np.repeat([row_of[key] for key in rows.keys], list(map(len, rows.columns[0])))
            for name, numbers in zip(fields, values, strict=True):
                self._spread(counts[..., FIELD_INDEX[name]], at, self._place(hours), numbers)
            self._spread(seen, at, self._place(hours), many)
        return counts, seen

    def add_class(self, counts: Counts, seen: Counts, rows: HourlyRows, name: str) -> None:
        """Fill in one class of each customer that is one of the subjects."""
        place_of = {
            customer: place
            for place, (customer, scope) in enumerate(zip(self.customers, self.scopes, strict=True))
            if scope == f"{CLASS_PREFIX}{name}"
        }
        for row, (customer, _) in enumerate(rows.keys):
            if (place := place_of.get(customer)) is not None:
                hours, *values, many = (column[row] for column in rows.columns)
                at = self._place(hours)
                for field, numbers in zip(READ, values, strict=True):
                    counts[place, at, FIELD_INDEX[field]] += numbers.astype(np.int64)
                seen[place, at] += many.astype(np.int64)

    def fill(self, counts: Counts, rows: Sequence[Sequence[Any]], fields: Sequence[str]) -> None:
        """Put numbers of streams (customer, stream, hour in epoch s, a number for each field) into the counts."""
        row_of = {key: row for row, key in enumerate(self.keys)}
        found = [(row_of[each[0], each[1]], *each[2:]) for each in rows if (each[0], each[1]) in row_of]
        if found:
            at, hours, *numbers = np.array(found, np.int64).T
            for name, each in zip(fields, numbers, strict=True):
                self._spread(counts[..., FIELD_INDEX[name]], at, self._place(hours), each)

    def _spread(self, into: Counts, at: Counts, hours: Counts, numbers: Counts) -> None:
        """Numbers of streams, `at` a stream and an hour each, summed up for each subject."""
        who = self.who
        streams = np.zeros((len(self.keys), self.extent.hours), np.int64)
        streams[at, hours] = numbers
        many, all_of = len(who.starts), len(who.customers)
        into[:many] = np.add.reduceat(streams, who.starts, axis=0)
        into[many:all_of] = streams[who.several]
        for place, its in enumerate(self.accounts, all_of):
            into[place] = into[its].sum(axis=0)

    def _place(self, hours: Any) -> Counts:
        found: Counts = (hours.astype(np.int64) - self.extent.start_s) // HOUR_S
        return found
