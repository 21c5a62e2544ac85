"""Bulk and transactional mail by themselves, of customers that send both: one may be good while the other is not.

Only what is counted by mailbox provider is known of a class: neither exposure nor listings, nor what `policy.USE` asks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from schemas.event import StreamClass
from schemas.scope import CLASS_PREFIX
from streams.io.store import Store
from streams.subjects.arrays import BEFORE, FIELD_INDEX, Counts, Subjects, Totals
from streams.subjects.fresh_starts import Since
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
        everything: bool = False,
    ) -> None:
        self._store = store
        self._everything = everything
        self._lengths = lengths_ms
        self._fbl = feedback_loop
        self._kept = {name: CachedTotals(lengths_ms, keep_ms, most) for name in CLASSES}

    def added(self, found: Subjects, now_ms: int, since: Since) -> Subjects:
        """The subjects, and behind them the classes of those customers that send mail of both.

        Raises:
            StoreError: the store failed.
        """
        return with_classes(
            found, {name: self._of_class(name, kept, found, now_ms, since) for name, kept in self._kept.items()}
        )

    def leave_out(self, wanted: bool) -> None:
        """Whether mail of incidents is left out from now on."""
        self._everything = not wanted

    def forget_some(self, customers: Iterable[str]) -> None:
        """Read these again."""
        for kept in self._kept.values():
            kept.forget(customers)

    def forget(self) -> None:
        """Read everything again from now on."""
        for kept in self._kept.values():
            kept.clear()

    def _of_class(self, name: str, kept: CachedTotals, found: Subjects, now_ms: int, since: Since) -> Totals:
        def read(customers: Sequence[str], places: Sequence[int]) -> Totals:
            lengths = [self._lengths[place] for place in places]
            return read_totals(
                self._store,
                customers,
                lengths,
                self._fbl,
                now_ms,
                stream_class=name,
                everything=self._everything,
                since=since,
            )

        totals, _ = kept.of(sorted(set(found.customers)), now_ms, read)
        return totals


def with_classes(found: Subjects, by_class: Mapping[str, Totals]) -> Subjects:
    """The subjects, and those of the classes behind them. Pure."""
    sums: dict[str, dict[str, Counts]] = {}
    for name, totals in by_class.items():
        for (customer, _), counts in zip(totals.keys, totals.counts, strict=True):
            known = sums.setdefault(customer, {})
            known[name] = known[name] + counts if name in known else counts
    several = {
        customer: parts
        for customer, parts in sorted(sums.items())
        if len(parts) == len(by_class) and all(counts[..., _JUDGED].any() for counts in parts.values())
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
