"""The first row: all customers together."""

from collections.abc import Sequence

from dashboards.build import LEVEL_COLORS, RATIO, Group, PlacedPanel, graph, stats, table_panel
from dashboards.limits import Limits
from dashboards.model import Link
from dashboards.rates import (
    COMPLAINABLE,
    COMPLAINED,
    EVERYBODY,
    FAILED,
    FINISHED,
    fill,
    rate_over_time,
)
from schemas.times import HOUR_S

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

#: A listing stands until its list says otherwise; how old the last answer is says how much that is worth.
LISTINGS = """
SELECT
    listed.resource AS "Resource",
    listed.zone AS "List",
    listed.weight AS "Weight",
    listed.since AS "Since",
    greatest(listed.seen, looks.looked) AS "Last looked",
    dateDiff('second', greatest(listed.seen, looks.looked), now()) AS "Age",
    listed.meaning AS "Meaning",
    greatest(used.customers, named.customers) AS "Customers, 48 h",
    causes.likeliest AS "Likeliest cause",
    causes.share AS "Its share"
FROM ({open_listings}) AS listed
LEFT JOIN
(
    SELECT value AS address, uniqExact(customer) AS customers
    FROM counts
    WHERE dimension = 'ip' AND bucket >= now() - INTERVAL 48 HOUR
    GROUP BY address
) AS used ON used.address = listed.resource
LEFT JOIN
(
    SELECT domain, uniqExact(customer) AS customers
    FROM
    (
        SELECT value AS domain, customer
        FROM counts
        WHERE dimension = 'from' AND bucket >= now() - INTERVAL 48 HOUR
        UNION ALL
        SELECT value AS domain, customer
        FROM counts
        WHERE dimension = 'dkim' AND bucket >= now() - INTERVAL 48 HOUR
    )
    GROUP BY domain
) AS named ON named.domain = listed.resource
LEFT JOIN
(
    SELECT resource, zone, looked FROM blocklist_looks FINAL
) AS looks ON looks.resource = listed.resource AND looks.zone = listed.zone
LEFT JOIN
(
    SELECT resource, zone, began, if(shares[1] > 0, customers[1], '') AS likeliest,
        if(shares[1] > 0, shares[1], NULL) AS share
    FROM listing_causes FINAL
) AS causes ON causes.resource = listed.resource AND causes.zone = listed.zone AND causes.began = listed.since
ORDER BY indexOf(['critical', 'major', 'minor', 'informational'], listed.weight), listed.since, listed.resource,
    listed.zone
"""

#: Listings that were in force in the time shown, and for how long of it, added up.
POOLS = """
SELECT
    if(pool = '', '(not known)', pool) AS "Pool",
    weight AS "Weight",
    countIf(ended = toDateTime64(0, 3, 'UTC')) AS "In force",
    count() AS "In this time",
    sum(greatest(0, dateDiff('second', greatest(began, $__fromTime),
        if(ended = toDateTime64(0, 3, 'UTC'), $__toTime, least(ended, $__toTime))))) / 3600 AS "Listed hours"
FROM listing_causes FINAL
WHERE kind = 'ip' AND began <= $__toTime AND (ended = toDateTime64(0, 3, 'UTC') OR ended >= $__fromTime)
GROUP BY pool, weight
ORDER BY indexOf(['critical', 'major', 'minor', 'informational'], weight), "Listed hours" DESC, "Pool"
"""

OUTCOME_COLORS = {
    "Delivered": "green",
    "Deferred": "light-yellow",
    "Hard bounce": "red",
    "Soft bounce": "light-orange",
    "Block": "purple",
    "Expired": "dark-red",
    "Suppressed": "text",
    "Rejected": "light-blue",
    "Unsubscribed": "blue",
    "Complaint": "dark-orange",
}
ALERT_LEVELS = ("watch", "warning", "excessive", "critical")
ALERT_COLORS = {level.capitalize(): LEVEL_COLORS[level] for level in ALERT_LEVELS}
STANDING_COLORS = {
    **ALERT_COLORS,
    "Good": LEVEL_COLORS["good"],
    "Too little mail": LEVEL_COLORS["insufficient_volume"],
    "Inactive": LEVEL_COLORS["inactive"],
    "Suspended": LEVEL_COLORS["suspended"],
    "Reinstated": LEVEL_COLORS["reinstated"],
}
#: An answer about a listing is old once even lists that are asked hourly should have given another, and too old when
#: Prometheus alerts.
OLD_S = 2 * HOUR_S
TOO_OLD_S = 6 * HOUR_S
RATE_COLUMNS = ("Complaints", "Failures", "Blocks", "Exposure")


def fleet(feedback_loop: Sequence[str], limits: Limits, dashboard_uid: str) -> Group:
    """The row's panels. `feedback_loop` are the providers that report single complaints."""
    return Group(
        "Fleet",
        (
            *_customers(feedback_loop, dashboard_uid),
            *_rates(feedback_loop, limits),
            *_events(feedback_loop),
            *_listings(feedback_loop),
        ),
    )


def _customers(feedback_loop: Sequence[str], dashboard_uid: str) -> tuple[PlacedPanel, ...]:
    """How many customers have which standing, and the worst of them."""
    this_customer = Link(
        title="Show this customer",
        url=f"/d/{dashboard_uid}?var-customer=${{__value.raw:percentencode}}&${{__url_time_range}}",
    )
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
        links=(("Customer", this_customer),),
        description="By standing, then complaint rate. Rates are of the last 24 hours. `Observable`: the part of the "
        "deliveries of 30 days that went to providers with a feedback loop, so that complaints could come.",
    )
    return PlacedPanel(standings, 24, 4), PlacedPanel(worst, 24, 10)


def _rates(feedback_loop: Sequence[str], limits: Limits) -> tuple[PlacedPanel, ...]:
    """The rates of all customers together."""
    complaints = graph(
        "Fleet complaint rate",
        rate_over_time(COMPLAINED, COMPLAINABLE, EVERYBODY, feedback_loop),
        unit=RATIO,
        limits=limits.complaint,
        description="Complaints per delivered mail, at providers with a feedback loop only.",
    )
    failures = graph(
        "Fleet failure rate",
        rate_over_time(FAILED, FINISHED, EVERYBODY, feedback_loop),
        unit=RATIO,
        limits=limits.failure,
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


def _listings(feedback_loop: Sequence[str]) -> tuple[PlacedPanel, ...]:
    """What is on blocklists."""
    open_listings = table_panel(
        "Open blocklist listings",
        fill(LISTINGS, feedback_loop),
        ratios=("Its share",),
        ages=(("Age", OLD_S, TOO_OLD_S),),
        description="Listings in force, how long ago the list last answered, how many customers used the "
        "address or domain in 48 hours, and who of those before it began is the likeliest cause. A list "
        "that does not answer ends no listing.",
    )
    pools = table_panel(
        "Listings by pool",
        fill(POOLS, feedback_loop),
        description="Of addresses; hours are added up over listings.",
    )
    return PlacedPanel(open_listings, 24, 8), PlacedPanel(pools, 24, 6)
