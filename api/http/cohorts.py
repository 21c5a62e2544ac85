"""Complaint rates by the day of sending: each complaint is set against the mail of the day it is about."""

from datetime import timedelta
from typing import Any

from api.http.models.rates import Cohort, Cohorts, Rate
from api.http.rates import Definition
from schemas.event import COMPLAINT_FEEDBACK
from schemas.times import DAY_S, utc_time
from streams.io.store import Store

DAYS = """
SELECT toUInt16(day), sum(complained), sum(delivered) FROM cohort_complaint_rate
WHERE customer = {customer:String} AND day >= toDate({since:UInt16}) AND provider IN {fbl:Array(String)}
GROUP BY day
"""
#: Complaints that nobody can assign to a day.
UNDATED = """
SELECT count() FROM events FINAL
WHERE customer = {customer:String} AND time >= toDateTime({begin:UInt32}) AND sent_day = toDate(0)
    AND type = 'complained' AND feedback_type IN {complaints:Array(String)}
    AND provider IN {fbl:Array(String)}
"""


def cohorts(store: Store, customer: str, days: int, definition: Definition, now_ms: int) -> Cohorts:
    """The last `days` days (UTC) until today at `now_ms` (epoch ms), those without mail too.

    Raises:
        StoreError: the store failed.
    """
    today = utc_time(now_ms).date()
    since = now_ms // 1000 // DAY_S - (days - 1)
    asked: dict[str, Any] = {
        "customer": customer,
        "since": since,
        "begin": since * DAY_S,
        "complaints": ["", *sorted(COMPLAINT_FEEDBACK)],
        "fbl": list(definition.feedback_loop),
    }
    found = {int(day): (int(bad), int(sent)) for day, bad, sent in store.rows(DAYS, asked)}
    return Cohorts(
        customer=customer,
        days=[
            Cohort(day=today - timedelta(days=days - 1 - place), **_rate(found.get(since + place, (0, 0))))
            for place in range(days)
        ],
        undated=int(store.rows(UNDATED, asked)[0][0]),
    )


def _rate(counted: tuple[int, int]) -> dict[str, Any]:
    return Rate.of(*counted).model_dump()
