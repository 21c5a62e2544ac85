"""What customers share, by the hour: the mail of each through each pool or under each From domain, and altogether."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from schemas.counts import FINISHED as FINISHING
from schemas.counts import finished_sql
from schemas.policy_metric import window_ms
from schemas.scope import PLAN
from schemas.times import HOUR_S, MINUTE_S
from streams.io.store import Store, portions
from streams.subjects.arrays import Counts
from streams.subjects.fresh_starts import FreshStart
from streams.subjects.left_out import HOUR_NOT_LEFT_OUT, NOT_LEFT_OUT
from streams.what_if.hourly_subjects import Extent
from streams.what_if.timeline import Steps
from streams.windows.pool_queries import DIMENSIONS
from streams.windows.pools import LEAST_MEMBERS

#: What several customers share, and who they are.
SHARING = """
SELECT value, groupUniqArray(customer) AS members
FROM counts
WHERE dimension = {dimension:String} AND value != ''
    AND toStartOfHour(bucket) >= toDateTime({since:UInt32}) AND toStartOfHour(bucket) < toDateTime({until:UInt32})
GROUP BY value
HAVING length(members) >= {least:UInt8}
ORDER BY value
"""
PLANS = """
SELECT plan, groupUniqArray(customer) AS members FROM customers FINAL
WHERE NOT gone AND plan != ''
GROUP BY plan
HAVING length(members) >= {least:UInt8}
ORDER BY plan
"""

_MEASURES = ("delivered", "complained", "undated_complained", "undated_hard", "undated_block", *FINISHING)
#: By the hour, and of mail of which it is known when it was sent. Of a plan, and of whole customers, complaints count
#: at providers with a feedback loop. The inner query has the shape of the hourly projection.
CELLS = f"""
SELECT customer, {{shared}} AS shared, toUInt32(hour),
    toInt64(sumIf(n_complained, {{looped}})) - toInt64(sumIf(n_undated_complained, {{looped}})),
    toInt64(sumIf(n_delivered, {{looped}})), toInt64(sum(n_hard)) - toInt64(sum(n_undated_hard)),
    toInt64(sum(n_expired)) - toInt64(sum(n_undated_expired)), toInt64(sum(n_block)) - toInt64(sum(n_undated_block)),
    {finished_sql("toInt64(sum(n_{}))")}
FROM
(
    SELECT customer, toStartOfHour(bucket) AS hour, value,
        {", ".join(f"sum({name}) AS n_{name}" for name in dict.fromkeys(_MEASURES))}
    FROM counts
    WHERE dimension = {{{{dimension:String}}}} AND customer IN {{{{customers:Array(String)}}}} {{its}}
        AND toStartOfHour(bucket) >= toDateTime({{{{since:UInt32}}}})
        AND toStartOfHour(bucket) < toDateTime({{{{until:UInt32}}}})
        AND {{judged}} {{only}}
    GROUP BY customer, hour, value
)
GROUP BY customer, shared, hour
"""  # noqa: S608 - made of names from this project only
LOOPED = "value IN {fbl:Array(String)}"
ITS = "AND value IN {values:Array(String)}"
TAIL = "AND toMinute(bucket) >= {minute:UInt8}"
UNTIL = "AND bucket < toDateTime({cut:UInt32})"
#: What `CELLS` has of each cell and hour.
COMPLAINED, DELIVERED, HARD, EXPIRED, BLOCK, FINISHED = range(6)

#: A customer, and what it shares; of all of its mail that is empty.
Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Clock:
    """The hours that are read, and the steps at which they are judged."""

    extent: Extent

    @property
    def steps(self) -> Steps:
        """How many hours are over at each step."""
        return np.arange(self.extent.first, self.extent.hours + 1)

    @property
    def times_s(self) -> Steps:
        """The time of each step, epoch s."""
        return self.begins_s(self.steps)

    def begins_s(self, hours: Steps) -> Steps:
        """When hours begin, epoch s."""
        return self.extent.start_s + hours * HOUR_S


class Table(NamedTuple):
    """Running totals of cells along the hours, beginning with 0: the axes measure, cell, hour.

    With `tail` they are those of the last minutes of each hour, of which a step sees its own only. `cuts` are, by cell,
    fresh starts with what lies before them.
    """

    cells: list[Cell]
    totals: Counts
    cuts: Mapping[int, Sequence[tuple[FreshStart, Counts]]]
    tail: bool = False

    def within(self, clock: Clock, measures: Sequence[int], hours: int) -> Counts:
        """The sums of some measures over so many hours: cell by step."""
        total = self.totals[list(measures)].sum(axis=0)
        steps = clock.steps
        first = np.maximum(steps - (1 if self.tail else hours), 0)
        found: Counts = total[:, steps] - total[:, first]
        for row, several in self.cuts.items():
            for fresh, before in several:
                later = (clock.times_s * 1000 >= fresh.decided_ms) & (clock.begins_s(first) < fresh.since_s)
                found[row, later] = total[row, steps[later]] - int(before[list(measures)].sum())
        return found


@dataclass(frozen=True, slots=True)
class PoolCells:
    """Reads what some customers share, of one kind; an empty `kind` stands for all of their mail."""

    store: Store
    extent: Extent
    kind: str
    feedback_loop: Sequence[str]

    def members(self) -> dict[str, list[str]]:
        """What several share, and who.

        Raises:
            StoreError: the store failed.
        """
        asked: dict[str, Any] = {"least": LEAST_MEMBERS}
        if self.kind != PLAN:
            asked |= {"dimension": DIMENSIONS[self.kind], "since": self.extent.start_s, "until": self.extent.end_s}
        rows = self.store.rows(PLANS if self.kind == PLAN else SHARING, asked)
        return {str(value): list(members) for value, members in rows}

    def table(
        self,
        customers: Sequence[str],
        values: Sequence[str],
        plans: Mapping[str, str],
        fresh: Mapping[str, Sequence[FreshStart]],
        window: str,
    ) -> Table:
        """What these customers have of what is shared; with a `window` of less than an hour the end of each hour.

        Raises:
            StoreError: the store failed.
        """
        rows = self._rows(customers, values, plans, window)
        cells = sorted({cell for cell, *_ in rows})
        row_of = {cell: row for row, cell in enumerate(cells)}
        totals = np.zeros((6, len(cells), self.extent.hours + 1), np.int64)
        for cell, hour, numbers in rows:
            totals[:, row_of[cell], self._hour(hour) + 1] = numbers
        np.cumsum(totals, axis=2, out=totals)
        cuts: dict[int, list[tuple[FreshStart, Counts]]] = defaultdict(list)
        for customer in sorted({cell[0] for cell in cells} & fresh.keys()):
            for each in fresh[customer]:
                within = self._rows([customer], values, plans, window, each.since_s)
                before = {cell: numbers for cell, _, numbers in within}
                for cell, row in row_of.items():
                    if cell[0] == customer:
                        until = totals[:, row, self._hour(each.since_s)]
                        cuts[row].append((each, until + before.get(cell, 0)))
        return Table(cells, totals, cuts, bool(window))

    def _hour(self, second: int) -> int:
        return (second - self.extent.start_s) // HOUR_S

    def _rows(
        self, customers: Sequence[str], values: Sequence[str], plans: Mapping[str, str], window: str, cut_s: int = 0
    ) -> list[tuple[Cell, int, Counts]]:
        """What each cell has in each hour; with `cut_s` (epoch s) of the hour that it lies in, before it."""
        of_value = self.kind not in ("", PLAN)
        sql = CELLS.format(
            shared="value" if of_value else "''",
            looped="true" if of_value else LOOPED,
            its=ITS if of_value else "",
            judged=HOUR_NOT_LEFT_OUT if of_value else NOT_LEFT_OUT,
            only=f"{TAIL if window else ''} {UNTIL if cut_s else ''}",
        )
        asked: dict[str, Any] = {"dimension": DIMENSIONS.get(self.kind, "provider"), "fbl": list(self.feedback_loop)}
        asked |= {"values": list(values), "since": self.extent.start_s, "until": self.extent.end_s}
        if window:
            asked["minute"] = 60 - window_ms(window) // 1000 // MINUTE_S
        if cut_s:
            asked |= {"cut": cut_s, "since": cut_s // HOUR_S * HOUR_S, "until": cut_s}
        found = []
        for names in portions(self.store, customers):
            for customer, value, hour, *numbers in self.store.rows(sql, {**asked, "customers": names}):
                if self.kind != PLAN or customer in plans:
                    cell = str(customer), plans[customer] if self.kind == PLAN else str(value)
                    found.append((cell, int(hour), np.array(numbers, np.int64)))
        return found
