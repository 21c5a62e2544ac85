"""The alerts that were sent, as they are stored: all of them in their order, or those that are open."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.alert import AlertData, AlertEvent
from schemas.levels import Level
from streams.io.store import Store

_decode = msgspec.json.Decoder(AlertEvent).decode

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


#: Every alert as it stands now, those that began last first. A transition that was repeated after a crash with another
#: level has two rows, of which the later says what was stored.
EPISODES = """
SELECT opened_ms, first, changed_ms, last_event, levels FROM (
    SELECT
        min(toUnixTimestamp64Milli(alerts.time)) AS opened_ms,
        argMin(id, (transition, alerts.time)) AS first,
        max(toUnixTimestamp64Milli(alerts.time)) AS changed_ms,
        argMax(event, (transition, alerts.time)) AS last_event,
        argMax(kind, (transition, alerts.time)) = 'resolved' AS is_over,
        groupUniqArray(level::String) AS levels,
        argMax(if(kind = 'resolved', previous_level, level)::String, (transition, alerts.time)) AS last_level
    FROM alerts FINAL
    WHERE ({everybody:Bool} OR customer = {customer:String})
        AND ({rule:String} = '' OR rule = {rule:String})
        AND ({scope:String} = '' OR scope = {scope:String})
        AND ({alert:String} = '' OR JSONExtractString(event, 'data', 'alert_id') = {alert:String})
    GROUP BY customer, scope, rule, episode
    HAVING opened_ms >= {since:Int64} AND (opened_ms, first) < ({before:Int64}, {before_id:String})
        AND ({state:String} = 'all' OR is_over = ({state:String} = 'resolved'))
        AND (empty({levels:Array(String)}) OR has({levels:Array(String)}, last_level))
)
ORDER BY opened_ms DESC, first DESC
LIMIT {limit:UInt64}
"""

#: The changes of one alert, the first one first.
TRANSITIONS = """
SELECT event FROM alerts FINAL
WHERE customer = {customer:String} AND scope = {scope:String} AND rule = {rule:String} AND episode = {episode:UInt32}
ORDER BY transition, alerts.time
"""
LATEST = (2**62, "")


class EpisodeFilter(NamedTuple):
    """Which alerts are wanted: those of a customer or of `everybody`, that began at or after `since_ms` (epoch ms) and
    `before` that time and first event; what is empty is no filter. An alert that is open has one of `levels` now, one
    that is resolved had it last.
    """

    customer: str = ""
    everybody: bool = False
    levels: tuple[str, ...] = ()
    state: str = "all"
    rule: str = ""
    scope: str = ""
    alert_id: str = ""
    since_ms: int = 0
    before: tuple[int, str] = LATEST
    limit: int = NO_LIMIT


class Episode(NamedTuple):
    """An alert from its beginning: when that was (epoch ms, UTC), the id of its first event, when it changed last, its
    last event, and the levels that it had."""

    opened_ms: int
    first: str
    changed_ms: int
    event: AlertEvent
    levels: tuple[Level, ...]


def episodes(store: Store, wanted: EpisodeFilter) -> list[Episode]:
    """The alerts as they stand now, those that began last first.

    Raises:
        StoreError: the store failed.
    """
    asked = {
        "customer": wanted.customer,
        "everybody": wanted.everybody,
        "levels": list(wanted.levels),
        "state": wanted.state,
        "rule": wanted.rule,
        "scope": wanted.scope,
        "alert": wanted.alert_id,
        "since": wanted.since_ms,
        "before": wanted.before[0],
        "before_id": wanted.before[1],
        "limit": wanted.limit,
    }
    return [
        Episode(int(opened_ms), str(first), int(changed_ms), _decode(event), tuple(levels))
        for opened_ms, first, changed_ms, event, levels in store.rows(EPISODES, asked)
    ]


def transitions(store: Store, alert: AlertData) -> list[AlertEvent]:
    """The changes of an alert, the first one first.

    Raises:
        StoreError: the store failed.
    """
    asked = {name: getattr(alert, name) for name in ("customer", "scope", "rule", "episode")}
    return [_decode(event) for (event,) in store.rows(TRANSITIONS, asked)]
