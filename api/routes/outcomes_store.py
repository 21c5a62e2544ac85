"""Failures and complaints as they are stored, page by page, the latest first.

Only recipients' hashes are stored (`ingest.hash_key`), so nobody can make addresses of them; what leads a customer to
the recipient is the message's id, and the same hash says that it is the same recipient.
"""

from typing import Any, NamedTuple

from schemas.event import COMPLAINT_FEEDBACK
from streams.io.store import Store

#: The order of the table, backwards: time, source, position and id tell rows apart, and a row that was stored twice is
#: given once.
Key = tuple[int, str, int, str]

_READ = """
SELECT {columns}
FROM events
WHERE customer = {{customer:String}} AND events.time >= fromUnixTimestamp64Milli({{since:Int64}})
    AND events.time <= fromUnixTimestamp64Milli({{before:Int64}})
    AND (toUnixTimestamp64Milli(events.time), source, position, id)
        < ({{before:Int64}}, {{before_source:String}}, {{before_position:Int64}}, {{before_id:String}})
    AND ({{stream:String}} = '' OR stream = {{stream:String}})
    AND ({{campaign:String}} = '' OR campaign = {{campaign:String}})
    AND ({{provider:String}} = '' OR provider = {{provider:String}})
    AND {chosen}
ORDER BY events.time DESC, source DESC, position DESC, id DESC
LIMIT 1 BY events.time, source, position, id
LIMIT {{limit:UInt32}}
"""
_COMMON = """toUnixTimestamp64Milli(events.time) AS at, source, position, id, toUnixTimestamp(sent) AS sent_s, stream,
    message_id, recipient_hash, recipient_domain, provider, sending_ip, from_domain, campaign"""
FAILURES = _READ.format(
    columns=f"""{_COMMON},
    multiIf(bounce_kind IN ('hard', 'block', 'soft'), bounce_kind, type = 'expired', 'expired', 'soft') AS kind,
    bounce_class, smtp_code, enhanced_status, diagnostic, asynchronous""",
    chosen="""type IN ('bounced', 'expired')
    AND ({kind:String} = 'all'
        OR multiIf(bounce_kind IN ('hard', 'block', 'soft'), bounce_kind, type = 'expired', 'expired', 'soft')
            = {kind:String})
    AND ({bounce_class:String} = '' OR bounce_class = {bounce_class:String})""",
)
COMPLAINTS = _READ.format(
    columns=f"{_COMMON}, type, feedback_type",
    chosen="""((type = 'complained' AND feedback_type IN {feedback:Array(String)})
        OR (type = 'unsubscribed' AND {unsubscribed:Bool}))""",
)


class Wanted(NamedTuple):
    """Of whom, since when (epoch ms), before which row, and how many; what is empty is no filter."""

    customer: str
    since_ms: int
    before: Key
    limit: int
    stream: str = ""
    campaign: str = ""
    provider: str = ""


def failures(store: Store, wanted: Wanted, kind: str, bounce_class: str) -> list[dict[str, Any]]:
    """Failures of a kind, the latest first.

    Raises:
        StoreError: the store failed.
    """
    return store.records(FAILURES, {**_asked(wanted), "kind": kind, "bounce_class": bounce_class})


def complaints(store: Store, wanted: Wanted, *, unsubscribed: bool) -> list[dict[str, Any]]:
    """Complaints, the latest first; with `unsubscribed` also those who unsubscribed.

    Raises:
        StoreError: the store failed.
    """
    asked = {"feedback": ["", *sorted(COMPLAINT_FEEDBACK)], "unsubscribed": unsubscribed}
    return store.records(COMPLAINTS, {**_asked(wanted), **asked})


def key_of(row: dict[str, Any]) -> Key:
    """What the row is sorted by."""
    return int(row["at"]), str(row["source"]), int(row["position"]), str(row["id"])


def _asked(wanted: Wanted) -> dict[str, Any]:
    at, source, position, name = wanted.before
    return {
        "customer": wanted.customer,
        "since": wanted.since_ms,
        "before": at,
        "before_source": source,
        "before_position": position,
        "before_id": name,
        "limit": wanted.limit,
        "stream": wanted.stream,
        "campaign": wanted.campaign,
        "provider": wanted.provider,
    }
