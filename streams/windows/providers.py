"""The windows of mail to some mailbox providers alone, for rules that judge it by itself."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from streams.io.store import Store
from streams.subjects.arrays import Counts, Subjects, Totals
from streams.subjects.fresh_starts import Since
from streams.subjects.left_out import KnownLeftOut
from streams.subjects.scopes import scopes_of
from streams.subjects.totals import CachedTotals, read_totals

#: Names of mailbox providers.
Group = tuple[str, ...]


class ProviderWindows:
    """Reads them for each group of providers that a policy names. One thread at a time."""

    def __init__(
        self,
        store: Store,
        groups: Sequence[Group],
        lengths_ms: Sequence[int],
        feedback_loop: Sequence[str],
        keep_ms: int,
        most: int,
        *,
        left_out: KnownLeftOut = None,
    ) -> None:
        self._store = store
        self._left_out = left_out
        self._lengths = lengths_ms
        self._fbl = feedback_loop
        self._kept = {group: CachedTotals(lengths_ms, keep_ms, most) for group in groups}

    def of(self, found: Subjects, now_ms: int, since: Since) -> Mapping[Group, Counts]:
        """By group the counts of the same subjects, with the same axes.

        Raises:
            StoreError: the store failed.
        """
        return {group: self._of_group(group, kept, found, now_ms, since) for group, kept in self._kept.items()}

    def leave_out(self, mail: KnownLeftOut) -> None:
        """Which mail of incidents is left out from now on, where that is known."""
        self._left_out = mail

    def forget_some(self, customers: Iterable[str]) -> None:
        """Read these again."""
        for kept in self._kept.values():
            kept.forget(customers)

    def forget(self) -> None:
        """Read everything again from now on."""
        for kept in self._kept.values():
            kept.clear()

    def _of_group(self, group: Group, kept: CachedTotals, found: Subjects, now_ms: int, since: Since) -> Counts:
        def read(customers: Sequence[str], places: Sequence[int]) -> Totals:
            lengths = [self._lengths[place] for place in places]
            return read_totals(
                self._store, customers, lengths, self._fbl, now_ms, group, left_out=self._left_out, since=since
            )

        totals, _ = kept.of(sorted(set(found.customers)), now_ms, read)
        return of_subjects(totals, found)


def of_subjects(totals: Totals, found: Subjects) -> Counts:
    """The totals of streams, added up for each of the subjects that `found` has. Pure."""
    row_of = {key: row for row, key in enumerate(zip(found.customers, found.scopes, strict=True))}
    counts = np.zeros_like(found.counts)
    for (customer, stream), numbers in zip(totals.keys, totals.counts, strict=True):
        for scope in scopes_of(stream):
            if (row := row_of.get((customer, scope))) is not None:
                counts[row] += numbers
    return counts
