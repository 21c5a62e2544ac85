"""What is usual for customers at this time of day, read from the hourly projection and kept for the hour.

It is read only of those whose last hour is large enough to be judged by it, which in a large fleet are few.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.counts import VolumeBaseline, finished_sql
from schemas.times import HOUR_S
from streams.io.store import Store, portions
from streams.judge.spikes import FIRST_H, HOURS, baseline
from streams.subjects.arrays import Counts, StreamKey, Subjects
from streams.subjects.left_out import NOT_LEFT_OUT
from streams.subjects.scopes import scopes_of

#: Recipients that finished, by the hour. The innermost query has the shape of the hourly projection.
VOLUMES = f"""
SELECT customer, stream, groupArray(toUInt32(hour)), groupArray(mail)
FROM
(
    SELECT customer, stream, hour, sum(n) AS mail
    FROM
    (
        SELECT customer, stream, toStartOfHour(bucket) AS hour, value,
            {finished_sql("sum({})")} AS n
        FROM counts
        WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
            AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
            AND toStartOfHour(bucket) < toDateTime({{until:UInt32}})
            AND {NOT_LEFT_OUT}
        GROUP BY customer, stream, hour, value
    )
    GROUP BY customer, stream, hour
)
GROUP BY customer, stream
"""  # noqa: S608 - made of names from this project only

#: By customer and scope; those without enough history are absent.
Found = dict[StreamKey, VolumeBaseline]


class Baselines:
    """Reads and keeps them. One thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hour = 0
        self._read: set[str] = set()
        self._found: Found = {}

    def of(self, subjects: Subjects, rows: Sequence[int], now_ms: int) -> Mapping[int, VolumeBaseline]:
        """By the places of subjects, of those at `rows` who have a history.

        Raises:
            StoreError: the store failed.
        """
        hour = now_ms // 1000 // HOUR_S
        if hour != self._hour:
            self.forget()
            self._hour = hour
        unread = {subjects.customers[row] for row in rows} - self._read
        if unread:
            self._found |= read_baselines(self._store, sorted(unread), now_ms)
            self._read |= unread
        usual = {row: self._found.get((subjects.customers[row], subjects.scopes[row])) for row in rows}
        return {row: each for row, each in usual.items() if each is not None}

    def forget(self) -> None:
        """Read everything again from now on."""
        self._read.clear()
        self._found.clear()


def read_baselines(store: Store, customers: Sequence[str], now_ms: int) -> Found:
    """The baselines of customers (sorted) and of each of their streams, for the hour that `now_ms` lies in.

    Raises:
        StoreError: the store failed.
    """
    since = max(0, (now_ms // 1000 // HOUR_S - FIRST_H) * HOUR_S)
    volumes: dict[StreamKey, Counts] = {}
    for part in portions(store, customers):
        asked = {"customers": part, "since": since, "until": since + HOURS * HOUR_S}
        for block in store.blocks(VOLUMES, asked):
            for customer, stream, hours, mail in zip(*block, strict=True):
                places = (hours.astype(np.int64) - since) // HOUR_S
                for scope in scopes_of(stream):
                    found = volumes.setdefault((customer, scope), np.zeros(HOURS, np.int64))
                    found[places] += mail.astype(np.int64)
    usual = {key: baseline(each) for key, each in volumes.items()}
    return {key: each for key, each in usual.items() if each is not None}
