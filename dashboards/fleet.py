"""The first row: all customers together."""

from collections.abc import Sequence

from dashboards.build import RATIO, Group, PlacedPanel, graph, stats, table_panel
from dashboards.links import OF_CUSTOMER
from dashboards.palette import ALERT_COLORS, LEVEL_COLORS, OUTCOME_COLORS
from dashboards.rates import (
    COMPLAINABLE,
    COMPLAINED,
    EVERYBODY,
    FAILED,
    FINISHED,
    fill,
    rate_over_time,
)

STANDINGS = """
SELECT
    countIf(standing = 'critical') AS "Critical",
    countIf(standing = 'excessive') AS "Excessive",
    countIf(standing = 'warning') AS "Warning",
    countIf(standing = 'watch') AS "Watch",
    countIf(standing = 'good') AS "Good",
    countIf(standing = 'insufficient_volume') AS "Too little mail",
    countIf(standing = 'inactive') AS "Inactive",
    countIf(standing = 'suspended') AS "Suspended",
    countIf(standing = 'reinstated') AS "Reinstated"
FROM {shown_standings}
WHERE scope = 'customer'
"""

WORST = """
SELECT
    customer AS "Customer",
    standing AS "Standing",
    since AS "Since",
    volume AS "Volume, 24 h",
    complaint_rate AS "Complaints",
    observable_mail / nullIf(all_mail, 0) AS "Observable",
    failure_rate AS "Failures",
    block_rate AS "Blocks",
    exposure_rate AS "Exposure",
    overall_score AS "Score",
    arrayStringConcat(reasons, ', ') AS "Rules",
    arrayStringConcat(unobservable, ', ') AS "Not observable"
FROM {shown_standings}
WHERE scope = 'customer'
ORDER BY indexOf(['good', 'watch', 'warning', 'excessive', 'critical'], judged) DESC,
    complaint_rate DESC, failure_rate DESC, customer
LIMIT 50
"""

OUTCOMES = """
SELECT
    $__timeInterval(bucket) AS time,
    sum(delivered) * 60 / $__interval_s AS "Delivered",
    sum(deferred) * 60 / $__interval_s AS "Deferred",
    sum(hard) * 60 / $__interval_s AS "Hard bounce",
    sum(soft) * 60 / $__interval_s AS "Soft bounce",
    sum(block) * 60 / $__interval_s AS "Block",
    sum(expired) * 60 / $__interval_s AS "Expired",
    sum(suppressed) * 60 / $__interval_s AS "Suppressed",
    sum(rejected) * 60 / $__interval_s AS "Rejected",
    sum(unsubscribed) * 60 / $__interval_s AS "Unsubscribed",
    sum(complained) * 60 / $__interval_s AS "Complaint"
FROM counts
WHERE dimension = 'provider' AND $__timeFilter(bucket)
GROUP BY time
ORDER BY time
"""

#: The table is named where its column `time` is meant, since the bucket is called `time` too.
ALERTS = """
SELECT
    $__timeInterval(alerts.time) AS time,
    countIf(level = 'watch') AS "Watch",
    countIf(level = 'warning') AS "Warning",
    countIf(level = 'excessive') AS "Excessive",
    countIf(level = 'critical') AS "Critical"
FROM alerts FINAL
WHERE kind IN ('opened', 'reopened', 'escalated', 'override-ended') AND $__timeFilter(alerts.time)
GROUP BY time
ORDER BY time
"""

STANDING_COLORS = {
    **ALERT_COLORS,
    "Good": LEVEL_COLORS["good"],
    "Too little mail": LEVEL_COLORS["insufficient_volume"],
    "Inactive": LEVEL_COLORS["inactive"],
    "Suspended": LEVEL_COLORS["suspended"],
    "Reinstated": LEVEL_COLORS["reinstated"],
}
RATE_COLUMNS = ("Complaints", "Failures", "Blocks", "Exposure")


def fleet(feedback_loop: Sequence[str]) -> Group:
    """The row's panels. `feedback_loop` are the providers that report single complaints."""
    return Group(
        "Fleet",
        (
            *_customers(feedback_loop),
            *_rates(feedback_loop),
            *_events(feedback_loop),
        ),
    )


def _customers(feedback_loop: Sequence[str]) -> tuple[PlacedPanel, ...]:
    """How many customers have which standing, and the worst of them."""
    standings = stats(
        "Customers by standing",
        fill(STANDINGS, feedback_loop),
        STANDING_COLORS,
        "Where the monitor last saw each customer.",
    )
    worst = table_panel(
        "Worst customers",
        fill(WORST, feedback_loop),
        ratios=(*RATE_COLUMNS, "Observable"),
        levels=("Standing",),
        links=(("Customer", OF_CUSTOMER),),
        description="By standing, then complaint rate. Rates are of the last 24 hours. `Observable`: the part of the "
        "deliveries of 30 days that went to providers with a feedback loop, so that complaints could come.",
    )
    return PlacedPanel(standings, 24, 4), PlacedPanel(worst, 24, 10)


def _rates(feedback_loop: Sequence[str]) -> tuple[PlacedPanel, ...]:
    """The rates of all customers together."""
    complaints = graph(
        "Fleet complaint rate",
        rate_over_time(COMPLAINED, COMPLAINABLE, EVERYBODY, feedback_loop),
        unit=RATIO,
        metric="complaint",
        description="Complaints per delivered mail, at providers with a feedback loop only.",
    )
    failures = graph(
        "Fleet failure rate",
        rate_over_time(FAILED, FINISHED, EVERYBODY, feedback_loop),
        unit=RATIO,
        metric="failure",
        description="Hard bounces and expired mail per recipient whose fate is known.",
    )
    return PlacedPanel(complaints, 12, 8), PlacedPanel(failures, 12, 8)


def _events(feedback_loop: Sequence[str]) -> tuple[PlacedPanel, ...]:
    """What became of messages, and the alerts."""
    outcomes = graph("Events per minute by outcome", fill(OUTCOMES, feedback_loop), stacked=True, colors=OUTCOME_COLORS)
    alerts = graph(
        "Alerts by level",
        fill(ALERTS, feedback_loop),
        stacked=True,
        colors=ALERT_COLORS,
        description="Alerts opened or escalated, by the level they reached.",
    )
    return PlacedPanel(outcomes, 12, 8), PlacedPanel(alerts, 12, 8)
