"""Scores day by day, as they were last said on each."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from api.http.models.standing import DayScores, ScoreHistory
from api.http.ranges import RangeError, instant
from schemas.standing import stored_standing
from schemas.times import DAY_S
from streams.io.store import Store

#: So long scores are kept (clickhouse/0018_scores.sql), and so many days are answered if nobody says from when.
KEPT_DAYS, SHOWN_DAYS = 400, 30

HISTORY = f"""
SELECT toString(day) AS day, {stored_standing("scores.standing")} AS standing,
    overall_score AS overall, complaints_score AS complaints,
    failures_score AS failures, blocks_score AS blocks, blacklisting_score AS blacklisting
FROM scores FINAL
WHERE customer = {{customer:String}} AND scope = {{scope:String}}
    AND scores.day BETWEEN toDate({{since:UInt16}}) AND toDate({{until:UInt16}})
ORDER BY scores.day
"""  # noqa: S608 - made of texts of this project only


def days(start: str | None, end: str | None, now_ms: int) -> tuple[date, date]:
    """The first and last day (UTC) between two wire times.

    Raises:
        RangeError: a time that cannot be read, or a range that is empty, too old or in the future.
    """
    today = _day("to", now_ms // 1000)
    last = today if end is None else min(_day("to", instant("to", end)), today)
    first = last - timedelta(days=SHOWN_DAYS - 1) if start is None else _day("from", instant("from", start))
    if first > today:
        raise RangeError("from", "lies in the future")
    if first > last:
        raise RangeError("from", "must not lie after `to`")
    if first < today - timedelta(days=KEPT_DAYS):
        raise RangeError("from" if start else "to", f"lies more than {KEPT_DAYS} days back")
    return first, last


def score_history(store: Store, customer: str, scope: str, first: date, last: date) -> ScoreHistory:
    """The scores of one scope on the days from `first` to `last`.

    Raises:
        StoreError: the store failed.
    """
    epoch = date(1970, 1, 1)
    asked: dict[str, Any] = {"since": (first - epoch).days, "until": (last - epoch).days}
    rows = store.records(HISTORY, {"customer": customer, "scope": scope, **asked})
    return ScoreHistory(
        customer=customer,
        scope=scope,
        **{"from": first, "to": last},
        days=[DayScores.model_validate(row) for row in rows],
    )


def _day(parameter: str, at: int) -> date:
    try:
        return datetime.fromtimestamp(at // DAY_S * DAY_S, UTC).date()
    except (ValueError, OverflowError, OSError) as error:
        raise RangeError(parameter, f"is not a time: {error}") from error
