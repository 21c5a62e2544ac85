"""Rates over time, broken down as asked for, and as a picture."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.http.accepting import JSON, wanted
from api.http.access import Service
from api.http.hourly_points import could_be_kept, hourly_points
from api.http.models.parameters import Metric, RatesQuery
from api.http.models.rates import Series, SeriesRow
from api.http.problems import ApiError
from api.http.ranges import MONTH, WINDOW_S, RangeError, Span, judged_since, rfc3339, span, step_name
from api.http.rate_counts import EVERY, OF_EVENTS, Buckets, CountsAsked, counted
from api.http.rates import Definition, PointNumbers, RateBucket, points
from api.http.responses import REFUSALS
from api.http.tags import CUSTOMER
from api.routes.asking import Asked
from api.routes.formats import HEADERS, KINDS, TABLES, table
from schemas.scope import CUSTOMER as CUSTOMER_SCOPE
from schemas.times import FOREVER_S, HOUR_S, MINUTE_S
from streams.io.store import Store

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[CUSTOMER])

#: Points of one answer.
MOST = 40_000
#: How long a rate that is not kept in memory yet is waited for, in s; then it is asked of the store.
WAIT_S = 5.0
#: What is not counted: exposure by anything that addresses have nothing to do with, complaints by kinds of bounces.
NOT_COUNTED: frozenset[tuple[str, str]] = frozenset(
    {("exposure", each) for each in ("provider", "from_domain", "campaign", "bounce_class")}
    | {("complaint", "bounce_class")}
)


class SeriesNumbers(msgspec.Struct, frozen=True):
    """One rate over time, as `NamedSeries`."""

    metric: Metric
    value: str | None
    points: list[PointNumbers]


class SeriesAnswer(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """The answer, as `Series`."""

    customer: str
    scope: str
    by: str | None
    window: str
    start: str
    end: str
    step: str
    step_s: int | None
    series: list[SeriesNumbers]


class SeriesAsked(NamedTuple):
    """Which series, of whom: `window_s` is the sliding window's length in s."""

    customer: str
    metric: Metric
    query: RatesQuery
    cut: Span
    window_s: int


@router.get(
    "/rates",
    summary="Rates over time",
    operation_id="getRates",
    response_description="The rates, bucket by bucket.",
    response_model=Series,
    responses=TABLES,
)
async def get_rates(query: Annotated[RatesQuery, Query()], asked: Asked, request: Request) -> Response:
    """One rate or several in buckets of a minute to a month, of all your mail or of a part of it, whole or broken down.

    Each point has the bucket's own counts and, in `window`, the sliding window that ends with the bucket: the rate that
    the policy judges. The running bucket ends now, and its window is the one that is judged now: it begins at a full
    minute, or at a full hour where it is longer than a day.
    """
    customer = asked.about(query.customer)
    kind = wanted(request.headers.get("accept"), KINDS)
    window_s = WINDOW_S[query.window]
    try:
        cut = span(query.start, query.end, window_s, asked.now_ms, query.step)
    except RangeError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), parameter=error.parameter) from error
    metrics = list(dict.fromkeys(query.metric))
    _check(query, metrics, cut)
    found = []
    for metric in metrics:
        one = SeriesAsked(customer, metric, query, cut, window_s)
        kept = await kept_series(asked.service, one)
        parts = [("", kept)] if kept is not None else await run_in_threadpool(stored_series, asked.service, one)
        found += [SeriesNumbers(metric, value if query.by else None, each) for value, each in parts]
    if kind != JSON:
        plain = [
            SeriesRow(metric=each.metric, value=each.value, **msgspec.to_builtins(point))
            for each in found
            for point in each.points
        ]
        return table(kind, SeriesRow, plain)
    made = SeriesAnswer(
        customer=customer,
        scope=query.scope,
        by=query.by,
        window=query.window,
        start=f"{rfc3339(cut.start):%Y-%m-%dT%H:%M:%SZ}",
        end=f"{rfc3339(cut.end):%Y-%m-%dT%H:%M:%SZ}",
        step=step_name(cut.step),
        step_s=None if cut.step == MONTH else cut.step,
        series=found,
    )
    return Response(msgspec.json.encode(made), headers=HEADERS, media_type=JSON)


async def kept_series(service: Service, asked: SeriesAsked) -> list[PointNumbers] | None:
    """The points of a rate as a whole from what is kept in memory; None where that is not."""
    since = time.monotonic()
    kept = _kept(service, asked, since)
    if kept is None and (coming := _wanted(service, asked, since)) is not None:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(coming)), WAIT_S)
        kept = _kept(service, asked, since)
    return kept


def series(service: Service, asked: SeriesAsked) -> list[tuple[str, list[PointNumbers]]]:
    """The points of a rate, of each value with most mail first; the window of the running bucket is the one that is
    judged now. For a thread that may wait.

    Raises:
        StoreError: the store failed.
    """
    since = time.monotonic()
    kept = _kept(service, asked, since)
    if kept is None and (coming := _wanted(service, asked, since)) is not None:
        with suppress(TimeoutError):
            coming.result(WAIT_S)
        kept = _kept(service, asked, since)
    return [("", kept)] if kept is not None else stored_series(service, asked)


def whole_series(service: Service, several: Sequence[SeriesAsked]) -> list[list[PointNumbers]]:
    """The points of several rates, each as a whole. What is not kept yet is waited for together: it is read at once.

    Raises:
        StoreError: the store failed.
    """
    since = time.monotonic()
    found = [_kept(service, each, since) for each in several]
    missing = [place for place, known in enumerate(found) if known is None]
    coming = [_wanted(service, several[place], since) for place in missing]
    wait([each for each in coming if each is not None], WAIT_S)
    for place in missing:
        found[place] = _kept(service, several[place], since)
    return [
        stored_series(service, each)[0][1] if known is None else known
        for each, known in zip(several, found, strict=True)
    ]


def _is_kept(asked: SeriesAsked) -> bool:
    whole = asked.query.by is None and asked.query.scope == CUSTOMER_SCOPE
    return whole and could_be_kept(asked.metric, asked.cut, asked.window_s)


def _kept(service: Service, asked: SeriesAsked, since: float) -> list[PointNumbers] | None:
    if not _is_kept(asked):
        return None
    kept = service.kept.get(asked.metric, asked.customer, asked.cut.now, since)
    return None if kept is None else hourly_points(kept, asked.cut, asked.window_s)


def _wanted(service: Service, asked: SeriesAsked, since: float) -> "Future[None] | None":
    return service.kept.want(asked.metric, asked.customer, since) if _is_kept(asked) else None


def stored_series(service: Service, asked: SeriesAsked) -> list[tuple[str, list[PointNumbers]]]:
    """The same from the store.

    Raises:
        StoreError: the store failed.
    """
    query, cut, window_s = asked.query, asked.cut, asked.window_s
    grain = HOUR_S if cut.step == MONTH else min(cut.step, HOUR_S)
    wanted = CountsAsked(asked.metric, query.scope, grain, cut.start - window_s, cut.end, query.by, query.top)
    is_running = cut.buckets()[-1][1] == cut.now
    since = judged_since(cut.now, window_s)
    if query.by is None:
        whole = since if grain == MINUTE_S else -(-since // HOUR_S) * HOUR_S
        if is_running:
            # Whole hours of the window that is judged now are among the buckets; it may begin within one.
            wanted = wanted._replace(end=FOREVER_S, minutes=(since, whole) if since < whole else (0, 0))
        found = service.counts.get(wanted, asked.customer)
        buckets, minutes = (each.get("", []) for each in found or ({}, {}))
        running = _sum([*minutes, *(each for each in buckets if each.at >= whole)]) if is_running else None
        return [("", points(buckets, cut, window_s, running))]
    with service.stores.lend() as store:
        by_value = _read(store, asked.customer, wanted, service.definition)
        now: Buckets = {}
        if is_running:
            fine = MINUTE_S if since % HOUR_S else HOUR_S
            # All values are read, since those with most mail may be others in this window.
            all_now = wanted._replace(grain=fine, start=since, end=FOREVER_S, top=EVERY)
            now = _read(store, asked.customer, all_now, service.definition)
    return [
        (value, points(by_value[value], cut, window_s, _sum(now.get(value, [])) if is_running else None))
        for value in sorted(by_value, key=lambda value: (-_size(by_value[value]), value))
    ]


def _read(store: Store, customer: str, asked: CountsAsked, definition: Definition) -> Buckets:
    found = _buckets(store, customer, asked, definition)
    if asked.by in OF_EVENTS:
        whole = _buckets(store, customer, asked._replace(by=None), definition).get("", [])
        found = {value: _over(buckets, whole) for value, buckets in found.items()}
    return found


def _buckets(store: Store, customer: str, asked: CountsAsked, definition: Definition) -> Buckets:
    found = counted(store, [customer], asked, definition).get(customer)
    return found.buckets if found else {}


def _over(some: list[RateBucket], whole: list[RateBucket]) -> list[RateBucket]:
    """The numerators of some over the denominators of all mail."""
    tops = {each.at: each.numerator for each in some}
    bottoms = {each.at: each.denominator for each in whole}
    return [RateBucket(at, tops.get(at, 0), bottoms.get(at, 0)) for at in sorted(tops.keys() | bottoms.keys())]


def _size(buckets: list[RateBucket]) -> int:
    return sum(each.denominator for each in buckets) + sum(each.numerator for each in buckets)


def _sum(buckets: list[RateBucket]) -> tuple[int, int]:
    return sum(each.numerator for each in buckets), sum(each.denominator for each in buckets)


def _check(query: RatesQuery, metrics: list[Metric], cut: Span) -> None:
    refused = next((each for each in metrics if (each, query.by) in NOT_COUNTED), None)
    if refused:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{refused} is not counted by {query.by}", parameter="by")
    count = len(metrics) * (query.top if query.by else 1) * len(cut.buckets())
    if count > MOST:
        detail = f"makes up to {count:,} points, and {MOST:,} are the most: ask for fewer values, or a longer step"
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, parameter="top" if query.by else "step")
