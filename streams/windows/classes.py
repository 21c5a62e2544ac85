"""Bulk and transactional mail by themselves, of customers that send both: one may be good while the other is not.

Only what is counted by mailbox provider is known of a class: neither exposure nor listings, nor what `policy.USE` asks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from schemas.event import StreamClass
from schemas.scope import CLASS_PREFIX
from streams.io.store import Store
from streams.subjects.arrays import BEFORE, FIELD_INDEX, Counts, Subjects, Totals
from streams.subjects.fresh_starts import Since
from streams.subjects.left_out import KnownLeftOut
from streams.subjects.totals import CachedTotals, read_totals

CLASSES: tuple[str, ...] = get_args(StreamClass)
#: Mail of before a fresh start makes nobody a sender of both.
_JUDGED = [place for name, place in FIELD_INDEX.items() if name not in BEFORE]


class ClassWindows:
    """Reads them. One thread at a time."""

    def __init__(
        self,
        store: Store,
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
        self._kept = CachedTotals(lengths_ms, keep_ms, most)

    def added(self, found: Subjects, now_ms: int, since: Since) -> Subjects:
        """The subjects, and behind them the classes of those customers that send mail of both.

        Raises:
            StoreError: the store failed.
        """

        def read(customers: Sequence[str], places: Sequence[int]) -> Totals:
            lengths = [self._lengths[place] for place in places]
            return read_totals(
                self._store,
                customers,
                lengths,
                self._fbl,
                now_ms,
                by_class=True,
                left_out=self._left_out,
                since=since,
            )

        totals, _ = self._kept.of(sorted(set(found.customers)), now_ms, read)
        return with_classes(found, totals)

    def leave_out(self, mail: KnownLeftOut) -> None:
        """Which mail of incidents is left out from now on, where that is known."""
        self._left_out = mail

    def forget_some(self, customers: Iterable[str]) -> None:
        """Read these again."""
        self._kept.forget(customers)

    def forget(self) -> None:
        """Read everything again from now on."""
        self._kept.clear()


def with_classes(found: Subjects, by_class: Totals) -> Subjects:
    """The subjects, and those of the classes behind them. Pure."""
    sums: dict[str, dict[str, Counts]] = {}
    for (customer, name), counts in zip(by_class.keys, by_class.counts, strict=True):
        sums.setdefault(customer, {})[name] = counts
    several = {
        customer: {name: parts[name] for name in CLASSES}
        for customer, parts in sorted(sums.items())
        if len(parts) == len(CLASSES) and all(counts[..., _JUDGED].any() for counts in parts.values())
    }
    if not several:
        return found
    customers = [customer for customer, parts in several.items() for _ in parts]
    scopes = [f"{CLASS_PREFIX}{name}" for parts in several.values() for name in parts]
    counts = np.stack([counts for parts in several.values() for counts in parts.values()])
    return replace(
        found,
        customers=[*found.customers, *customers],
        scopes=[*found.scopes, *scopes],
        counts=np.concatenate((found.counts, counts)),
    )
