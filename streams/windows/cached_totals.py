"""The totals of streams over all windows: short ones as they are now, long ones as they were at most a minute ago."""

from collections.abc import Callable, Sequence

from streams.subjects.arrays import Totals, merged
from streams.subjects.totals import is_long
from streams.windows.long import LongWindows

#: Reads the totals of customers (sorted) over the windows at some places, all of them short or all of them long.
Read = Callable[[Sequence[str], Sequence[int]], Totals]


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
