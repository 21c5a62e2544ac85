"""The long windows of customers lately judged, kept for a minute or so: a week hardly changes in that time.

Held are at most so many customers, those longest unused go first. A customer's entry is one run of bytes for all of its
streams, since Python objects would take several times the memory.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from streams.subjects import FIELDS, Totals

#: When it was read (epoch ms), the streams, and their counts.
Entry = tuple[int, tuple[str, ...], bytes]


class LongWindows:
    """What was read of each customer, for `keep_ms`."""

    def __init__(self, windows: int, keep_ms: int, most: int) -> None:
        self._shape = (windows, len(FIELDS))
        self._keep_ms = keep_ms
        self._most = most
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def stale(self, customers: Iterable[str], now_ms: int) -> list[str]:
        """Who must be read: not known, or read `keep_ms` ago."""
        entries, oldest = self._entries, now_ms - self._keep_ms
        # A time in the future means that the clock was set back since.
        return [each for each in customers if (known := entries.get(each)) is None or not oldest < known[0] <= now_ms]

    def put(self, customers: Iterable[str], totals: Totals, read_ms: int) -> None:
        """Keep what was read of these customers. The keys of `totals` are sorted; a customer may have none."""
        nothing: Entry = (read_ms, (), b"")
        self._entries.update(dict.fromkeys(customers, nothing))
        row = 0
        for customer, group in groupby(totals.keys, key=lambda key: key[0]):
            streams = tuple(stream for _, stream in group)
            self._entries[customer] = (read_ms, streams, totals.counts[row : row + len(streams)].tobytes())
            row += len(streams)

    def get(self, customers: Sequence[str]) -> Totals:
        """The totals of customers (sorted) that are all known."""
        found = []
        for customer in customers:
            found.append(self._entries[customer])
            self._entries.move_to_end(customer)
        keys = [
            (customer, stream) for customer, (_, streams, _) in zip(customers, found, strict=True) for stream in streams
        ]
        # A copy, since bytes cannot be written to.
        counts = np.frombuffer(bytearray().join(entry[2] for entry in found), np.int64).reshape(-1, *self._shape)
        return Totals(keys, counts)

    def due_again(self, customers: Iterable[str], now_ms: int) -> list[tuple[str, int]]:
        """Those whose entry is older than `now_ms`, with the time (epoch ms) from which on it is read anew.

        What changed since it was read is seen only then, so each must be judged once more.
        """
        entries = self._entries
        return [(each, known[0] + self._keep_ms) for each in customers if (known := entries[each])[0] < now_ms]

    def trim(self) -> None:
        """Forget those longest unused, down to as many as may be held."""
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
