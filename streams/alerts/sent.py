"""The alerts that were sent, as they are stored: all of them in their order, or those that are open."""

from collections.abc import Sequence
from typing import NamedTuple

from streams.io.store import Store

#: Every transition, the newest of them where they are limited.
SENT = """
SELECT time_ms, id, event FROM (
    SELECT toUnixTimestamp64Milli(alerts.time) AS time_ms, id, event
    FROM alerts FINAL
    WHERE (alerts.time, id) > (fromUnixTimestamp64Milli({after:Int64}), {after_id:String})
        AND alerts.time >= fromUnixTimestamp64Milli({since:Int64})
        AND ({customer:String} = '' OR customer = {customer:String})
        AND (empty({levels:Array(String)}) OR hasAny({levels:Array(String)}, [level::String, previous_level::String]))
    ORDER BY time_ms DESC, id DESC
    LIMIT {limit:UInt64}
)
ORDER BY time_ms, id
"""

#: The last transition of every alert that is not resolved.
OPEN = """
SELECT time_ms, id, event FROM (
    SELECT
        max(toUnixTimestamp64Milli(alerts.time)) AS time_ms,
        argMax(id, transition) AS id,
        argMax(event, transition) AS event,
        argMax(kind, transition) AS kind,
        argMax(level, transition) AS level
    FROM alerts
    WHERE {customer:String} = '' OR customer = {customer:String}
    GROUP BY customer, scope, rule, episode
    HAVING kind != 'resolved' AND time_ms >= {since:Int64}
        AND (empty({levels:Array(String)}) OR level IN {levels:Array(String)})
    ORDER BY time_ms DESC, id DESC
    LIMIT {limit:UInt64}
)
ORDER BY time_ms, id
"""

NO_LIMIT = 2**63 - 1


class AlertFilter(NamedTuple):
    """Which alerts are wanted. `since_ms` is epoch ms, UTC; what is empty is no filter.

    Of a transition one of `levels` was reached or left; an alert that is open has one of them now.
    """

    customer: str = ""
    levels: tuple[str, ...] = ()
    since_ms: int = 0
    limit: int | None = None


class SentAlert(NamedTuple):
    """One transition: when it was sent (epoch ms, UTC), its id, and the CloudEvent as JSON."""

    time_ms: int
    id: str
    event: str


def sent_alerts(store: Store, wanted: AlertFilter, after: SentAlert | None = None) -> list[SentAlert]:
    """The transitions sent, oldest first; those after one, where it is given.

    Raises:
        StoreError: the store failed.
    """
    asked = _asked(wanted) | {"after": after.time_ms if after else 0, "after_id": after.id if after else ""}
    return _read(store.rows(SENT, asked))


def open_alerts(store: Store, wanted: AlertFilter) -> list[SentAlert]:
    """The last transition of each alert that is open, that with the oldest first.

    Raises:
        StoreError: the store failed.
    """
    return _read(store.rows(OPEN, _asked(wanted)))


def _asked(wanted: AlertFilter) -> dict[str, object]:
    return {
        "customer": wanted.customer,
        "levels": list(wanted.levels),
        "since": wanted.since_ms,
        "limit": NO_LIMIT if wanted.limit is None else wanted.limit,
    }


def _read(rows: Sequence[Sequence[object]]) -> list[SentAlert]:
    return [SentAlert(int(str(time_ms)), str(name), str(event)) for time_ms, name, event in rows]
