"""What people decided, one row each, only ever added (table `audit`); and the verdicts next to it (table `alerts`)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from streams.io.store import Store

#: What operators read of customers' data over HTTP (`api.http.reads`); shown only to who asks for it.
READ = "read"
#: Later than anything.
LATEST_MS = 2**62

NOTED = """
SELECT count() FROM audit
WHERE time = {time:DateTime64(3, 'UTC')} AND action = {action:String} AND customer = {customer:String}
    AND subject = {subject:String} AND who = {who:String}
"""

#: Newest first. Who reached a verdict is the monitor, which has no name.
ENTRIES = """
SELECT toUnixTimestamp64Milli(audit.time) AS time_ms, who, action, customer, subject, why, detail
FROM audit FINAL
WHERE audit.time >= fromUnixTimestamp64Milli({since:Int64})
    AND ({customer:String} = '' OR customer = {customer:String})
    AND ({reads:Bool} OR action != 'read')
    AND ({who:String} = '' OR positionCaseInsensitiveUTF8(who, {who:String}) > 0)
    AND ({action:String} = '' OR action = {action:String})
    AND time_ms <= {until:Int64}
ORDER BY time_ms DESC, action, customer, subject LIMIT {limit:UInt32}
UNION ALL
SELECT toUnixTimestamp64Milli(alerts.time) AS time_ms, '' AS who, concat('verdict ', kind) AS action, customer,
    JSONExtractString(event, 'data', 'alert_id') AS subject, JSONExtractString(event, 'data', 'explanation') AS why,
    toJSONString(map('scope', scope, 'rule', rule, 'level', level, 'previous_level', previous_level, 'cause', cause,
        'policy_version', policy_version)) AS detail
FROM alerts FINAL
WHERE {verdicts:Bool} AND {who:String} = '' AND ({action:String} = '' OR concat('verdict ', kind) = {action:String})
    AND alerts.time >= fromUnixTimestamp64Milli({since:Int64})
    AND ({customer:String} = '' OR customer = {customer:String})
    AND time_ms <= {until:Int64}
ORDER BY time_ms DESC, episode DESC, transition DESC, customer, subject LIMIT {limit:UInt32}
"""
#: What was done in a time, and how often.
ACTIONS = """
SELECT action, count() AS times FROM audit
WHERE time >= fromUnixTimestamp64Milli({since:Int64}) GROUP BY action ORDER BY times DESC, action LIMIT 200
"""


class Decision(NamedTuple):
    """Who did what (`action`) to what (`subject`, within `customer` if it has one), when (UTC) and why."""

    time: datetime
    who: str
    action: str
    customer: str
    subject: str
    why: str
    detail: Mapping[str, Any]


def record_decision(store: Store, decision: Decision) -> None:
    """Add the row.

    Raises:
        StoreError: the store failed.
    """
    record_decisions(store, [decision])


def record_decisions(store: Store, decisions: Sequence[Decision]) -> None:
    """Add a row for each, at once.

    Raises:
        StoreError: the store failed.
    """
    columns = {name: [getattr(each, name) for each in decisions] for name in Decision._fields if name != "detail"}
    columns["detail"] = [msgspec.json.encode(each.detail).decode() for each in decisions]
    store.insert("audit", columns)


def is_recorded(store: Store, decision: Decision) -> bool:
    """Whether its row is there.

    Raises:
        StoreError: the store failed.
    """
    asked = {name: getattr(decision, name) for name in ("time", "who", "action", "customer", "subject")}
    ((found,),) = store.rows(NOTED, asked)
    return bool(found)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is on record, at `time_ms` (epoch ms, UTC): a decision, or a change of an alert. Then `who` is
    empty, `subject` the alert's id and `why` its explanation.
    """

    time_ms: int
    who: str
    action: str
    customer: str
    subject: str
    why: str
    detail: dict[str, Any]


def entries(
    store: Store,
    since_ms: int,
    limit: int,
    *,
    customer: str = "",
    verdicts: bool = True,
    reads: bool = False,
    until_ms: int = LATEST_MS,
    who: str = "",
    action: str = "",
) -> list[Entry]:
    """The latest `limit` entries from `since_ms` (epoch ms) until `until_ms`, newest first; with `customer` only that
    one's, with `who` of those whose name has this text in it, with `action` of this one alone; with `reads` also what
    operators read over HTTP.

    Raises:
        StoreError: the store failed.
    """
    asked = {"since": since_ms, "limit": limit, "customer": customer, "verdicts": verdicts}
    asked |= {"reads": reads, "until": until_ms, "who": who, "action": action}
    found = [
        Entry(
            time_ms=int(time_ms),
            who=str(who),
            action=str(action),
            customer=str(whose),
            subject=str(subject),
            why=str(why),
            detail=msgspec.json.decode(detail, type=dict[str, Any]) if detail else {},
        )
        for time_ms, who, action, whose, subject, why, detail in store.rows(ENTRIES, asked)
    ]
    # Both parts are sorted already, and this keeps the order of what is of one moment.
    return sorted(found, key=lambda each: each.time_ms, reverse=True)[:limit]


def actions(store: Store, since_ms: int) -> dict[str, int]:
    """What was done since a time (epoch ms), and how often, most often first.

    Raises:
        StoreError: the store failed.
    """
    return {str(action): int(times) for action, times in store.rows(ACTIONS, {"since": since_ms})}
