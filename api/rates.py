"""Rates over time from the store's counts. What each rate divides is defined once, in `DIVIDES`."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from api import models
from api.ranges import HOUR, MINUTE, Span, rfc3339
from schemas.counts import WindowCounts
from streams.listings import read_listings
from streams.store import Store
from streams.windows import CUSTOMER, EXPOSING, STREAM_PREFIX

#: Numerator and denominator of each rate.
DIVIDES: Mapping[models.Metric, Callable[[WindowCounts], tuple[int, int]]] = {
    "complaint": lambda counts: (counts.fbl_complained, counts.fbl_delivered),
    "failure": lambda counts: (counts.hard + counts.expired, counts.finished),
    "block": lambda counts: (counts.block, counts.finished),
    "exposure": lambda counts: (counts.exposed, counts.sent),
}

#: The measures that rates are made of. `complained` is needed of feedback-loop providers only.
MEASURES = ("delivered", "hard", "soft", "block", "expired", "late_hard", "late_soft", "late_block")
FIELDS = (*MEASURES, "fbl_delivered", "fbl_complained")
#: `{at}` is the minute or the hour of a count.
AT = {MINUTE: "bucket", HOUR: "toStartOfHour(bucket)"}
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
WITH delivered + hard + soft + block + expired - late_hard - late_soft - late_block AS n_sent
SELECT toUnixTimestamp({{at}}) AS slot, sum(n_sent),
    sumIf(n_sent, arrayExists(
        (ip, begins, ends) -> ip = value AND bucket >= toDateTime(begins) AND bucket < toDateTime(ends),
        {{ips:Array(String)}}, {{begins:Array(UInt32)}}, {{ends:Array(UInt32)}}))
FROM counts
WHERE dimension = 'ip' AND {ASKED}
GROUP BY slot ORDER BY slot
"""  # noqa: S608 - made of names from this project only

FOREVER = 2**32 - 1


class Counted(NamedTuple):
    """What a rate divides, in one minute or hour; `at` is its begin, epoch s."""

    at: int
    numerator: int
    denominator: int


class Question(NamedTuple):
    """Which rate, of whom: `scope` is `customer` or `stream:NAME`, `window_s` the sliding window's length in s."""

    customer: str
    scope: str
    metric: models.Metric
    window_s: int


def series(store: Store, asked: Question, span: Span, feedback_loop: Sequence[str]) -> list[models.Point]:
    """The points of a rate over `span`. `feedback_loop` are the providers that send per-message complaints.

    Raises:
        StoreError: the store failed.
    """
    grain = min(span.step, HOUR)
    window_s = asked.window_s
    counted = _counted(store, asked, grain, (span.start - window_s, span.end), feedback_loop)
    answer = points(counted, span, window_s)
    if span.now % grain and answer[-1].end == rfc3339(span.now):
        # The window that ends now begins inside an hour, where only the minutes can tell.
        moment = Span(span.now - window_s, span.now, window_s, span.now)
        minutes = _counted(store, asked, MINUTE, (moment.start, moment.end), feedback_loop)
        answer[-1] = answer[-1].model_copy(update={"window": points(minutes, moment, window_s)[0].window})
    return answer


def points(counted: Sequence[Counted], span: Span, window_s: int) -> list[models.Point]:
    """One point a bucket of `span`, empty ones too, each with the sliding window that ends with it. Pure.

    `counted` is in order of time and covers the span and one window before it.
    """
    times = [each.at for each in counted]
    numerators = list(accumulate((each.numerator for each in counted), initial=0))
    denominators = list(accumulate((each.denominator for each in counted), initial=0))

    def between(start: int, end: int) -> models.Rate:
        low, high = bisect_left(times, start), bisect_left(times, end)
        return models.Rate.of(numerators[high] - numerators[low], denominators[high] - denominators[low])

    return [
        models.Point(
            time=rfc3339(start),
            end=rfc3339(end),
            window=between(end - window_s, end),
            **between(start, end).model_dump(),
        )
        for start, end in span.buckets()
    ]


def rates_of(counts: WindowCounts) -> models.Rates:
    """Every rate of some counts. Pure."""
    return models.Rates(**{metric: models.Rate.of(*divides(counts)) for metric, divides in DIVIDES.items()})


def _counted(
    store: Store, asked: Question, grain: int, between: tuple[int, int], feedback_loop: Sequence[str]
) -> list[Counted]:
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
        parameters |= {
            "ips": [each.resource for each in listings],
            # A minute counts as exposed from the one in which the listing was first seen.
            "begins": [each.from_ms // 60_000 * MINUTE for each in listings],
            "ends": [FOREVER if each.to_ms is None else each.to_ms // 1000 for each in listings],
        }
        sql, fields = EXPOSURE, ("sent", "exposed")
    else:
        parameters["fbl"] = list(feedback_loop)
        sql, fields = SERIES, FIELDS
    divides = DIVIDES[asked.metric]
    return [
        Counted(int(at), *divides(WindowCounts(**dict(zip(fields, numbers, strict=True)))))
        for at, *numbers in store.rows(sql.replace("{at}", AT[grain]), parameters)
    ]
