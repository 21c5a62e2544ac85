"""Counting a time again from its messages, beside live traffic, and putting the result in place.

Counts of a minute come from many flushes, and live ones go on into the same minutes, so rows cannot be replaced. What
is put in place is a difference. In one reading of the table it is noted what is counted of the time, and up to which
offset of each source. The messages up to these offsets are counted again, apart. Then the difference of both is added
to the counts in one INSERT that lands in one part: whole or not at all.

Why nothing is lost or doubled: let C be what the flushes up to the noted offsets counted, and L what later ones do. The
table holds C + L at any time, however rows were merged. With the difference R - C it holds R + L: what was counted
again, and each later flush once. Where a difference is negative it is added modulo 2^64, as the engine adds. A recount
that failed or was killed before its INSERT changed nothing, and after it another one finds no difference.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.data import recount_sql as sql
from jobs.data.fault import StoredDataError
from schemas.counts import MEASURES
from schemas.times import DAY_MS, DAY_S, HOUR_MS, utc_now_ms
from streams.intake import count
from streams.intake.batch import Batch, BatchReader, NegativeEvent, SourcePartition
from streams.intake.count import counts_table
from streams.intake.flush import AS_THEY_ARE, NEGATIVE_DAYS, ONCE, ONE_BLOCK
from streams.intake.message_senders import name_senders
from streams.intake.outcomes import counted_one_by_one
from streams.intake.seen import SeenIds
from streams.intake.sent import find_sent
from streams.io.store import NumberParameter, Store

log = logging.getLogger("repmon.recount")
#: Messages that are counted together, of all sources: nobody waits for them, and each INSERT costs the engine as much
#: as thousands of its rows. One that is kept whole until then, as negative events are, takes the room of so many.
AT_ONCE, KEPT = 500_000, 20
#: Customers that the report names.
NAMED = 20


class RecountSpan(NamedTuple):
    """The minutes from `since_s` until before `until_s` (epoch s, full minutes)."""

    since_s: int
    until_s: int


class Messages(NamedTuple):
    """Messages of one source in order, and when they were sent to the broker (epoch ms). Those before the time that is
    counted again have `counts` False: they only say which ids came before."""

    source: str
    payloads: Sequence[bytes]
    offsets: Sequence[int]
    time_ms: int
    counts: bool = True


class RecountReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a recount found: by measure the sums `before` and `after`, without what came meanwhile; and the customers of
    whom anything changes, with by how much, largest first. Times are epoch ms, UTC."""

    since_ms: int
    until_ms: int
    messages: int
    bad: int
    repeated: int
    seconds: float
    before: Mapping[str, int]
    after: Mapping[str, int]
    customers: int
    largest: Mapping[str, int]
    swapped: bool


class _Waiting(NamedTuple):
    """Messages of a source that were sent in one hour (epoch hours): ids are known for so many hours. Those that do not
    count come before those that do."""

    batch: Batch
    hour: int
    counts: bool


@dataclass(slots=True)
class Counter:
    """Counts the messages of some sources into `recount_counted`, as ingest counts them."""

    store: Store
    span: RecountSpan
    readers: Mapping[str, BatchReader]
    sources: Mapping[str, SourcePartition]
    #: By source, the first offset that is read: what came before it is asked of the store.
    first: Mapping[str, int]
    #: Ids of negative events that were read, by the day.
    negatives: SeenIds
    messages: int = 0
    bad: int = 0
    repeated: int = 0
    #: By source the hour of its last messages. Hours do not go back: what came first is what counts.
    _hours: dict[str, int] = field(default_factory=dict)
    #: By source, whether its messages count, and hour.
    _batches: dict[tuple[str, bool, int], _Waiting] = field(default_factory=dict)
    _waiting: int = 0

    def take(self, some: Messages) -> None:
        """Count them.

        Raises:
            StoreError: the store failed.
        """
        source = self.sources[some.source]
        hour = self._hours[some.source] = max(some.time_ms // HOUR_MS, self._hours.get(some.source, 0))
        waiting = self._batches.get((some.source, some.counts, hour))
        if waiting is None:
            waiting = _Waiting(Batch(source, some.offsets[0], some.offsets[0]), hour, some.counts)
            self._batches[some.source, some.counts, hour] = waiting
        batch = waiting.batch
        kept = _kept(batch)
        self.readers[source.topic](batch, some.payloads, some.offsets, some.time_ms)
        self._waiting += len(some.payloads) + KEPT * (_kept(batch) - kept)
        if self._waiting >= AT_ONCE:
            self.store_all(some.time_ms)

    def store_all(self, now_ms: int) -> None:
        """Store what waits; `now_ms` is when the last of it was sent."""
        before, batches = ([each for each in self._batches.values() if each.counts is way] for way in (False, True))
        self._batches, self._waiting = {}, 0
        together = [each.batch for each in (*before, *batches)]
        if any(batch.unnamed for batch in together):
            name_senders(self.store, together, now_ms)
        for batch, hour, _ in before:
            batch.source.is_new(count.identities(batch.tally), hour)
        self._unread(before)
        negatives = self._unseen_negatives(batches, now_ms)
        if any(negatives):
            find_sent(self.store, together, negatives)
        found = [self._counted(each, kept) for each, kept in zip(batches, negatives, strict=True)]
        if rows := [each for each in found if len(each)]:
            self.store.insert_table(sql.COUNTED, joined(rows), AS_THEY_ARE)

    def _counted(self, some: _Waiting, kept: Sequence[NegativeEvent]) -> pa.Table:
        """Rows of what a batch counts of the time."""
        batch, tally = some.batch, some.batch.tally
        direct = tally.counted()
        is_new = batch.source.is_new(count.identities(tally), some.hour)
        self.messages += batch.messages
        self.bad += len(batch.dead)
        self.repeated += int(is_new.size - is_new.sum()) + len(batch.negatives) - len(kept)
        found = ((each.event, each.minute, each.classified) for each in kept)
        counted = direct.some(is_new).and_these(counted_one_by_one(tally.senders, found))
        inside = (counted.minutes * 60 >= self.span.since_s) & (counted.minutes * 60 < self.span.until_s)
        rows = counts_table(tally.senders, counted.some(inside), batch.source.name, 0, 0)
        return rows.filter(pc.not_equal(rows["dimension"], "offset")).drop_columns(["first_offset", "offsets"])

    def _unread(self, batches: Sequence[_Waiting]) -> list[dict[int, NegativeEvent]]:
        """Of each batch the negative events whose ids were not read before, by id."""
        found = []
        for batch, hour, _ in batches:
            ids = [count.identity(each.event) for each in batch.negatives]
            new = self.negatives.add(np.array(ids, np.uint64), hour * HOUR_MS // DAY_MS)
            some = zip(ids, batch.negatives, new.tolist(), strict=True)
            found.append({identity: each for identity, each, is_new in some if is_new})
        return found

    def _unseen_negatives(self, batches: Sequence[_Waiting], now_ms: int) -> list[list[NegativeEvent]]:
        unread = self._unread(batches)
        hashes = sorted({identity for some in unread for identity in some})
        if not hashes:
            return [[] for _ in batches]
        asked = {"hashes": NumberParameter(hashes), "since": max(0, now_ms // 1000 - NEGATIVE_DAYS * DAY_S)}
        known = {
            int(identity)
            for identity, source, position in self.store.rows(sql.KNOWN, asked)
            # What is read here says by itself whether it came before.
            if source not in self.first or int(position) < self.first[source]
        }
        return [[each for identity, each in some.items() if identity not in known] for some in unread]


def _kept(batch: Batch) -> int:
    """How many of its messages a batch keeps whole."""
    return len(batch.negatives) + len(batch.unnamed) + len(batch.dead)


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of all, for one INSERT. Nothing was counted in the columns that a table has not."""
    found = pa.concat_tables(tables, promote_options="default")
    for place, name in enumerate(found.column_names):
        if found[name].null_count:
            found = found.set_column(place, name, pc.fill_null(found[name], 0))
    return found


def begin(store: Store, span: RecountSpan, sources: Sequence[str]) -> dict[str, int]:
    """Note what is counted of the time, of these sources; returns the last offset that it is counted up to, by source.

    Raises:
        StoredDataError: another recount runs, or one was killed.
        StoreError: the store failed.
    """
    names = {str(name) for (name,) in store.rows("SHOW TABLES")}
    if names & {sql.BEFORE, sql.COUNTED}:
        raise StoredDataError("another recount runs; if none does, one was killed: --discard removes what it left")
    for table in (sql.BEFORE, sql.COUNTED):  # who is second at this fails, and changed nothing
        store.run(sql.CREATE.format(table=table))
    asked = {"since": span.since_s, "until": span.until_s, "sources": list(sources)}
    store.run(sql.TAKE_BEFORE, asked)
    return {str(source): int(last) for source, last in store.rows(sql.OFFSETS)}


def discard(store: Store) -> None:
    """Remove what a recount noted and counted.

    Raises:
        StoreError: the store failed.
    """
    for table in (sql.BEFORE, sql.COUNTED):
        store.run(sql.DROP.format(table=table))


def swap(store: Store) -> None:
    """Put the difference in place.

    Raises:
        StoreError: the store failed; whether it was taken another recount shows.
    """
    store.run(sql.SWAP + _settings({**ONCE, **ONE_BLOCK, "insert_deduplication_token": f"recount@{uuid4().hex}"}))


def changed_customers(store: Store) -> dict[str, int]:
    """The customers of whom anything changes, with by how much, largest first.

    Raises:
        StoreError: the store failed.
    """
    return {str(customer): int(change) for customer, change in store.rows(sql.CHANGED)}


def recount(
    store: Store, span: RecountSpan, counter: Counter, messages: Iterable[Messages], *, put_in_place: bool
) -> tuple[RecountReport, list[str]]:
    """Count the messages again; `begin` was called before. Returns the report, and the customers of whom anything
    changes.

    Raises:
        StoreError: the store failed.
    """
    began, last_ms = time.monotonic(), utc_now_ms()
    for some in messages:
        last_ms = some.time_ms
        counter.take(some)
    counter.store_all(last_ms)
    sums = {bool(before): dict(zip(MEASURES, map(int, row), strict=True)) for before, *row in store.rows(sql.TOTALS)}
    changed = changed_customers(store)
    if put_in_place and (changed or sums.get(True) != sums.get(False)):
        swap(store)
    report = RecountReport(
        since_ms=span.since_s * 1000,
        until_ms=span.until_s * 1000,
        messages=counter.messages,
        bad=counter.bad,
        repeated=counter.repeated,
        seconds=round(time.monotonic() - began, 3),
        before=_given(sums.get(True, {})),
        after=_given(sums.get(False, {})),
        customers=len(changed),
        largest=dict(list(changed.items())[:NAMED]),
        swapped=put_in_place,
    )
    return report, list(changed)


def report_lines(report: RecountReport) -> Iterator[str]:
    """The report for people."""
    yield f"{report.messages:,} messages counted again in {report.seconds:.1f} s: {report.repeated:,} repeated"
    for name in MEASURES:
        before, after = report.before.get(name, 0), report.after.get(name, 0)
        if before or after:
            yield f"  {name:<22} {before:>14,} before {after:>14,} now {after - before:>+14,}"
    yield "1 customer differs" if report.customers == 1 else f"{report.customers:,} customers differ"
    for customer, change in report.largest.items():
        yield f"  {customer}  by {change:,}"


def _given(sums: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in sums.items() if number}


def _settings(values: Mapping[str, int | str]) -> str:
    """Settings of a statement; values are ours."""
    said = ", ".join(f"{name} = {value!r}" for name, value in values.items())
    return f"SETTINGS {said}"
