"""SQL that all panels share: what each rate divides, and listings that are open.

Placeholders in braces are filled in by `fill`; `$__...` are macros of the plugin, `${...}` Grafana variables.
Columns shown have names with a capital, so that none hides a column of the table it is summed from.
"""

from collections.abc import Sequence

from schemas.counts import finished_sql
from streams.decisions.suspensions import SHOWN_STANDINGS

#: Recipients whose fate is known.
FINISHED = f"({finished_sql('sum({})')})"
FAILED = "(sum(hard) + sum(expired))"
BLOCKED = "sum(block)"
#: Only providers with a feedback loop enter the complaint rate, on both sides of it.
COMPLAINED = "sumIf(complained, value IN {feedback_loop})"
COMPLAINABLE = "sumIf(delivered, value IN {feedback_loop})"

#: Listings in force, one row each. Events are read in order of time; at the same time `delisted` comes first.
OPEN_LISTINGS = """
    SELECT resource, zone, weight, meaning, seen,
        arrayMin(arrayFilter(each -> each > delisted, sightings)) AS since
    FROM
    (
        SELECT resource, zone,
            argMax(weight, (time, type)) AS weight,
            argMax(meaning, (time, type)) AS meaning,
            argMax(type, (time, type)) AS state,
            max(time) AS seen,
            maxIf(time, type = 'delisted') AS delisted,
            groupArrayIf(time, type != 'delisted') AS sightings
        FROM listing_events FINAL
        WHERE type IN ('listed', 'still_listed', 'delisted')
        GROUP BY resource, zone
    )
    WHERE state != 'delisted'
"""

#: A rate in each bucket, and over the 24 hours that end with the bucket, which is what a policy judges.
#: A bucket or day without mail has no rate.
RATE_OVER_TIME = """
SELECT time, "This interval", "Last 24 h"
FROM
(
    SELECT time,
        numerator / nullIf(denominator, 0) AS "This interval",
        sum(numerator) OVER day / nullIf(sum(denominator) OVER day, 0) AS "Last 24 h"
    FROM
    (
        SELECT $__timeInterval(bucket) AS time,
            toInt64({numerator}) AS numerator,
            toInt64({denominator}) AS denominator
        FROM counts
        WHERE dimension = 'provider' AND {whose}
            AND bucket >= $__fromTime - INTERVAL 1 DAY AND bucket <= $__toTime
        GROUP BY time
    )
    WINDOW day AS (ORDER BY toInt64(toUnixTimestamp(time)) RANGE BETWEEN 86399 PRECEDING AND CURRENT ROW)
)
WHERE time >= $__fromTime
ORDER BY time
"""

EVERYBODY = "1"
#: The hours of the time shown. So written it is read from sums by hour, a fraction of the rows (projection `hourly`).
HOURS_SHOWN = "toStartOfHour(bucket) >= toStartOfHour($__fromTime) AND toStartOfHour(bucket) <= $__toTime"
#: `singlequote` puts quotes around the value and escapes those in it.
THIS_CUSTOMER = "customer = ${customer:singlequote}"


def fill(sql: str, feedback_loop: Sequence[str], **placeholders: str) -> str:
    """`sql` with its placeholders filled in; `feedback_loop` are provider names (plain words)."""
    for name, value in placeholders.items():
        sql = sql.replace("{" + name + "}", value)
    # An IN list may not be empty; no provider has an empty name.
    names = ", ".join(f"'{name}'" for name in feedback_loop) or "''"
    sql = sql.replace("{shown_standings}", SHOWN_STANDINGS)
    return sql.replace("{open_listings}", OPEN_LISTINGS).replace("{feedback_loop}", f"({names})").strip()


def rate_over_time(numerator: str, denominator: str, whose: str, feedback_loop: Sequence[str]) -> str:
    """The query of a rate's graph: `whose` is EVERYBODY or THIS_CUSTOMER."""
    return fill(RATE_OVER_TIME, feedback_loop, numerator=numerator, denominator=denominator, whose=whose)
