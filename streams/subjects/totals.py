"""What streams have over sliding windows, read from the counts: one query for all windows of a kind.

`CachedTotals` has short windows as they are now, and long ones as they were at most a minute ago. Held are at most so
many customers, those longest unused go first. A customer's entry is one run of bytes for all of its streams, since
Python objects would take several times the memory.

When many are read together for the first time, as at the start of a monitor, they are kept for different times, and
from then on each is read at times of its own, `keep_ms` apart. So they do not all have to be read together again. Those
that do have neighbouring names, hence lie together in the table, which is many times cheaper to read than all over it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from schemas.counts import FINISHED, MEASURES
from schemas.incident import EVERYWHERE
from schemas.times import HOUR_S, MINUTE_S
from streams.io.store import Store, portions
from streams.subjects import fresh_starts
from streams.subjects.arrays import BEFORE, FIELD_INDEX, Counts, StreamKey, Totals, filled, is_long, merged, no_counts
from streams.subjects.fresh_starts import Since
from streams.subjects.left_out import BOUND, MOST_BOUND, NOT_LEFT_OUT, KnownLeftOut
from streams.subjects.stored_fresh_starts import read_since
from streams.subjects.total_queries import (
    ANEW_TOTALS,
    IS_FBL,
    JUDGED,
    LONG_TOTALS,
    MAIL_TO,
    OF_CLASS,
    OF_FBL,
    OF_STREAM,
    READ,
    SHORT_TOTALS,
    UNTIL,
)


def read_totals(
    store: Store,
    customers: Sequence[str],
    windows_ms: Sequence[int],
    fbl: Sequence[str],
    now_ms: int,
    mail_to: Sequence[str] = (),
    until_s: int | None = None,
    *,
    by_class: bool = False,
    left_out: KnownLeftOut = None,
    since: Since | None = None,
) -> Totals:
    """The totals of customers (sorted) over windows that end now, all of them short or all of them long.

    With `mail_to` only mail to these mailbox providers counts. With `by_class` each class of mail stands in place of a
    stream. With `until_s` (epoch s) what lies at or behind it is left out; then minutes are read, which is for few
    customers, and windows may be of any length. Mail of incidents is left out; `left_out` says which, where that is
    known. `since` are the fresh starts of customers; without it they are looked for. A stream without any count is
    absent. The keys come out sorted.

    Raises:
        StoreError: the store failed.
    """
    order = longest_first(windows_ms)
    begins = {f"since_{place}": begin(windows_ms[window], now_ms) for place, window in enumerate(order)}
    wanted = ((MAIL_TO, mail_to), (UNTIL, until_s is not None), (JUDGED, may_leave_out(left_out)))
    only = " ".join(part for part, given in wanted if given)
    whose = OF_CLASS if by_class else OF_STREAM
    asked = {"fbl": list(fbl), "mail_to": list(mail_to), "until": until_s or 0, **begins}
    only, given = bound(only, asked, left_out)
    asked = dict(given)
    if since is None:
        since = read_since(store, now_ms, begins["since_0"])
    if since and (anew := fresh_starts.among(since, customers)):
        others = [each for each in customers if each not in anew]
        asked |= fresh_starts.parameters(anew)
        parts = [_read_anew(store, sorted(anew), order, asked, only, whose)]
        if others:
            parts.append(
                read_totals(
                    store,
                    others,
                    windows_ms,
                    fbl,
                    now_ms,
                    mail_to,
                    until_s,
                    by_class=by_class,
                    left_out=left_out,
                    since={},
                )
            )
        return merged(parts, [range(len(order))] * len(parts), len(order))
    sql = _sql(len(order), "long" if until_s is None and is_long(windows_ms[0]) else "short", only, whose)
    return _read(store, sql, customers, order, asked)


def _read(store: Store, sql: str, customers: Sequence[str], order: Sequence[int], asked: Mapping[str, Any]) -> Totals:
    """Totals by parts of the time: what is in one is in its window, and in those longer."""
    columns = _columns(store, sql, customers, asked)
    if not columns:
        return Totals([], no_counts(0, len(order)))
    names, streams, parts, *measures = columns
    keys, rows = _numbered(customers, names.tolist(), streams.tolist())
    counts = no_counts(len(keys), len(order))
    for field, column in enumerate(measures):
        _fill(counts, field, order, parts, rows, column)
    return Totals(keys, counts)


def _columns(store: Store, sql: str, customers: Sequence[str], asked: Mapping[str, Any]) -> list[NDArray[Any]]:
    """What a query says of all customers, by column; nothing where it says nothing."""
    blocks = [block for part in portions(store, customers) for block in store.blocks(sql, {"customers": part, **asked})]
    return [np.concatenate(column) for column in zip(*blocks, strict=True)]


def _fill(
    counts: Counts, field: int, order: Sequence[int], parts: NDArray[Any], rows: NDArray[np.intp], column: NDArray[Any]
) -> None:
    """Fill in a field from its numbers by the part of the time and the row they are of."""
    if not column.any():
        return
    by_window = np.zeros((len(order), len(counts)), np.int64)
    by_window[parts, rows] = column
    for shorter in range(len(order) - 1, 0, -1):
        by_window[shorter - 1] += by_window[shorter]
    for place, window in enumerate(order):
        counts[:, window, field] = by_window[place]


def _numbered(
    customers: Sequence[str], names: Sequence[str], streams: Sequence[str]
) -> tuple[list[StreamKey], NDArray[np.intp]]:
    """The sorted keys of rows with the names of customers (all of those are in `customers`, sorted) and of streams, and
    the place of each row's own. By numbers, since sorting pairs of text takes as long as the query."""
    kinds = sorted(set(streams))
    customer_of = {name: place for place, name in enumerate(customers)}
    kind_of = {name: place for place, name in enumerate(kinds)}
    codes = np.array(list(map(customer_of.__getitem__, names)), np.intp) * len(kinds)
    codes += np.array(list(map(kind_of.__getitem__, streams)), np.intp)
    found, rows = np.unique(codes, return_inverse=True)
    whose, which = (each.tolist() for each in np.divmod(found, max(1, len(kinds))))
    return [(customers[one], kinds[kind]) for one, kind in zip(whose, which, strict=True)], rows


def _read_anew(
    store: Store, customers: Sequence[str], order: Sequence[int], asked: Mapping[str, Any], only: str, whose: str
) -> Totals:
    """Totals of customers with a fresh start, and what they had before it."""
    columns = _columns(store, _sql(len(order), "anew", only, whose), customers, asked)
    if not columns:
        return Totals([], no_counts(0, len(order)))
    names, streams, parts, before, *measures = columns
    keys, rows = _numbered(customers, names.tolist(), streams.tolist())
    counts = no_counts(len(keys), len(order))
    old, anew = np.flatnonzero(before), np.flatnonzero(before == 0)
    of = {name: column.astype(np.int64) for name, column in zip(READ, measures, strict=True)}
    for name, column in of.items():
        _fill(counts, FIELD_INDEX[name], order, parts[anew], rows[anew], column[anew])
    finished = np.sum([sign * of[name] for name, sign in FINISHED.items()], axis=0)
    for name, column in zip(BEFORE, (finished, of["delivered"], of["fbl_delivered"]), strict=True):
        _fill(counts, FIELD_INDEX[name], order, parts[old], rows[old], column[old])
    return Totals(keys, counts)


def begin(window_ms: int, now_ms: int) -> int:
    """The first second (epoch, UTC) of a window that ends now: a full minute, or hour where it is long."""
    grain = HOUR_S if is_long(window_ms) else MINUTE_S
    return max(0, (now_ms // 1000 - window_ms // 1000) // grain * grain)


def bound(sql: str, asked: Mapping[str, Any], known: KnownLeftOut) -> tuple[str, Mapping[str, Any]]:
    """A query with conditions of `left_out`, and its parameters, so that it does not look up what is `known`."""
    if known is None or len(known) > MOST_BOUND:
        return sql, asked
    if not known:
        sql = sql.replace(NOT_LEFT_OUT, "true")
    for looked_up, given in BOUND.items():
        sql = sql.replace(looked_up, given)
    hours = sorted(known)
    return sql, {
        **asked,
        "left_out": [provider for provider, _ in hours],
        "left_out_hours": [hour for _, hour in hours],
        "left_out_everywhere": [hour for provider, hour in hours if provider == EVERYWHERE],
    }


def may_leave_out(known: KnownLeftOut) -> bool:
    """Whether some mail may be left out."""
    return known is None or bool(known)


def longest_first(windows_ms: Sequence[int]) -> list[int]:
    """The places of windows by length: a query reads what the first needs, the others are parts of that."""
    return sorted(range(len(windows_ms)), key=lambda place: -windows_ms[place])


def sums(expressions: Mapping[str, str], windows: int, time: str) -> str:
    """A sum a window and expression; the first window is the whole of what is read.

    An expression is a measure, or a measure and a condition after ` if `.
    """
    found = []
    for window in range(windows):
        within = f"{time} >= toDateTime({{since_{window}:UInt32}})" if window else ""
        for name, expression in expressions.items():
            measure, _, condition = expression.partition(" if ")
            conditions = " AND ".join(each for each in (within, condition) if each)
            summed = f"sumIf({measure}, {conditions})" if conditions else f"sum({measure})"
            found.append(f"{summed} AS {name}_{window}")
    return ",\n    ".join(found)


@lru_cache(maxsize=32)
def _sql(windows: int, kind: Literal["short", "long", "anew"], only: str, whose: str) -> str:
    time, prefix, looped = ("toStartOfHour(bucket)", "n_", "looped") if kind == "long" else ("bucket", "", IS_FBL)
    summed = [f"sum({prefix}{name}) AS total_{name}" for name in MEASURES]
    summed += [f"sumIf({prefix}{name}, {looped}) AS fbl_{name}" for name in OF_FBL]
    begins = (f"({time} >= toDateTime({{since_{place}:UInt32}}))" for place in range(1, windows))
    template = {"short": SHORT_TOTALS, "long": LONG_TOTALS, "anew": ANEW_TOTALS}[kind]
    return template.format(
        sums=",\n    ".join(summed), part=" + ".join(["toUInt8(0)", *begins]), looped=IS_FBL, only=only, whose=whose
    )


#: Reads the totals of customers (sorted) over the windows at some places, all of them short or all of them long.
Read = Callable[[Sequence[str], Sequence[int]], Totals]
#: The fields that are kept: those of mail. Listings, which come behind them, are filled in later.
KEPT = FIELD_INDEX["critical_listings"]

#: When it was read, until when it is good (epoch ms), the streams, which fields are kept, and their counts.
Entry = tuple[int, int, tuple[str, ...], tuple[int, ...], bytes]


class LongWindows:
    """What was read of each customer, for at most `keep_ms`. Kept are the fields that anybody had anything in, a fourth
    of all in most fleets: they are put together again for each batch."""

    def __init__(self, windows: int, keep_ms: int, most: int) -> None:
        self._windows = windows
        #: Only grows, so that few differ.
        self._fields: tuple[int, ...] = ()
        self._keep_ms = keep_ms
        self._most = most
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def stale(self, customers: Iterable[str], now_ms: int) -> list[str]:
        """Who must be read: not known, or no longer good."""
        entries = self._entries
        # Read in the future means that the clock was set back since.
        return [each for each in customers if (known := entries.get(each)) is None or not known[0] <= now_ms < known[1]]

    def put(self, customers: Sequence[str], totals: Totals, read_ms: int) -> None:
        """Keep what was read of these customers. They and the keys of `totals` are sorted; one may have no key."""
        entries, keep = self._entries, self._keep_ms
        for place, customer in enumerate(customers, start=1):
            known = entries.get(customer)
            good_ms = keep * place // len(customers) if known is None else keep - (read_ms - known[1]) % max(1, keep)
            entries[customer] = (read_ms, read_ms + good_ms, (), (), b"")
        self._fields += tuple(each for each in filled(totals.counts) if each < KEPT and each not in self._fields)
        fields = self._fields
        kept = np.ascontiguousarray(totals.counts[:, :, list(fields)])
        row = 0
        for customer, group in groupby(totals.keys, key=lambda key: key[0]):
            streams = tuple(stream for _, stream in group)
            counts = kept[row : row + len(streams)].tobytes()
            entries[customer] = (*entries[customer][:2], streams, fields, counts)
            row += len(streams)

    def get(self, customers: Sequence[str]) -> Totals:
        """The totals of customers (sorted) that are all known."""
        found = list(map(self._entries.__getitem__, customers))
        for customer in customers:
            self._entries.move_to_end(customer)
        keys = [(customer, stream) for customer, entry in zip(customers, found, strict=True) for stream in entry[2]]
        counts = no_counts(len(keys), self._windows)
        layouts = {entry[3] for entry in found if entry[2]}
        for fields in filter(None, layouts):
            of_layout = [entry[4] for entry in found if entry[3] == fields]
            kept = np.frombuffer(b"".join(of_layout), np.int64).reshape(-1, self._windows, len(fields))
            rows: slice | Counts = slice(None)
            if len(layouts) > 1:
                rows = np.flatnonzero([entry[3] == fields for entry in found for _ in entry[2]])
            for place, field in enumerate(fields):
                counts[rows, :, field] = kept[:, :, place]
        return Totals(keys, counts)

    def due_again(self, customers: Iterable[str], now_ms: int) -> list[tuple[str, int]]:
        """Those who were read before `now_ms`, with the time (epoch ms) from which on they are read again.

        What changed since then is seen only when they are, so each must be judged once more.
        """
        entries = self._entries
        return [(each, known[1]) for each in customers if (known := entries[each])[0] < now_ms]

    def forget(self, customers: Iterable[str]) -> None:
        """Read these again."""
        for each in customers:
            self._entries.pop(each, None)

    def trim(self) -> None:
        """Forget those longest unused, down to as many as may be held."""
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()


class CachedTotals:
    """Reads totals; the long windows of a customer at most every `keep_ms`, of at most `most` customers.

    A customer of whom nothing is kept is read in full. One thread at a time.
    """

    def __init__(self, lengths_ms: Sequence[int], keep_ms: int, most: int) -> None:
        self._windows = len(lengths_ms)
        self._short = [place for place, length in enumerate(lengths_ms) if not is_long(length)]
        self._long = [place for place, length in enumerate(lengths_ms) if is_long(length)]
        self._kept = LongWindows(len(self._long), keep_ms, most)

    def __len__(self) -> int:
        """How many customers' long windows are kept."""
        return len(self._kept)

    def of(self, customers: Sequence[str], now_ms: int, read: Read) -> tuple[Totals, list[tuple[str, int]]]:
        """The totals of customers (sorted), and who is to be read again when.

        Those are the customers whose long windows were read a while ago, each with the time (epoch ms) from
        which on they are read again.
        """
        parts, places = [], []
        again: list[tuple[str, int]] = []
        if self._short:
            parts.append(read(customers, self._short))
            places.append(self._short)
        if self._long:
            stale = self._kept.stale(customers, now_ms)
            self._kept.put(stale, read(stale, self._long), now_ms)
            parts.append(self._kept.get(customers))
            places.append(self._long)
            again = self._kept.due_again(customers, now_ms)
            self._kept.trim()
        return merged(parts, places, self._windows), again

    def forget(self, customers: Iterable[str]) -> None:
        """Read these again: of whom a fresh start is known, nothing is kept."""
        self._kept.forget(customers)

    def clear(self) -> None:
        """Read everything again from now on."""
        self._kept.clear()
