"""The thresholds that graphs draw: those in force at each moment, read when a graph is looked at.

Monitors write down by which thresholds they judge, and since when (table `policy_levels`). Overrides of single
customers are not in it, nor are rules about mail to some providers alone.
"""

from dashboards.model import TIME_SERIES, Color, FieldOverride, LineStyle, Matcher, Property, Target
from dashboards.palette import ALERT_LEVELS, LEVEL_COLORS
from schemas.policy_metric import Metric

#: The window whose rate graphs show.
WINDOW = "24h"
#: Which query of a panel it is.
REF = "Thresholds"

#: Each policy's thresholds from when it came into force until the next one, as far as that is in the time shown.
LEVELS_OVER_TIME = """
SELECT arrayJoin([greatest(since, from_time), least(until, to_time)]) AS time, {columns}
FROM
(
    SELECT
        since,
        toDateTime64($__fromTime, 3, 'UTC') AS from_time,
        toDateTime64($__toTime, 3, 'UTC') AS to_time,
        leadInFrame(since - INTERVAL 1 MILLISECOND, 1, to_time)
            OVER (ORDER BY since ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS until,
        {levels}
    FROM
    (
        SELECT since, metric, level, threshold
        FROM policy_levels FINAL
        WHERE has(windows, '{window}') AND empty(providers)
    )
    GROUP BY since
)
WHERE since <= to_time AND until >= from_time
ORDER BY time
"""


def thresholds_in_force(metric: Metric, window: str = WINDOW) -> Target:
    """The query that draws them: a column a level, empty where a policy has none. The strictest of several rules
    counts."""
    levels = ",\n        ".join(
        f"nullIf(minIf(threshold, metric = '{metric}' AND level = '{level}'), 0) AS {level}" for level in ALERT_LEVELS
    )
    columns = ", ".join(f'{level} AS "{level.capitalize()}"' for level in ALERT_LEVELS)
    sql = LEVELS_OVER_TIME.strip().replace("{columns}", columns).replace("{levels}", levels)
    return Target(raw_sql=sql.replace("{window}", window), format=TIME_SERIES, ref_id=REF)


def threshold_lines() -> tuple[FieldOverride, ...]:
    """How they are drawn: dashed, thin, in the colour of the level."""
    return tuple(
        FieldOverride(
            matcher=Matcher(options=level.capitalize()),
            properties=(
                Property(id="color", value=Color(mode="fixed", fixed_color=LEVEL_COLORS[level])),
                Property(id="custom.lineStyle", value=LineStyle()),
                Property(id="custom.lineWidth", value=1),
                Property(id="custom.fillOpacity", value=0),
                Property(id="custom.showPoints", value="never"),
            ),
        )
        for level in ALERT_LEVELS
    )
