"""What rates over time are made of, as the store has it: by bucket, of one customer or of several at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.http.models.parameters import Breakdown, Metric
from api.http.rates import Definition, RateBucket
from schemas.counts import FINISHED, finished_sql
from schemas.event import COMPLAINT_FEEDBACK
from schemas.scope import CLASS, CUSTOMER, SUB_ACCOUNT
from schemas.times import HOUR_S, MINUTE_S
from streams.io.store import ArrayParameter, Store
from streams.listings.exposure import EXPOSING, THROUGH_LISTED, listed_parameters
from streams.listings.intervals import read_listings

#: The minute or the hour of a count.
SLOT = {MINUTE_S: "bucket", HOUR_S: "toStartOfHour(bucket)"}
#: Of which part of the mail; a condition is there only where it is asked for, so that the fewest columns are read.
PART_OF: Mapping[str, str] = {
    CUSTOMER: "",
    "stream": " AND stream = {name:String}",
    CLASS: " AND class = {name:String}",
    SUB_ACCOUNT: " AND startsWith(stream, concat({name:String}, '/'))",
}
#: The dimension of the counts that a breakdown is of, and what of its rows is the value.
VALUE_OF: Mapping[str | None, tuple[str, str]] = {
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

_WHERE = "customer IN {customers:Array(String)}"
CHOSEN = f"""dimension = '$dimension' AND {_WHERE}$part
        AND $at >= toDateTime({{start:UInt32}}) AND $at < toDateTime({{end:UInt32}})"""
#: The values with most mail.
_TOP = f"""WHERE name IN (
    SELECT $value AS name FROM counts WHERE {CHOSEN}
    GROUP BY name ORDER BY sum({finished_sql()}) + sum(complained) DESC, name LIMIT {{top:UInt8}})"""  # noqa: S608
#: What a rate divides, from the sums of counts: `measured` (`streams.judge.verdict`) in SQL, where it is added up.
DIVIDED: Mapping[str, tuple[str, str]] = {
    "complaint": ("sumIf(n_complained, $looped)", "sumIf(n_delivered, $looped)"),
    "failure": ("sum(n_hard) + if({expired:Bool}, sum(n_expired), 0)", finished_sql("sum(n_{})")),
    "block": ("sum(n_block)", finished_sql("sum(n_{})")),
    "exposure": ("sum(n_exposed)", "sum(n_sent)"),
}
#: The inner query has the shape of the hourly projection, so ClickHouse can answer whole hours from it. Columns that
#: are not asked for cost most of its time.
SUMMED: Mapping[str, str] = {
    "complaint": "sum(delivered) AS n_delivered, sum(complained) AS n_complained",
    "failure": ", ".join(f"sum({name}) AS n_{name}" for name in FINISHED),
    "block": ", ".join(f"sum({name}) AS n_{name}" for name in FINISHED),
    # Whether mail was exposed is decided minute by minute: a listing begins and ends inside an hour.
    "exposure": f"sum({finished_sql()}) AS n_sent, sumIf({finished_sql()}, {THROUGH_LISTED}) AS n_exposed",
}
COUNTED = Template(f"""
SELECT customer, name, $fine AS fine, toUnixTimestamp(slot) AS at,
    toInt64($top_of) AS above, toInt64($bottom_of) AS below
FROM
(
    SELECT customer, $at AS slot, $value AS name, value, $summed
    FROM counts WHERE {CHOSEN}
    GROUP BY customer, slot, name, value
)
$top
GROUP BY customer, name, slot
""")  # noqa: S608 - made of names from this project only
#: One row for each value, in place of hundreds: what the client makes of rows takes longer than the query.
GATHERED = """SELECT customer, name, fine, groupArray(at), groupArray(above), groupArray(below)
FROM ({parts}) GROUP BY customer, name, fine"""
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
SELECT customer, name, 0 AS fine, at, $metric AS above, toInt64(0) AS below FROM negative
WHERE name IN (SELECT name FROM negative GROUP BY name ORDER BY sum($metric) DESC, name LIMIT {{top:UInt8}})
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
    #: Also minutes, where the buckets are hours: from the first to before the second (epoch s).
    minutes: tuple[int, int] = (0, 0)


#: When (epoch s), numerators and denominators.
CountedArrays = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
NO_COUNTS: CountedArrays = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))


class CountedRates(NamedTuple):
    """The buckets of a customer in order of time, and the minutes that were asked for, by value."""

    buckets: Buckets
    minutes: Buckets


def counted(
    store: Store, customers: Sequence[str], asked: CountsAsked, definition: Definition
) -> dict[str, CountedRates]:
    """What was counted of each customer; those without mail are left out.

    Raises:
        StoreError: the store failed.
    """
    parameters = _parameters(customers, asked, definition)
    part = asked.scope.partition(":")[0]
    found: dict[str, CountedRates] = defaultdict(lambda: CountedRates({}, {}))
    parts = (_events if asked.by in OF_EVENTS else _counts)(store, asked, part, parameters)
    for customer, value, fine, *columns in store.rows(GATHERED.format(parts=parts), parameters):
        found[customer][int(fine)][value] = sorted(map(RateBucket, *columns))
    return found


def _parameters(customers: Sequence[str], asked: CountsAsked, definition: Definition) -> dict[str, Any]:
    return {
        "customers": ArrayParameter(customers),
        "name": asked.scope.partition(":")[2],
        "start": asked.start,
        "end": asked.end,
        "top": asked.top,
        "fbl": list(definition.feedback_loop),
        "expired": definition.expired_is_failure,
    }


def counted_arrays(
    store: Store, customers: Sequence[str], asked: CountsAsked, definition: Definition, parts: Sequence[str]
) -> dict[str, tuple[CountedArrays, CountedArrays]]:
    """The same of all mail, as arrays that are in no order, of what is in some parts of the table.

    Raises:
        StoreError: the store failed.
    """
    parameters = _parameters(customers, asked, definition) | {"parts": list(parts)}
    sql = _counts(store, asked, CUSTOMER, parameters).replace(_WHERE, f"{_WHERE} AND _part IN {{parts:Array(String)}}")
    found: dict[str, list[CountedArrays]] = defaultdict(lambda: [NO_COUNTS, NO_COUNTS])
    for block in store.blocks(GATHERED.format(parts=sql), parameters):
        for customer, _, fine, *columns in zip(*block, strict=True):
            found[customer][int(fine)] = tuple(each.astype(np.int64) for each in columns)
    return {customer: (buckets, minutes) for customer, (buckets, minutes) in found.items()}


def _counts(store: Store, asked: CountsAsked, part: str, parameters: dict[str, Any]) -> str:
    """The query; what it is bound to is added to the parameters."""
    dimension, value = VALUE_OF[asked.by]
    if asked.metric == "exposure":
        since = min(asked.start, asked.minutes[0] or asked.start)
        parameters |= listed_parameters(read_listings(store, since * 1000, EXPOSING))
        dimension = "ip"
    looped = "value IN {fbl:Array(String)}" if dimension == "provider" else "true"
    top_of, bottom_of = (Template(each).safe_substitute(looped=looped) for each in DIVIDED[asked.metric])
    parts = {"dimension": dimension, "value": value, "part": PART_OF[part], "at": SLOT[asked.grain], "fine": "0"}
    parts |= {"summed": SUMMED[asked.metric], "top_of": top_of, "bottom_of": bottom_of}
    sql = COUNTED.substitute(parts, top=Template(_TOP).substitute(parts) if asked.by else "")
    if asked.minutes != (0, 0):
        fine = COUNTED.substitute(parts | {"at": SLOT[MINUTE_S], "fine": "1"}, top="")
        sql = f"{sql} UNION ALL {fine.replace('{start:', '{minutes_start:').replace('{end:', '{minutes_end:')}"
        parameters |= dict(zip(("minutes_start", "minutes_end"), asked.minutes, strict=True))
    return sql


def _events(_: Store, asked: CountsAsked, part: str, parameters: dict[str, Any]) -> str:
    """The query for numerators alone."""
    parts = {"value": OF_EVENTS[asked.by], "part": PART_OF[part], "grain": asked.grain, "metric": asked.metric}
    parameters |= {"feedback": ["", *sorted(COMPLAINT_FEEDBACK)]}
    return EVENTS.substitute(parts)
