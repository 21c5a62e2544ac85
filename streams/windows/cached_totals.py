"""The totals of streams over all windows: short ones as they are now, long ones as they were at most a minute ago.

Pure: the caller reads.

Held are at most so many customers, those longest unused go first. A customer's entry is one run of bytes for all of its
streams, since Python objects would take several times the memory.

When many are read together for the first time, as at the start of a monitor, they are kept for different times, and
from then on each is read at times of its own, `keep_ms` apart. So they do not all have to be read together again. Those
that do have neighbouring names, hence lie together in the table, which is many times cheaper to read than all over it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import numpy as np

from streams.subjects.arrays import FIELD_INDEX, FIELDS, Totals, is_long, merged

#: Reads the totals of customers (sorted) over the windows at some places, all of them short or all of them long.
Read = Callable[[Sequence[str], Sequence[int]], Totals]
#: The fields that are kept: those of mail. Listings, which come behind them, are filled in later.
KEPT = FIELD_INDEX["critical_listings"]

#: When it was read, until when it is good (epoch ms), the streams, and their counts.
Entry = tuple[int, int, tuple[str, ...], bytes]


class LongWindows:
    """What was read of each customer, for at most `keep_ms`."""

    def __init__(self, windows: int, keep_ms: int, most: int) -> None:
        self._shape = (windows, KEPT)
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
            entries[customer] = (read_ms, read_ms + good_ms, (), b"")
        row = 0
        for customer, group in groupby(totals.keys, key=lambda key: key[0]):
            streams = tuple(stream for _, stream in group)
            counts = totals.counts[row : row + len(streams), :, :KEPT].tobytes()
            entries[customer] = (*entries[customer][:2], streams, counts)
            row += len(streams)

    def get(self, customers: Sequence[str]) -> Totals:
        """The totals of customers (sorted) that are all known."""
        found = []
        for customer in customers:
            found.append(self._entries[customer])
            self._entries.move_to_end(customer)
        keys = [(customer, stream) for customer, entry in zip(customers, found, strict=True) for stream in entry[2]]
        kept = np.frombuffer(b"".join(entry[3] for entry in found), np.int64).reshape(-1, *self._shape)
        counts = np.zeros((len(keys), self._shape[0], len(FIELDS)), np.int64)
        counts[..., :KEPT] = kept
        return Totals(keys, counts)

    def due_again(self, customers: Iterable[str], now_ms: int) -> list[tuple[str, int]]:
        """Those who were read before `now_ms`, with the time (epoch ms) from which on they are read again.

        What changed since then is seen only when they are, so each must be judged once more.
        """
        entries = self._entries
        return [(each, known[1]) for each in customers if (known := entries[each])[0] < now_ms]

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

    def clear(self) -> None:
        """Read everything again from now on."""
        self._kept.clear()
