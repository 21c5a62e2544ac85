"""What is usual for customers at this time of day, read from the hourly projection and kept for the hour.

It is read only of those whose last hour is large enough to be judged by it, which in a large fleet are few; and then
too what the whole fleet sends, which is asked again every ten minutes.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from schemas.counts import VolumeBaseline, finished_sql
from schemas.times import HOUR_S
from streams.io.store import Store, portions
from streams.judge.fleet import AS_USUAL, FleetVolume
from streams.judge.spikes import FIRST_H, HOURS, baseline
from streams.subjects import fresh_starts
from streams.subjects.arrays import Counts, StreamKey, Subjects
from streams.subjects.fresh_starts import NOT_BEFORE, Since
from streams.subjects.left_out import NOT_LEFT_OUT, KnownLeftOut
from streams.subjects.scopes import scopes_of
from streams.subjects.stored_fresh_starts import read_since
from streams.subjects.totals import bound
from streams.windows.fleet import fleet_volume_lately

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
#: Of customers with a fresh start, by the minute: mail from before it is not usual any more.
VOLUMES_ANEW = VOLUMES.replace(NOT_LEFT_OUT, f"{NOT_LEFT_OUT} {NOT_BEFORE}")

#: By customer and scope; those without enough history are absent.
Found = dict[StreamKey, VolumeBaseline]


class Baselines:
    """Reads and keeps them. One thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hour = 0
        self._read: set[str] = set()
        self._found: Found = {}

    def of(
        self, subjects: Subjects, rows: Sequence[int], now_ms: int, since: Since, left_out: KnownLeftOut = None
    ) -> Mapping[int, VolumeBaseline]:
        """By the places of subjects, of those at `rows` who have a history. `since` are fresh starts;
        `left_out` is what incidents leave out, where that is known.

        Raises:
            StoreError: the store failed.
        """
        hour = now_ms // 1000 // HOUR_S
        if hour != self._hour:
            self.forget()
            self._hour = hour
        fleet = fleet_volume_lately(self._store, now_ms, left_out)
        unread = {subjects.customers[row] for row in rows} - self._read
        if unread:
            self._found |= read_baselines(self._store, sorted(unread), now_ms, since, fleet, left_out)
            self._read |= unread
        usual = {row: self._found.get((subjects.customers[row], subjects.scopes[row])) for row in rows}
        return {row: msgspec.structs.replace(each, fleet=fleet.now) for row, each in usual.items() if each is not None}

    def forget_some(self, customers: Iterable[str]) -> None:
        """Read these again."""
        self._read.difference_update(customers)
        self._found = {key: each for key, each in self._found.items() if key[0] in self._read}

    def forget(self) -> None:
        """Read everything again from now on."""
        self._read.clear()
        self._found.clear()


def read_baselines(
    store: Store,
    customers: Sequence[str],
    now_ms: int,
    since: Since | None = None,
    fleet: FleetVolume = AS_USUAL,
    left_out: KnownLeftOut = None,
) -> Found:
    """The baselines of customers (sorted) and of each of their streams, for the hour that `now_ms` lies in, scaled by
    what the fleet does.

    `since` are the fresh starts of customers; without it they are looked for.

    Raises:
        StoreError: the store failed.
    """
    first = max(0, (now_ms // 1000 // HOUR_S - FIRST_H) * HOUR_S)
    if since is None:
        since = read_since(store, now_ms, first)
    anew = fresh_starts.among(since, customers) if since else {}
    volumes: dict[StreamKey, Counts] = {}
    for sql, some in ((VOLUMES, [each for each in customers if each not in anew]), (VOLUMES_ANEW, sorted(anew))):
        asked = {"since": first, "until": first + HOURS * HOUR_S}
        if sql is VOLUMES_ANEW:
            asked |= fresh_starts.parameters(anew)
        for part in portions(store, some):
            for block in store.blocks(*bound(sql, {"customers": part, **asked}, left_out)):
                for customer, stream, hours, mail in zip(*block, strict=True):
                    places = (hours.astype(np.int64) - first) // HOUR_S
                    for scope in scopes_of(stream):
                        found = volumes.setdefault((customer, scope), np.zeros(HOURS, np.int64))
                        found[places] += mail.astype(np.int64)
    usual = {key: baseline(each, fleet.before) for key, each in volumes.items()}
    return {key: msgspec.structs.replace(each, fleet=fleet.now) for key, each in usual.items() if each is not None}
