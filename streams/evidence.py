"""What stands behind a verdict: who contributed, and samples, from the events and counts stored."""

from typing import Any

from schemas.alert import Evidence, Share
from streams.exposure import EXPOSING
from streams.listings import read_listings
from streams.store import Store
from streams.subjects import STREAM_PREFIX
from streams.totals import HOUR_S, MINUTE_S, SHORT_S

TOP = 5
SAMPLES = 10

#: Which events are the numerator of a metric. `{kinds}` are bounce kinds, `{types}` event types.
CONTRIBUTORS = """
SELECT dimension, name, count, size
FROM
(
    SELECT 'provider' AS dimension, value AS name,
        toInt64(sum(complained) * {complaints:UInt8}
            + (sum(hard) + sum(expired)) * {failures:UInt8}
            + sum(block) * {blocks:UInt8}
            + (sum(delivered) + sum(hard) + sum(soft) + sum(block)) * {all:UInt8}) AS count,
        toInt64(sum(delivered) + sum(hard) + sum(soft) + sum(block) + sum(expired)) AS size
    FROM counts
    WHERE dimension = 'provider' AND customer = {customer:String} AND bucket >= toDateTime({since:UInt32})
        AND (stream = {stream:String} OR {stream:String} = '')
        AND (NOT {complaints:UInt8} OR value IN {fbl:Array(String)})
    GROUP BY value
    UNION ALL
    SELECT 'ip' AS dimension, value AS name,
        toInt64(sum(complained) * {complaints:UInt8}
            + (sum(hard) + sum(expired)) * {failures:UInt8}
            + sum(block) * {blocks:UInt8}
            + (sum(delivered) + sum(hard) + sum(soft) + sum(block)) * {all:UInt8}) AS count,
        toInt64(sum(delivered) + sum(hard) + sum(soft) + sum(block) + sum(expired)) AS size
    FROM counts
    WHERE dimension = 'ip' AND customer = {customer:String} AND bucket >= toDateTime({since:UInt32})
        AND (stream = {stream:String} OR {stream:String} = '')
    GROUP BY value
)
WHERE count > 0
ORDER BY dimension, count DESC, name
LIMIT {top:UInt8} BY dimension
"""

EVENT_FILTER = """
FROM events FINAL
WHERE customer = {customer:String} AND time >= toDateTime({since:UInt32})
    AND (stream = {stream:String} OR {stream:String} = '')
    AND ((type = 'complained' AND {complaints:UInt8} AND provider IN {fbl:Array(String)})
        OR (type = 'expired' AND {failures:UInt8})
        OR (type = 'bounced' AND bounce_kind = 'hard' AND {failures:UInt8})
        OR (type = 'bounced' AND bounce_kind = 'block' AND {blocks:UInt8}))
"""

CLASSES = f"""
SELECT if(bounce_class = '', type, bounce_class) AS name, count() AS n
{EVENT_FILTER}
GROUP BY name ORDER BY n DESC, name LIMIT {{top:UInt8}}
"""

SAMPLE_IDS = f"""
SELECT message_id
{EVENT_FILTER}
    AND message_id != ''
ORDER BY time DESC, message_id LIMIT {{samples:UInt8}}
"""

LISTED_RULES = ("critical_listing", "exposure")


def collect(
    store: Store,
    customer: str,
    scope: str,
    metric: str,
    window_ms: int,
    feedback_loop_providers: tuple[str, ...],
    now_ms: int,
) -> Evidence:
    """The evidence of one verdict, over the window it was judged by.

    Raises:
        StoreError: the store failed.
    """
    length_s = window_ms // 1000
    grain = MINUTE_S if length_s <= SHORT_S else HOUR_S
    asked: dict[str, Any] = {
        "customer": customer,
        "stream": scope.removeprefix(STREAM_PREFIX) if scope.startswith(STREAM_PREFIX) else "",
        "since": max(0, (now_ms // 1000 - length_s) // grain * grain),
        "fbl": list(feedback_loop_providers),
        "complaints": int(metric == "complaint"),
        "failures": int(metric == "failure"),
        "blocks": int(metric == "block"),
        "all": int(metric in LISTED_RULES),
        "top": TOP,
        "samples": SAMPLES,
    }
    shares: dict[str, list[Share]] = {"provider": [], "ip": []}
    for dimension, name, count, volume in store.rows(CONTRIBUTORS, asked):
        shares[dimension].append(Share(name=name, count=int(count), volume=int(volume)))
    ips = tuple(shares["ip"])
    return Evidence(
        providers=tuple(shares["provider"]),
        ips=ips,
        bounce_classes=tuple(Share(name=name, count=int(count)) for name, count in store.rows(CLASSES, asked)),
        listings=_listings(store, {each.name for each in ips}, now_ms - window_ms) if metric in LISTED_RULES else (),
        sample_message_ids=tuple(str(row[0]) for row in store.rows(SAMPLE_IDS, asked)),
    )


def _listings(store: Store, ips: set[str], since_ms: int) -> tuple[str, ...]:
    found = [each for each in read_listings(store, since_ms, EXPOSING) if each.resource in ips]
    return tuple(f"{each.resource} on {each.zone} ({each.weight})" for each in found)
