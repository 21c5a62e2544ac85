"""Since when a rate is too high, and what was usual before: the counts of a window and of the days before it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.alert import Baseline
from schemas.counts import finished_sql
from schemas.policy_metric import BURNS, RATES
from schemas.times import DAY_S, HOUR_S, MINUTE_S
from streams.io.store import Store
from streams.subjects.left_out import NOT_LEFT_OUT
from streams.subjects.scopes import SCOPES
from streams.subjects.totals import begin

#: How far back what is usual reaches, before the window.
BASELINE_DAYS = 30
#: Windows up to this length are looked at by the minute, longer ones by the hour.
BY_MINUTE_S = 6 * HOUR_S
#: The metrics that are made of what `counts` holds by provider, and of which rate.
WITH_HISTORY: Mapping[str, str] = {"complaint": "complaint", "failure": "failure", "block": "block"} | dict(BURNS)

#: A customer and one of its scopes.
Subject = tuple[str, str]
#: Since when (epoch ms), and what was usual.
Past = tuple[int | None, Baseline | None]

TOP = {"complaint": "complained", "failure": "hard + expired * {expired:UInt8}", "block": "block"}
BOTTOM = {"complaint": "delivered", "failure": finished_sql(), "block": finished_sql()}

#: What was usual (at 0), from the hourly projection, and then the window bucket by bucket.
SERIES = """
SELECT customer, scope, toUnixTimestamp(at) AS second, sum(n) AS top, sum(d) AS bottom
FROM
(
    SELECT customer, stream, class, toDateTime(0) AS at, toInt64(sum(summed_top)) AS n, toInt64(sum(summed_bottom)) AS d
    FROM
    (
        SELECT customer, stream, class, toStartOfHour(bucket) AS hour, value,
            {summed_top} AS summed_top, {summed_bottom} AS summed_bottom
        FROM counts
        WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
            AND toStartOfHour(bucket) >= toDateTime({{before:UInt32}})
            AND toStartOfHour(bucket) < toDateTime({{hour:UInt32}})
            AND {judged}
        GROUP BY customer, stream, class, hour, value
    )
    WHERE {whose}
    GROUP BY customer, stream, class
    UNION ALL
    SELECT customer, stream, class, toStartOfInterval(bucket, INTERVAL {grain} SECOND) AS at,
        toInt64({summed_top}) AS n, toInt64({summed_bottom}) AS d
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND bucket >= toDateTime({{since:UInt32}}) AND {whose}
        AND {judged}
    GROUP BY customer, stream, class, at
)
ARRAY JOIN {scopes} AS scope
WHERE (customer, scope) IN arrayZip({{customers:Array(String)}}, {{scopes:Array(String)}})
GROUP BY customer, scope, second
ORDER BY customer, scope, second
"""


def history(
    store: Store,
    subjects: Sequence[Subject],
    metric: str,
    window_ms: int,
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    thresholds: Mapping[Subject, float],
    expired_is_failure: bool,
) -> dict[Subject, Past]:
    """Since when each subject is above its threshold within the window, and what was usual before it.

    `metric` is one of `WITH_HISTORY`.

    Raises:
        StoreError: the store failed.
    """
    since = begin(window_ms, now_ms)
    hour = since // HOUR_S * HOUR_S
    asked: dict[str, Any] = {
        "customers": [customer for customer, _ in subjects],
        "scopes": [scope for _, scope in subjects],
        "fbl": list(feedback_loop_providers),
        "expired": int(expired_is_failure),
        "since": since,
        "hour": hour,
        "before": max(0, hour - BASELINE_DAYS * DAY_S),
    }
    usual: dict[Subject, Baseline] = {}
    series: dict[Subject, list[tuple[int, int, int]]] = defaultdict(list)
    for customer, scope, second, top, bottom in store.rows(_sql(WITH_HISTORY[metric], window_ms), asked):
        if int(second) == 0:
            if bottom > 0:
                usual[customer, scope] = Baseline(days=BASELINE_DAYS, numerator=int(top), denominator=int(bottom))
        else:
            series[customer, scope].append((int(second), int(top), int(bottom)))
    return {
        # The threshold of a burn is a pace, not a rate that could be compared.
        subject: (
            began(series[subject], thresholds[subject]) if subject in thresholds and metric in RATES else None,
            usual.get(subject),
        )
        for subject in subjects
    }


def began(series: Sequence[tuple[int, int, int]], threshold: float) -> int | None:
    """When what is above the threshold began (epoch ms), of buckets (epoch s, numerator, denominator) in order of time.

    From that bucket on the numerator exceeds the threshold's share of the denominator by the most: what came before it
    was rather below. None where it never does.
    """
    excess, most, since = 0.0, 0.0, None
    for second, top, bottom in reversed(series):
        excess += top - threshold * bottom
        if excess > most:
            most, since = excess, second
    return None if since is None else since * 1000


def _sql(metric: str, window_ms: int) -> str:
    return SERIES.format(
        scopes=SCOPES,
        judged=NOT_LEFT_OUT,
        summed_top=_summed(TOP[metric]),
        summed_bottom=_summed(BOTTOM[metric]),
        whose="value IN {fbl:Array(String)}" if metric == "complaint" else "1",
        grain=MINUTE_S if window_ms // 1000 <= BY_MINUTE_S else HOUR_S,
    )


def _summed(expression: str) -> str:
    """The sum of each measure, so that the projection has them; UInt64 must not be taken below 0."""
    words = expression.split(" ")
    return " ".join(f"toInt64(sum({word}))" if word.isidentifier() else word for word in words)
