"""With whom customers share an owner: the pool, the sending address and the From domain that most of their mail has.

A look asks it several times of the same customers and hours. So answers are kept as long as no part of the counts has
come or gone: parts never change (`fleet_cells`), so the store would answer the same.
"""

from collections.abc import Callable, Mapping, Sequence

from schemas.counts import finished_sql
from streams.io.store import Store, portions

#: So many names are kept, of all answers together.
MOST_KEPT = 100_000

#: The pool, sending address and From domain that most of a customer's mail has.
COMPANY = f"""
SELECT customer, dimension, argMax(value, n)
FROM
(
    SELECT customer, dimension, value, toInt64({finished_sql("sum({})")}) AS n
    FROM counts
    WHERE dimension IN ('pool', 'ip', 'from') AND customer IN {{customers:Array(String)}} AND value != ''
        AND toStartOfHour(bucket) IN {{hours:Array(DateTime('UTC'))}}
    GROUP BY customer, dimension, value
)
GROUP BY customer, dimension
"""  # noqa: S608 - made of texts of this project only

#: By customer and dimension (`pool`, `ip`, `from`) the value that most of its mail has.
Shared = Mapping[tuple[str, str], str]


def nothing_known() -> None:
    """It is not known whether anything was counted since, so nothing is kept."""


class Company:
    """Reads and keeps it. One thread at a time."""

    def __init__(self, store: Store, counted: Callable[[], object | None] = nothing_known) -> None:
        """`counted` says what stands for all that is counted: something equal as long as nothing came or went. None
        where that is not known."""
        self._store = store
        self._counted = counted
        self._as_of: object | None = None
        self._kept: dict[tuple[tuple[str, ...], tuple[int, ...]], Shared] = {}

    def of(self, customers: Sequence[str], hours: Sequence[int]) -> Shared:
        """Of the mail of some hours (epoch s). It is shared: nobody changes it.

        Raises:
            StoreError: the store failed.
        """
        # Asked before anything is read: what comes in between is read, and once more the next time.
        as_of = self._counted()
        if as_of is None or as_of != self._as_of:
            self._kept.clear()
            self._as_of = as_of
        asked = tuple(customers), tuple(hours)
        found = self._kept.get(asked)
        if found is None:
            found = self._read(*asked)
            if as_of is not None:
                self._kept[asked] = found
                self._trim()
        return found

    def _read(self, customers: Sequence[str], hours: Sequence[int]) -> Shared:
        return {
            (str(customer), str(dimension)): str(value)
            for part in portions(self._store, customers)
            for customer, dimension, value in self._store.rows(COMPANY, {"customers": part, "hours": list(hours)})
        }

    def _trim(self) -> None:
        """Keep no more than may be kept; what was read first goes first."""
        size = sum(len(customers) + len(found) for (customers, _), found in self._kept.items())
        while size > MOST_KEPT:
            first = next(iter(self._kept))
            size -= len(first[0]) + len(self._kept.pop(first))
