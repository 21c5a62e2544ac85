"""What the whole fleet sends now and sent in the last weeks, of a sample of customers: see `streams.judge.fleet`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from schemas.counts import FINISHED, finished_sql
from schemas.times import DAY_S, HOUR_S, MINUTE_S
from streams.io.store import Store
from streams.judge.fleet import AS_USUAL, LONGER_H, FleetVolume, fleet_volume
from streams.judge.spikes import DAYS, FIRST_H
from streams.subjects.arrays import Counts
from streams.subjects.left_out import NOT_LEFT_OUT, KnownLeftOut
from streams.subjects.totals import begin, bound

#: So long it is taken for granted what the fleet sends.
KEPT_MS = 600_000
#: The hours of customers, which are the same until the running one is over.
Hours = dict[str, Counts]


@dataclass(slots=True)
class _Kept:
    """What was read by a connection at `read_ms` (epoch ms), in an `hour`."""

    read_ms: int
    volume: FleetVolume
    hour: int
    hours: Hours


_KEPT: WeakKeyDictionary[Store, _Kept] = WeakKeyDictionary()

#: So many customers are asked at most: their median is that of all within a few percent.
MOST_ASKED = 100

#: A sample by a hash of the names, first of those who send now. The inner query has the shape of the hourly projection.
SENDING = """
SELECT customer
FROM
(
    SELECT customer, toStartOfHour(bucket) AS hour, sum(delivered) AS mail
    FROM counts
    WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
        AND toStartOfHour(bucket) < toDateTime({until:UInt32})
    GROUP BY customer, hour
)
WHERE mail > 0
GROUP BY customer
ORDER BY max(hour) < toDateTime({current:UInt32}), cityHash64(customer)
LIMIT {most:UInt32}
"""

#: Finished recipients by customer and clock hour. The inner query has the shape of the hourly projection.
BY_HOUR = f"""
SELECT customer, toUInt32(hour), {finished_sql("toInt64(sum(n_{}))")}
FROM
(
    SELECT customer, toStartOfHour(bucket) AS hour, value, {", ".join(f"sum({name}) AS n_{name}" for name in FINISHED)}
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
        AND toStartOfHour(bucket) < toDateTime({{until:UInt32}})
        AND {NOT_LEFT_OUT}
    GROUP BY customer, hour, value
)
GROUP BY customer, hour
"""  # noqa: S608 - made of names from this project only

#: The same by how many days ago, in the minutes of the day in which the last 60 lie.
BY_DAY = f"""
SELECT customer, intDiv({{until:UInt32}} - 1 - toUInt32(bucket), {DAY_S}) AS back, {finished_sql("toInt64(sum({}))")}
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
    AND ({{until:UInt32}} - 1 - toUInt32(bucket)) % {DAY_S} < {{length:UInt32}}
    AND {NOT_LEFT_OUT}
GROUP BY customer, back
"""  # noqa: S608 - made of names from this project only


def fleet_volume_lately(store: Store, now_ms: int, left_out: KnownLeftOut = None) -> FleetVolume:
    """What the fleet sends, as it was read at most `KEPT_MS` ago by this connection.

    Raises:
        StoreError: the store failed.
    """
    kept, hour = _KEPT.get(store), now_ms // 1000 // HOUR_S
    if kept is None or not kept.read_ms <= now_ms < kept.read_ms + KEPT_MS:
        hours = kept.hours if kept is not None and kept.hour == hour else {}
        kept = _KEPT[store] = _Kept(now_ms, read_fleet_volume(store, now_ms, hours, left_out), hour, hours)
    return kept.volume


def read_fleet_volume(
    store: Store, now_ms: int, known: Hours | None = None, left_out: KnownLeftOut = None
) -> FleetVolume:
    """What the fleet sends in the 60 minutes that end with the minute of `now_ms` (epoch ms), and sent before.

    What is `known` of the full hours before is not read again, and what is read is put there.

    Raises:
        StoreError: the store failed.
    """
    running = now_ms // 1000 // HOUR_S * HOUR_S
    until = (now_ms // 1000 // MINUTE_S + 1) * MINUTE_S
    sending = {
        "since": max(0, running - LONGER_H[-1] * HOUR_S),
        "until": until,
        "current": begin(HOUR_S * 1000, now_ms) // HOUR_S * HOUR_S,
        "most": MOST_ASKED,
    }
    customers = sorted(str(customer) for (customer,) in store.rows(SENDING, sending))
    if not customers:
        return AS_USUAL
    known = {} if known is None else known
    since = max(0, running - FIRST_H * HOUR_S)
    if unread := [customer for customer in customers if customer not in known]:
        asked = {"since": since, "until": running}
        known |= zip(
            unread, _table(store, *bound(BY_HOUR, asked, left_out), unread, FIRST_H, (since, HOUR_S)), strict=True
        )
    hours = np.stack([known[customer] for customer in customers])
    length = until - begin(HOUR_S * 1000, now_ms)
    minutes = _table(
        store,
        *bound(BY_DAY, {"since": max(0, until - DAYS * DAY_S - length), "until": until, "length": length}, left_out),
        customers,
        DAYS + 1,
        (0, 1),
    )
    return fleet_volume(minutes, hours)


def _table(
    store: Store, sql: str, asked: Mapping[str, Any], customers: Sequence[str], columns: int, grid: tuple[int, int]
) -> Counts:
    """A row a customer; the place in it is what the query says, less the first of `grid`, by the second."""
    row_of = {customer: row for row, customer in enumerate(customers)}
    found = np.zeros((len(customers), columns), np.int64)
    first, step = grid
    for block in store.blocks(sql, {"customers": list(customers), **asked}):
        rows = np.array([row_of[customer] for customer in block[0].tolist()], np.intp)
        found[rows, (block[1].astype(np.int64) - first) // step] = block[2].astype(np.int64)
    return found
