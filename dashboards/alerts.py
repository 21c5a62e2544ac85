"""The dashboard "Alerts and incidents": what is open, on what evidence, and what people decided."""

from dashboards.build import Group, PlacedPanel, graph, stats, table_panel
from dashboards.choices import chosen
from dashboards.links import HELD, HOLD, INCIDENT, OF_CUSTOMER
from dashboards.palette import ALERT_COLORS, STATE_COLORS

#: Streams are chosen by the scope that an alert is about; one about all mail of a customer is shown with any.
SCOPES = f"(NOT startsWith(scope, 'stream:') OR {chosen('substring(scope, 8)', 'stream')})"
LEVELS = chosen("level", "level")

#: The states of alerts that are open, by customer, scope and rule (streams/alerts/lifecycle.py).
OPEN_STATES = f"""
    SELECT customer, scope, rule, argMax(alert_states.level, alert_states.updated) AS level,
        argMax(alert_states.state, alert_states.updated) AS state
    FROM alert_states
    WHERE {SCOPES}
    GROUP BY customer, scope, rule
    HAVING level != 'good' OR JSONExtractBool(state, 'lifted')
"""  # noqa: S608 - made of texts of this project only

COUNTED = f"""
SELECT
    countIf(level = 'critical') AS "Critical",
    countIf(level = 'excessive') AS "Excessive",
    countIf(level = 'warning') AS "Warning",
    countIf(level = 'watch') AS "Watch",
    countIf(JSONHas(state, 'held')) AS "Held",
    countIf(JSONHas(state, 'acknowledged')) AS "Acknowledged"
FROM ({OPEN_STATES})
"""  # noqa: S608

#: Each open alert with its last transition: how sure it is, and who stands behind it.
OPEN = f"""
SELECT
    if(standing.customer = '', '(together)', standing.customer) AS "Customer",
    last.alert AS "Alert",
    standing.level AS "Level",
    if(standing.scope = 'customer', 'all mail', standing.scope) AS "Of",
    standing.rule AS "Rule",
    fromUnixTimestamp64Milli(JSONExtractInt(standing.state, 'opened_ms'), 'UTC') AS "Since",
    last.rate AS "Rate",
    last.lower AS "At least",
    last.threshold AS "Threshold",
    last.numerator AS "Count",
    last.denominator AS "Mail",
    last.window AS "Window",
    last.explanation AS "What happened",
    arrayStringConcat(arrayFilter(each -> each != '', [
        JSONExtractString(last.evidence, 'providers', 1, 'name'), JSONExtractString(last.evidence, 'ips', 1, 'name'),
        JSONExtractString(last.evidence, 'bounce_classes', 1, 'name'),
        JSONExtractString(last.evidence, 'from_domains', 1, 'name'),
        JSONExtractString(last.evidence, 'campaigns', 1, 'name'), JSONExtractString(last.evidence, 'listings', 1)
    ]), ', ') AS "Mostly at",
    JSONExtractString(last.evidence, 'bounce_classes', 1, 'sample') AS "Typical answer",
    JSONExtractString(last.evidence, 'sample_message_ids', 1) AS "A message",
    JSONExtractString(standing.state, 'acknowledged', 'by') AS "Acknowledged by",
    JSONExtractString(standing.state, 'held', 'reason') AS "Held for"
FROM ({OPEN_STATES}) AS standing
LEFT JOIN
(
    SELECT customer, scope, rule, rate, lower, threshold, numerator, denominator, window,
        JSONExtractString(event, 'data', 'alert_id') AS alert,
        JSONExtractString(event, 'data', 'explanation') AS explanation,
        JSONExtractRaw(event, 'data', 'evidence') AS evidence
    FROM alerts FINAL
    WHERE (customer, scope, rule) IN (SELECT customer, scope, rule FROM ({OPEN_STATES}))
    ORDER BY episode DESC, transition DESC
    LIMIT 1 BY customer, scope, rule
) AS last ON last.customer = standing.customer AND last.scope = standing.scope AND last.rule = standing.rule
WHERE {LEVELS}
ORDER BY indexOf(['watch', 'warning', 'excessive', 'critical'], "Level") DESC, "Since" DESC, "Customer", "Rule"
LIMIT 500
"""  # noqa: S608

#: The table is named where its column `time` is meant, since the bucket is called `time` too.
OVER_TIME = f"""
SELECT
    $__timeInterval(alerts.time) AS time,
    countIf(level = 'watch') AS "Watch",
    countIf(level = 'warning') AS "Warning",
    countIf(level = 'excessive') AS "Excessive",
    countIf(level = 'critical') AS "Critical"
FROM alerts FINAL
WHERE kind IN ('opened', 'reopened', 'escalated', 'override-ended') AND $__timeFilter(alerts.time) AND {LEVELS}
    AND {SCOPES}
GROUP BY time
ORDER BY time
"""  # noqa: S608

BY_RULE = f"""
SELECT $__timeInterval(alerts.time) AS time, rule AS name, count() AS opened
FROM alerts FINAL
WHERE kind IN ('opened', 'reopened') AND $__timeFilter(alerts.time) AND {LEVELS} AND {SCOPES}
GROUP BY time, name
ORDER BY time, name
"""  # noqa: S608

TRANSITIONS = f"""
SELECT
    alerts.time AS "Time",
    customer AS "Customer",
    JSONExtractString(event, 'data', 'alert_id') AS "Alert",
    kind AS "What",
    cause AS "Cause",
    previous_level AS "Before",
    level AS "Level",
    rule AS "Rule",
    if(scope = 'customer', 'all mail', scope) AS "Of",
    JSONExtractString(event, 'data', 'explanation') AS "What happened"
FROM alerts FINAL
WHERE $__timeFilter(alerts.time) AND ({LEVELS} OR kind = 'resolved') AND {SCOPES}
ORDER BY alerts.time DESC, id
LIMIT 200
"""  # noqa: S608

#: Monitors' findings and people's decisions are two rows: the state is the decision's, the hours are the monitor's.
INCIDENTS = """
SELECT
    id AS "Incident",
    if(value = '*', 'all mail', value) AS "Where",
    outcome AS "What",
    state AS "State",
    if(open, 'goes on', '') AS "Now",
    hours[1] AS "From",
    hours[-1] + INTERVAL 1 HOUR AS "Until",
    JSONExtractFloat(detail, 'rate') AS "Rate",
    JSONExtractFloat(detail, 'usual') AS "Usual",
    JSONExtractUInt(detail, 'struck') AS "Struck",
    JSONExtractUInt(detail, 'spared') AS "Spared",
    arrayStringConcat(arrayMap(
        each -> JSONExtractString(each, 'customer'), JSONExtractArrayRaw(detail, 'examples')), ', ') AS "For example",
    JSONExtractString(decision, 'by') AS "Decided by",
    JSONExtractString(decision, 'why') AS "Why"
FROM
(
    SELECT id, argMin(dimension, decided) AS dimension, argMin(value, decided) AS value,
        argMin(outcome, decided) AS outcome, argMax(state, decided) AS state, argMin(open, decided) AS open,
        argMin(hours, decided) AS hours, argMin(fleet_incidents.detail, decided) AS detail,
        argMax(fleet_incidents.detail, decided) AS decision
    FROM fleet_incidents FINAL
    GROUP BY id
)
WHERE notEmpty(hours) AND hours[1] <= $__toTime AND hours[-1] + INTERVAL 1 HOUR >= $__fromTime
ORDER BY open DESC, "From" DESC, "Incident"
LIMIT 200
"""

HOLDS = """
SELECT
    id AS "Hold",
    reason AS "Reason",
    fromUnixTimestamp64Milli(JSONExtractInt(detail, 'began_ms'), 'UTC') AS "Since",
    JSONExtractUInt(detail, 'customers') AS "Customers",
    JSONExtractUInt(detail, 'limit') AS "More than",
    if(JSONExtractInt(detail, 'ended_ms') > 0, 'over', 'waits') AS "State"
FROM holds FINAL
WHERE until >= $__fromTime AND fromUnixTimestamp64Milli(JSONExtractInt(detail, 'began_ms'), 'UTC') <= $__toTime
ORDER BY "State" = 'waits' DESC, "Since" DESC, "Hold"
LIMIT 100
"""

#: What was read is in the audit too, and is nothing that was decided.
DECISIONS = """
SELECT
    audit.time AS "Time",
    who AS "Who",
    action AS "What",
    customer AS "Customer",
    subject AS "About",
    why AS "Why"
FROM audit FINAL
WHERE $__timeFilter(audit.time) AND action != 'read' AND NOT startsWith(action, 'key ')
ORDER BY audit.time DESC, action, customer, subject
LIMIT 200
"""

OPEN_COLORS = {**ALERT_COLORS, "Held": "purple", "Acknowledged": "blue"}
RATES = ("Rate", "At least", "Threshold")


def open_alerts() -> Group:
    """What is open now."""
    counted = stats("Open alerts", COUNTED.strip(), OPEN_COLORS, "Of the chosen streams, whenever they were opened.")
    table = table_panel(
        "Open alerts, worst first",
        OPEN.strip(),
        ratios=RATES,
        levels=("Level",),
        links=(("Customer", OF_CUSTOMER), ("Held for", HELD)),
        widths=(("What happened", 420), ("Typical answer", 320)),
        description="`Rate` is what was measured when the alert last changed, `At least` the lower bound of its "
        "interval: what is judged. A rule that counts listings, hours or volume has a number there. `Alert` is the "
        "id that `repmon explain`, the HTTP interface and mail use.",
    )
    return Group("Open now", (PlacedPanel(counted, 24, 4), PlacedPanel(table, 24, 12)))


def alert_history() -> Group:
    """What was opened and resolved in the time shown."""
    levels = graph(
        "Alerts by level",
        OVER_TIME.strip(),
        stacked=True,
        colors=ALERT_COLORS,
        description="Alerts opened or escalated, by the level they reached.",
    )
    rules = graph("Alerts opened, by rule", BY_RULE.strip(), stacked=True, by="name")
    transitions = table_panel(
        "Transitions",
        TRANSITIONS.strip(),
        levels=("Level", "Before"),
        links=(("Customer", OF_CUSTOMER),),
        widths=(("What happened", 420),),
    )
    return Group(
        "In the time shown", (PlacedPanel(levels, 12, 8), PlacedPanel(rules, 12, 8), PlacedPanel(transitions, 24, 10))
    )


def decided() -> Group:
    """What hits many, what is held, and what people decided."""
    incidents = table_panel(
        "Incidents",
        INCIDENTS.strip(),
        ratios=("Rate", "Usual"),
        levels=("State",),
        colors=STATE_COLORS,
        links=(("Incident", INCIDENT),),
        description="What hit many customers together. The mail of detected and declared ones is left out of verdicts.",
    )
    holds = table_panel("Holds", HOLDS.strip(), links=(("Hold", HOLD),), description="Alerts that wait for a person.")
    decisions = table_panel("What people decided", DECISIONS.strip(), links=(("Customer", OF_CUSTOMER),))
    return Group(
        "Incidents, holds and decisions",
        (PlacedPanel(incidents, 24, 8), PlacedPanel(holds, 10, 8), PlacedPanel(decisions, 14, 8)),
    )
