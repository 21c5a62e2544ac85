"""What rates over time are made of, as the store has it: by bucket, of one customer or of several at once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from string import Template
from typing import Any, NamedTuple

from api.http.models.parameters import Breakdown, Metric
from api.http.rates import Definition, RateBucket
from schemas.counts import FINISHED, WindowCounts, finished_sql
from schemas.event import COMPLAINT_FEEDBACK
from schemas.scope import CLASS, CUSTOMER, SUB_ACCOUNT
from schemas.times import HOUR_S, MINUTE_S
from streams.io.store import Store
from streams.judge.verdict import measured
from streams.listings.exposure import EXPOSING, THROUGH_LISTED, listed_parameters
from streams.listings.intervals import read_listings

#: The measures that rates are made of. `complained` is needed of feedback-loop providers only.
MEASURES = tuple(FINISHED)
FIELDS = (*MEASURES, "fbl_delivered", "fbl_complained")
#: The minute or the hour of a count.
_AT = {MINUTE_S: "bucket", HOUR_S: "toStartOfHour(bucket)"}
#: Of which part of the mail; a condition is there only where it is asked for, so that the fewest columns are read.
_PART: Mapping[str, str] = {
    CUSTOMER: "",
    "stream": " AND stream = {name:String}",
    CLASS: " AND class = {name:String}",
    SUB_ACCOUNT: " AND startsWith(stream, concat({name:String}, '/'))",
}
#: The dimension of the counts that a breakdown is of, and what of its rows is the value.
_BY: Mapping[str | None, tuple[str, str]] = {
    None: ("provider", "''"),
    "provider": ("provider", "toString(value)"),
    "ip": ("ip", "toString(value)"),
    "from_domain": ("from", "toString(value)"),
    "stream": ("provider", "toString(stream)"),
    "class": ("provider", "toString(class)"),
    "sub_account": ("provider", "extract(stream, '^([^/]+)/')"),
}
#: Breakdowns of which only negative events are known, and their column.
OF_EVENTS: Mapping[str | None, str] = {"campaign": "campaign", "bounce_class": "toString(bounce_class)"}

_CHOSEN = """dimension = '$dimension' AND customer IN {customers:Array(String)}$part
        AND $at >= toDateTime({start:UInt32}) AND $at < toDateTime({end:UInt32})"""
#: The values with most mail.
_TOP = f"""WHERE name IN (
    SELECT $value AS name FROM counts WHERE {_CHOSEN}
    GROUP BY name ORDER BY sum({finished_sql()}) + sum(complained) DESC, name LIMIT {{top:UInt8}})"""  # noqa: S608
#: The inner query has the shape of the hourly projection, so ClickHouse can answer whole hours from it.
COUNTED = Template(f"""
SELECT customer, name, toUnixTimestamp(slot) AS at, {", ".join(f"sum(n_{name})" for name in MEASURES)},
    $looped_delivered, $looped_complained
FROM
(
    SELECT customer, $at AS slot, $value AS name, value,
        {", ".join(f"sum({name}) AS n_{name}" for name in (*MEASURES, "complained"))}
    FROM counts WHERE {_CHOSEN}
    GROUP BY customer, slot, name, value
)
$top
GROUP BY customer, name, slot ORDER BY customer, name, slot
""")  # noqa: S608 - made of names from this project only
#: Whether mail was exposed is decided minute by minute: a listing begins and ends inside an hour.
EXPOSED = Template(f"""
SELECT customer, name, toUnixTimestamp(slot) AS at, sum(n_sent), sum(n_exposed)
FROM
(
    WITH {finished_sql()} AS n
    SELECT customer, $at AS slot, $value AS name, sum(n) AS n_sent, sumIf(n, {THROUGH_LISTED}) AS n_exposed
    FROM counts WHERE {_CHOSEN}
    GROUP BY customer, slot, name
)
$top
GROUP BY customer, name, slot ORDER BY customer, name, slot
""")  # noqa: S608 - made of names from this project only
_NEGATIVE = """
    SELECT customer, $value AS name, intDiv(toUnixTimestamp(if(sent > toDateTime(0), sent, toDateTime(time))), $grain)
            * $grain AS at,
        countIf(type = 'complained' AND feedback_type IN {feedback:Array(String)} AND provider IN {fbl:Array(String)})
            AS complaint,
        countIf((type = 'expired' AND bounce_kind != 'block' AND {expired:Bool})
            OR (type = 'bounced' AND bounce_kind = 'hard')) AS failure,
        countIf(type IN ('bounced', 'expired') AND bounce_kind = 'block') AS block
    FROM events FINAL
    WHERE customer IN {customers:Array(String)}$part AND events.time >= toDateTime({start:UInt32})
    GROUP BY customer, name, at
    HAVING at >= {start:UInt32} AND at < {end:UInt32} AND complaint + failure + block > 0"""
#: What counts against a customer, event by event. An outcome counts in the minute in which its message was sent, where
#: that is known; it is reported later.
EVENTS = Template(f"""
WITH negative AS ({_NEGATIVE})
SELECT customer, name, at, complaint, failure, block FROM negative
WHERE name IN (SELECT name FROM negative GROUP BY name ORDER BY sum($metric) DESC, name LIMIT {{top:UInt8}})
ORDER BY customer, name, at
""")  # noqa: S608 - made of names from this project only
EVERY = 255

#: The buckets of each value; '' stands for all mail.
Buckets = dict[str, list[RateBucket]]


class CountsAsked(NamedTuple):
    """Which rate, of what part of a customer's mail (`scope`), broken down by what, in buckets of `grain` s from
    `start` to `end` (epoch s); the `top` values with most of it."""

    metric: Metric
    scope: str
    grain: int
    start: int
    end: int
    by: Breakdown | None = None
    top: int = EVERY


def counted(store: Store, customers: Sequence[str], asked: CountsAsked, definition: Definition) -> dict[str, Buckets]:
    """The buckets of each customer, in order of time; those without mail are left out.

    Raises:
        StoreError: the store failed.
    """
    part, _, name = asked.scope.partition(":")
    parameters: dict[str, Any] = {
        "customers": list(customers),
        "name": name,
        "start": asked.start,
        "end": asked.end,
        "top": asked.top,
        "fbl": list(definition.feedback_loop),
    }
    found: dict[str, Buckets] = defaultdict(lambda: defaultdict(list))
    read = _events if asked.by in OF_EVENTS else _counts
    for customer, value, bucket in read(store, asked, part, parameters, definition):
        found[customer][value].append(bucket)
    return found


def _counts(
    store: Store, asked: CountsAsked, part: str, parameters: dict[str, Any], definition: Definition
) -> Iterator[tuple[str, str, RateBucket]]:
    dimension, value = _BY[asked.by]
    fields: tuple[str, ...]
    if asked.metric == "exposure":
        parameters |= listed_parameters(read_listings(store, asked.start * 1000, EXPOSING))
        dimension, sql, fields = "ip", EXPOSED, ("sent", "exposed")
    else:
        sql, fields = COUNTED, FIELDS
    only = "value IN {fbl:Array(String)}" if dimension == "provider" else "true"
    looped = {f"looped_{name}": f"sumIf(n_{name}, {only})" for name in ("delivered", "complained")}
    parts = {"dimension": dimension, "value": value, "part": _PART[part], "at": _AT[asked.grain], **looped}
    top = Template(_TOP).substitute(parts) if asked.by else ""
    for customer, name, at, *numbers in store.rows(sql.substitute(parts, top=top), parameters):
        counts = WindowCounts(**dict(zip(fields, numbers, strict=True)))
        yield customer, name, RateBucket(int(at), *measured(asked.metric, counts, definition.expired_is_failure))


def _events(
    store: Store, asked: CountsAsked, part: str, parameters: dict[str, Any], definition: Definition
) -> Iterator[tuple[str, str, RateBucket]]:
    """Numerators alone."""
    parts = {"value": OF_EVENTS[asked.by], "part": _PART[part], "grain": asked.grain, "metric": asked.metric}
    parameters |= {"feedback": ["", *sorted(COMPLAINT_FEEDBACK)], "expired": definition.expired_is_failure}
    place = ("complaint", "failure", "block").index(asked.metric)
    for customer, name, at, *numbers in store.rows(EVENTS.substitute(parts), parameters):
        yield customer, name, RateBucket(int(at), int(numbers[place]), 0)
