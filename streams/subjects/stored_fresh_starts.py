"""Fresh starts as the store has them."""

from collections.abc import Mapping, Sequence

from schemas.times import DAY_S
from streams.io.store import Store
from streams.subjects.fresh_starts import FreshStart

#: A fresh start of longer ago cuts nothing off any window.
LOOKED_BACK_S = 60 * DAY_S

DECIDED = """
SELECT customer, toUnixTimestamp(since), toUnixTimestamp64Milli(decided), who, why
FROM fresh_starts FINAL
WHERE decided <= fromUnixTimestamp64Milli({at:Int64}) AND since > toDateTime({after:UInt32})
    AND ({customer:String} = '' OR customer = {customer:String})
ORDER BY customer, decided
"""


def fresh_starts(store: Store, at_ms: int, after_s: int = 0, customer: str = "") -> dict[str, list[FreshStart]]:
    """What was decided by `at_ms` (epoch ms), oldest first, by customer: those that begin after `after_s` (epoch s).

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[FreshStart]] = {}
    for whose, since, decided, who, why in store.rows(
        DECIDED, {"at": at_ms, "after": max(0, after_s), "customer": customer}
    ):
        one = FreshStart(since_s=int(since), decided_ms=int(decided), by=str(who), why=str(why))
        found.setdefault(str(whose), []).append(one)
    return found


def read_since(store: Store, at_ms: int, after_s: int = 0, customer: str = "") -> dict[str, int]:
    """Since when the windows of customers count at `at_ms` (epoch ms), of those whose fresh start is after `after_s`.

    Raises:
        StoreError: the store failed.
    """
    return {whose: each[-1].since_s for whose, each in fresh_starts(store, at_ms, after_s, customer).items()}


class FreshStartWatch:
    """Tells whose windows begin anew since it was asked last. One thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: Mapping[str, Sequence[FreshStart]] = {}

    def refresh(self, now_ms: int) -> set[str]:
        """Who is to be judged again.

        Raises:
            StoreError: the store failed; ask again.
        """
        before = self._known
        self._known = fresh_starts(self._store, now_ms, now_ms // 1000 - LOOKED_BACK_S)
        return {customer for customer, some in self._known.items() if before.get(customer) != some}
