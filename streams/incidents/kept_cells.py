"""What each customer had at each mailbox provider in some hours, kept until anything more is counted in them.

To read one hour the engine looks through those of all customers, and batch after batch the same hours are asked for: of
those who alarm most failed in the same ones.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import NamedTuple

from schemas.counts import finished_sql
from streams.incidents.accounts import ByProvider, CellCounts
from streams.io.store import Store

#: So many cells are kept, each of some 500 bytes.
MOST_KEPT = 100_000

OF_HOURS = "toStartOfHour(bucket) IN {hours:Array(DateTime('UTC'))}"
FAILED = "sum(hard) AS n_hard, sum(block) AS n_block, sum(expired) AS n_expired, sum(complained) AS n_complained"
TOTALS = f"toInt64({finished_sql('sum({})')}) AS n_finished, sum(delivered) AS n_delivered"
CELLS_WHERE = f"""
    SELECT customer, value, toStartOfHour(bucket) AS hour, {FAILED}, {TOTALS}
    FROM counts
    WHERE dimension = 'provider' AND {{where}}
    GROUP BY customer, value, hour
"""  # noqa: S608 - made of texts of this project only

#: Of customers, by the hour and provider.
CELLS = f"SELECT customer, value, toUnixTimestamp(hour), * EXCEPT (customer, value, hour) FROM ({CELLS_WHERE})"  # noqa: S608


def no_state(_: int) -> None:
    """Nothing is known of any hour, so nothing is kept."""


class _Kept(NamedTuple):
    state: object
    cells: ByProvider
    size: int


class KeptCells:
    """Reads and keeps them."""

    def __init__(self, store: Store, state: Callable[[int], object | None], most: int = MOST_KEPT) -> None:
        """`state` says of an hour (epoch s) what stands for all that is counted in it: the same object as long as
        nothing comes to it. None where that is not known: such an hour is read each time."""
        self._store = store
        self._state = state
        self._most = most
        self._kept: dict[int, _Kept] = {}

    def read(self, hours: Collection[int]) -> dict[int, ByProvider]:
        """By hour (epoch s) what each customer had at each provider. It is shared: nobody changes it.

        Raises:
            StoreError: the store failed.
        """
        # Asked before anything is read: what comes in between is read, and once more the next time.
        states = {hour: self._state(hour) for hour in {*hours, *self._kept}}
        self._kept = {hour: each for hour, each in self._kept.items() if states[hour] is each.state}
        unread = sorted(hour for hour in hours if hour not in self._kept)
        found = self._cells(unread) if unread else {}
        read = {hour: self._kept[hour].cells if hour in self._kept else found[hour] for hour in hours}
        for hour in unread:
            if (state := states[hour]) is not None:
                self._keep(hour, state, found[hour])
        return read

    def _cells(self, hours: Collection[int]) -> dict[int, ByProvider]:
        by_hour: dict[int, ByProvider] = {hour: defaultdict(dict) for hour in hours}
        for customer, value, hour, *numbers in self._store.rows(CELLS.format(where=OF_HOURS), {"hours": list(hours)}):
            by_hour[int(hour)][str(customer)][str(value)] = CellCounts(*map(int, numbers))
        return {hour: dict(cells) for hour, cells in by_hour.items()}

    def _keep(self, hour: int, state: object, cells: ByProvider) -> None:
        """Keep an hour, and of those that were read before it as many as there is room for."""
        room = self._most - (size := sum(map(len, cells.values())))
        if room < 0:
            return
        kept = {}
        for other, each in reversed(self._kept.items()):
            if (room := room - each.size) < 0:
                break
            kept[other] = each
        self._kept = dict(reversed(kept.items())) | {hour: _Kept(state, cells, size)}
