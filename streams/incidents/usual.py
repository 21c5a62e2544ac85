"""What the whole fleet had at each mailbox provider in the weeks before a day.

The hours of the last week need it of eight days. To look through the mail of all customers is what costs, however many
days are asked for: so the older ones are read together, by the day, and added up here.
"""

from collections import defaultdict
from collections.abc import Collection

from schemas.counts import finished_sql
from schemas.incident import EVERYWHERE
from schemas.times import DAY_S
from streams.incidents.accounts import NOTHING, CellCounts, sum_of
from streams.io.store import Store
from streams.subjects.left_out import NOT_LEFT_OUT, KnownLeftOut
from streams.subjects.totals import bound

#: What is usual is read of so many days before the day of the hour.
HISTORY_S = 28 * DAY_S
#: So many days before the newest one are read together, once one of them is asked for.
WEEK = 7
#: What is older than the day that is asked for by so many days is kept no longer.
KEPT_DAYS = 9

#: What all customers had at each provider, by the day (since 1970, UTC).
USUAL = f"""
SELECT value, intDiv(toUnixTimestamp(toStartOfHour(bucket)), {DAY_S}) AS day,
    sum(hard), sum(block), sum(expired), sum(complained), toInt64({finished_sql("sum({})")}), sum(delivered)
FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
    AND toStartOfHour(bucket) < toDateTime({{until:UInt32}}) AND {NOT_LEFT_OUT}
GROUP BY value, day
"""  # noqa: S608 - made of texts of this project only


def read_usual(
    store: Store, midnights: Collection[int], left_out: KnownLeftOut = None
) -> dict[int, dict[str, CellCounts]]:
    """What all customers had by provider in the weeks before each of some midnights (epoch s), and at `*` all together;
    without what is `left_out`, as far as that is known.

    Raises:
        StoreError: the store failed.
    """
    by_day: dict[int, list[tuple[str, CellCounts]]] = defaultdict(list)
    asked = {"since": max(0, min(midnights) - HISTORY_S), "until": max(midnights)}
    for value, day, *numbers in store.rows(*bound(USUAL, asked, left_out)):
        by_day[int(day) * DAY_S].append((str(value), CellCounts(*map(int, numbers))))
    return {midnight: _before(by_day, midnight) for midnight in midnights}


def _before(by_day: dict[int, list[tuple[str, CellCounts]]], midnight: int) -> dict[str, CellCounts]:
    found: dict[str, CellCounts] = {}
    for day in range(midnight - HISTORY_S, midnight, DAY_S):
        for value, counts in by_day.get(day, ()):
            found[value] = found.get(value, NOTHING).plus(counts)
    return found | {EVERYWHERE: sum_of(found.values())}


class FleetUsual:
    """Reads and keeps it, by the midnight that it ends with."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[int, dict[str, CellCounts]] = {}

    def forget(self) -> None:
        """Read everything again from now on."""
        self._kept.clear()

    def before(self, hour: int, left_out: KnownLeftOut = None) -> dict[str, CellCounts]:
        """What the fleet had in the weeks before the day of an hour (epoch s), without what is `left_out`.

        Raises:
            StoreError: the store failed.
        """
        midnight = hour // DAY_S * DAY_S
        if midnight not in self._kept:
            self._kept = {day: each for day, each in self._kept.items() if day > midnight - KEPT_DAYS * DAY_S}
            self._kept |= read_usual(self._store, self._to_read(midnight), left_out)
        return self._kept[midnight]

    def _to_read(self, midnight: int) -> set[int]:
        """That one, and if it is an older one the others of the week, since they are asked for together."""
        newest = max(self._kept, default=midnight)
        if midnight >= newest:
            return {midnight}
        week = range(newest - WEEK * DAY_S, newest, DAY_S)
        return {midnight, *(day for day in week if day >= 0)} - self._kept.keys()
