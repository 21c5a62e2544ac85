"""What the parts of the table of counts hold, summed by customer and minute, as arrays: so that what a merged part has
more than those it was made of is their difference.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from string import Template
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.http.models.parameters import Metric
from api.http.rates import Definition
from schemas.counts import finished_sql
from streams.io.store import Store

#: What the rates are divided from, in the order of the columns of sums: `measured` (`streams.judge.verdict`) in SQL.
SUMS = ("complained", "delivered", "failed", "blocked", "finished")
#: Numerator and denominator of each rate, by their columns.
OF_METRIC: dict[Metric, tuple[int, int]] = {"complaint": (0, 1), "failure": (2, 4), "block": (3, 4)}

Numbers = NDArray[np.int64]

READ = Template("""
SELECT _part, customer, intDiv(toUnixTimestamp(bucket), 60) AS minute,
    toInt64(sumIf(complained, value IN {fbl:Array(String)})), toInt64(sumIf(delivered, value IN {fbl:Array(String)})),
    toInt64(sum(hard) + if({expired:Bool}, sum(expired), 0)), toInt64(sum(block)), toInt64($finished)
FROM counts WHERE dimension = 'provider' AND _part IN {parts:Array(String)}
GROUP BY _part, customer, bucket
""").substitute(finished=finished_sql("sum({})"))
#: Of a key: the customer's number is above, the minute (since the epoch) below.
MINUTE_BITS = 32


class PartSums(NamedTuple):
    """Sums by customer and minute, each once: `keys` in order, and one row of `SUMS` for each."""

    keys: Numbers
    values: Numbers

    @property
    def customers(self) -> Numbers:
        """The customer's number of each row."""
        return self.keys >> MINUTE_BITS

    @property
    def minutes(self) -> Numbers:
        """The minute of each row, since the epoch."""
        return self.keys & ((1 << MINUTE_BITS) - 1)


NOTHING = PartSums(np.empty(0, np.int64), np.empty((0, len(SUMS)), np.int64))


class CustomerNumbers:
    """A number for each customer, in the order in which they are met."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(lambda: len(self._numbers))

    def of(self, customer: str) -> int:
        """The number of one."""
        return self._numbers[customer]

    def of_all(self, customers: Iterable[str]) -> Numbers:
        """The numbers of many."""
        return np.fromiter(map(self._numbers.__getitem__, customers), np.int64)


def added(sums: Iterable[PartSums], less: Iterable[PartSums] = ()) -> PartSums:
    """All of some together, less all of others. Pure."""
    some, others = list(sums), list(less)
    if not some and not others:
        return NOTHING
    keys = np.concatenate([each.keys for each in (*some, *others)])
    values = np.concatenate([*(each.values for each in some), *(-each.values for each in others)])
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    if not len(starts):
        return NOTHING
    totals = np.add.reduceat(values, starts)
    there = totals.any(axis=1)
    return PartSums(keys[starts][there], totals[there])


def read_parts(
    store: Store, names: Collection[str], definition: Definition, numbers: CustomerNumbers
) -> dict[str, PartSums]:
    """The sums of parts by name. One that is missing has no such rows, or is not there any more; one that is there has
    all of its rows.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[PartSums]] = defaultdict(list)
    parameters = {
        "parts": list(names),
        "fbl": list(definition.feedback_loop),
        "expired": definition.expired_is_failure,
    }
    for parts, customers, minutes, *columns in store.blocks(READ, parameters):
        keys = numbers.of_all(customers) << MINUTE_BITS | minutes.astype(np.int64)
        values = np.stack([each.astype(np.int64) for each in columns], axis=1)
        for name in set(parts):
            chosen = parts == name
            found[name].append(PartSums(keys[chosen], values[chosen]))
    return {name: added(each) for name, each in found.items()}
