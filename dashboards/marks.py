"""What is marked on the graphs of every dashboard: alerts, incidents, policies, suspensions.

A query gives `time`, `timeEnd` where it lasted, `text` and `tags` (the plugin's documentation, "Annotations").
"""

from dashboards.board import MarkedEvents, Marks
from dashboards.model import TABLE, Target
from dashboards.rates import THIS_CUSTOMER

#: At most so many marks of a kind: more would only paint the graph over.
MOST = 200

ALERTS = """
SELECT
    alerts.time AS time,
    concat(customer, if(scope = 'customer', '', concat(', ', scope)), ': ', rule, ', ', previous_level, ' to ', level)
        AS text,
    arrayStringConcat([level, kind, rule], ',') AS tags
FROM alerts FINAL
WHERE {whose} AND $__timeFilter(alerts.time)
    AND kind IN ('opened', 'reopened', 'escalated', 'resolved', 'override-ended'){levels}
ORDER BY time DESC
LIMIT {most}
"""

INCIDENTS = """
SELECT
    hours[1] AS time,
    hours[-1] + INTERVAL 1 HOUR AS timeEnd,
    concat(if(value = '*', 'all mail', value), ': ', outcome, ', ', state) AS text,
    arrayStringConcat([dimension, state], ',') AS tags
FROM
(
    SELECT id, argMax(dimension, decided) AS dimension, argMax(value, decided) AS value,
        argMax(outcome, decided) AS outcome, argMax(state, decided) AS state, argMin(hours, decided) AS hours
    FROM fleet_incidents FINAL
    GROUP BY id
)
WHERE notEmpty(hours) AND hours[1] <= $__toTime AND hours[-1] + INTERVAL 1 HOUR >= $__fromTime
ORDER BY time DESC
LIMIT {most}
"""

POLICIES = """
SELECT
    policies.applied AS time,
    concat('policy ', version, ' applied by ', applied_by, if(why = '', '', concat(': ', why))) AS text,
    'policy' AS tags
FROM policies FINAL
WHERE $__timeFilter(policies.applied)
ORDER BY time DESC
LIMIT {most}
"""

SUSPENSIONS = """
SELECT
    audit.time AS time,
    concat(customer, replaceOne(action, 'customer', ''), ' by ', who, if(why = '', '', concat(': ', why))) AS text,
    replaceOne(action, 'customer ', '') AS tags
FROM audit FINAL
WHERE {whose} AND $__timeFilter(audit.time) AND action IN ('customer suspended', 'customer unsuspended')
ORDER BY time DESC
LIMIT {most}
"""

LEVELS = " AND $__conditionalAll(level IN (${level:singlequote}), $level)"


def marks(*, customer: bool = False, levels: bool = False, alerts: bool = True) -> Marks:
    """All four; with `customer` those of the chosen one alone, with `levels` alerts of the chosen levels. Without
    `alerts` these can be switched on."""

    def mark(name: str, color: str, sql: str, *, enable: bool = True) -> MarkedEvents:
        text = sql.strip().replace("{whose}", THIS_CUSTOMER if customer else "1").replace("{most}", str(MOST))
        text = text.replace("{levels}", LEVELS if levels else "")
        return MarkedEvents(
            name=name, icon_color=color, enable=enable, target=Target(raw_sql=text, format=TABLE, ref_id="Marks")
        )

    return Marks(
        list=(
            mark("Alerts", "orange", ALERTS, enable=alerts),
            mark("Incidents", "red", INCIDENTS),
            mark("Policies", "blue", POLICIES),
            mark("Suspensions", "purple", SUSPENSIONS),
        )
    )
