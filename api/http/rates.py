"""Rates over time from the store's counts. What each rate divides is defined where it is judged."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple, get_args

from api.http.models.parameters import Metric
from api.http.models.rates import Point, Rate, Rates
from api.http.ranges import Span, judged_since, rfc3339
from schemas.counts import FINISHED, WindowCounts, finished_sql
from schemas.scope import CUSTOMER, STREAM_PREFIX
from schemas.times import FOREVER_S, HOUR_S, MINUTE_S
from streams.io.store import Store
from streams.judge.verdict import measured
from streams.listings.exposure import EXPOSING, THROUGH_LISTED, listed_parameters
from streams.listings.intervals import read_listings

METRICS: tuple[Metric, ...] = get_args(Metric)

#: The measures that rates are made of. `complained` is needed of feedback-loop providers only.
MEASURES = tuple(FINISHED)
FIELDS = (*MEASURES, "fbl_delivered", "fbl_complained")
#: `{at}` is the minute or the hour of a count.
AT = {MINUTE_S: "bucket", HOUR_S: "toStartOfHour(bucket)"}
ASKED = """customer = {customer:String} AND ({whole:Bool} OR stream = {stream:String})
        AND {at} >= toDateTime({start:UInt32}) AND {at} < toDateTime({end:UInt32})"""

#: The inner query has the shape of the hourly projection, so ClickHouse can answer whole hours from it.
SERIES = f"""
SELECT toUnixTimestamp(slot), {", ".join(f"sum(n_{name})" for name in MEASURES)},
    sumIf(n_delivered, value IN {{fbl:Array(String)}}),
    sumIf(n_complained, value IN {{fbl:Array(String)}})
FROM
(
    SELECT {{at}} AS slot, value, {", ".join(f"sum({name}) AS n_{name}" for name in (*MEASURES, "complained"))}
    FROM counts
    WHERE dimension = 'provider' AND {ASKED}
    GROUP BY slot, value
)
GROUP BY slot ORDER BY slot
"""  # noqa: S608 - made of names from this project only

#: Whether mail was exposed is decided minute by minute: a listing begins and ends inside an hour.
EXPOSURE = f"""
WITH {finished_sql()} AS n_sent
SELECT toUnixTimestamp({{at}}) AS slot, sum(n_sent),
    sumIf(n_sent, {THROUGH_LISTED})
FROM counts
WHERE dimension = 'ip' AND {ASKED}
GROUP BY slot ORDER BY slot
"""  # noqa: S608 - made of names from this project only


class RateBucket(NamedTuple):
    """What a rate divides, in one minute or hour; `at` is its begin, epoch s."""

    at: int
    numerator: int
    denominator: int


class Definition(NamedTuple):
    """What the rates are made of: the providers that send per-message complaints, and whether mail that was given
    up counts as failed (the policy says so).
    """

    feedback_loop: tuple[str, ...]
    expired_is_failure: bool = True


class RateRequest(NamedTuple):
    """Which rate, of whom: `scope` is `customer` or `stream:NAME`, `window_s` the sliding window's length in s."""

    customer: str
    scope: str
    metric: Metric
    window_s: int


def series(store: Store, asked: RateRequest, span: Span, definition: Definition) -> list[Point]:
    """The points of a rate over `span`. The window of the running bucket is the one that is judged now.

    Raises:
        StoreError: the store failed.
    """
    grain = min(span.step, HOUR_S)
    window_s = asked.window_s
    counted = _counted(store, asked, grain, (span.start - window_s, span.end), definition)
    answer = points(counted, span, window_s)
    if answer[-1].end == rfc3339(span.now):
        since = judged_since(span.now, window_s)
        grain = MINUTE_S if since % HOUR_S else HOUR_S
        running = _counted(store, asked, grain, (since, FOREVER_S), definition)
        window = Rate.of(sum(each.numerator for each in running), sum(each.denominator for each in running))
        answer[-1] = answer[-1].model_copy(update={"window": window})
    return answer


def points(counted: Sequence[RateBucket], span: Span, window_s: int) -> list[Point]:
    """One point a bucket of `span`, empty ones too, each with the sliding window that ends with it. Pure.

    `counted` is in order of time and covers the span and one window before it.
    """
    times = [each.at for each in counted]
    numerators = list(accumulate((each.numerator for each in counted), initial=0))
    denominators = list(accumulate((each.denominator for each in counted), initial=0))

    def between(start: int, end: int) -> Rate:
        low, high = bisect_left(times, start), bisect_left(times, end)
        return Rate.of(numerators[high] - numerators[low], denominators[high] - denominators[low])

    return [
        Point(
            time=rfc3339(start),
            end=rfc3339(end),
            window=between(end - window_s, end),
            **between(start, end).model_dump(),
        )
        for start, end in span.buckets()
    ]


def rates_of(counts: WindowCounts, definition: Definition) -> Rates:
    """Every rate of some counts. Pure."""
    return Rates(**{metric: Rate.of(*measured(metric, counts, definition.expired_is_failure)) for metric in METRICS})


def _counted(
    store: Store, asked: RateRequest, grain: int, between: tuple[int, int], definition: Definition
) -> list[RateBucket]:
    start, end = between
    parameters: dict[str, Any] = {
        "customer": asked.customer,
        "whole": asked.scope == CUSTOMER,
        "stream": asked.scope.removeprefix(STREAM_PREFIX),
        "start": start,
        "end": end,
    }
    fields: tuple[str, ...]
    if asked.metric == "exposure":
        listings = read_listings(store, start * 1000, EXPOSING)
        parameters |= listed_parameters(listings)
        sql, fields = EXPOSURE, ("sent", "exposed")
    else:
        parameters["fbl"] = list(definition.feedback_loop)
        sql, fields = SERIES, FIELDS
    return [
        RateBucket(int(at), *measured(asked.metric, WindowCounts(**named), definition.expired_is_failure))
        for at, *numbers in store.rows(sql.replace("{at}", AT[grain]), parameters)
        for named in (dict(zip(fields, numbers, strict=True)),)
    ]
