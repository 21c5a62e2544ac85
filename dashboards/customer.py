"""The second row: the customer chosen at the top."""

from collections.abc import Mapping, Sequence

from dashboards.build import RATIO, Group, PlacedPanel, graph, table_panel
from dashboards.fleet import RATE_COLUMNS
from dashboards.links import CASE, SHOW_PROVIDER
from dashboards.rates import (
    BLOCKED,
    COMPLAINABLE,
    COMPLAINED,
    FAILED,
    FINISHED,
    THIS_CUSTOMER,
    fill,
    rate_over_time,
)
from schemas.policy_metric import Metric

STANDING = """
SELECT
    customer AS "Customer",
    if(scope = 'customer', 'all mail', scope) AS "Of",
    standing AS "Standing",
    judged AS "Judged",
    since AS "Since",
    volume AS "Volume, 24 h",
    complaint_rate AS "Complaints",
    observable_mail / nullIf(all_mail, 0) AS "Observable",
    failure_rate AS "Failures",
    block_rate AS "Blocks",
    exposure_rate AS "Exposure",
    overall_score AS "Score",
    arrayStringConcat(reasons, ', ') AS "Rules",
    arrayStringConcat(unobservable, ', ') AS "Not observable",
    if(toUnixTimestamp64Milli(inactive_since) > 0, inactive_since, NULL) AS "No mail since",
    policy_version AS "Policy"
FROM {shown_standings}
WHERE {this_customer}
ORDER BY scope != 'customer', scope
"""

#: 100 is best; what each is made of is in docs/score.md.
SCORES = """
SELECT
    updated AS time,
    overall_score AS "Overall",
    complaints_score AS "Complaints",
    failures_score AS "Failures",
    blocks_score AS "Blocks",
    blacklisting_score AS "Blacklisting"
FROM scores FINAL
WHERE {this_customer} AND scope = 'customer' AND $__timeFilter(updated)
ORDER BY time
"""

#: No complaint rate where no complaint can come from.
PROVIDERS = """
SELECT
    value AS "Provider",
    {finished} AS "Finished",
    sum(delivered) AS "Delivered",
    sum(hard) AS "Hard",
    sum(soft) AS "Soft",
    sum(block) AS "Block",
    sum(expired) AS "Expired",
    sum(deferred) AS "Deferred",
    sum(complained) AS "Complained",
    if(value IN {feedback_loop}, {complained} / nullIf({complainable}, 0), NULL) AS "Complaints",
    {failed} / nullIf({finished}, 0) AS "Failures",
    {blocked} / nullIf({finished}, 0) AS "Blocks"
FROM counts
WHERE dimension = 'provider' AND {this_customer} AND $__timeFilter(bucket)
GROUP BY value
ORDER BY "Finished" DESC, value
"""

BOUNCES = """
SELECT
    bounce_kind AS "Kind",
    bounce_class AS "Class",
    count() AS "Bounces",
    uniqExact(recipient_hash) AS "Recipients",
    arrayStringConcat(topK(3)(provider), ', ') AS "Mostly at",
    argMax(diagnostic, time) AS "Latest answer"
FROM events FINAL
WHERE type = 'bounced' AND {this_customer} AND $__timeFilter(time)
GROUP BY bounce_kind, bounce_class
ORDER BY "Bounces" DESC, bounce_kind, bounce_class
LIMIT 50
"""

ALERTS = """
SELECT
    time AS "Time",
    JSONExtractString(event, 'data', 'alert_id') AS "Alert",
    kind AS "What",
    cause AS "Cause",
    level AS "Level",
    previous_level AS "Before",
    rule AS "Rule",
    scope AS "Scope",
    window AS "Window",
    rate AS "Rate",
    lower AS "At least",
    threshold AS "Threshold",
    numerator AS "Count",
    denominator AS "Of"
FROM alerts FINAL
WHERE {this_customer} AND $__timeFilter(time)
ORDER BY time DESC, id
LIMIT 200
"""

IPS = """
SELECT
    sending.address AS "Address",
    sending.finished AS "Finished",
    sending.failures AS "Failures",
    sending.blocks AS "Blocks",
    arrayStringConcat(arraySort(listed.zones), ', ') AS "Listed on"
FROM
(
    SELECT value AS address,
        {finished} AS finished,
        {failed} / nullIf({finished}, 0) AS failures,
        {blocked} / nullIf({finished}, 0) AS blocks
    FROM counts
    WHERE dimension = 'ip' AND {this_customer} AND $__timeFilter(bucket)
    GROUP BY value
) AS sending
LEFT JOIN
(
    SELECT resource, groupUniqArray(zone) AS zones
    FROM ({open_listings})
    GROUP BY resource
) AS listed ON listed.resource = sending.address
ORDER BY "Finished" DESC, "Address"
LIMIT 200
"""


#: What a rate is of.
DEFINED: Mapping[Metric, str] = {
    "complaint": "Complaints, of deliveries at providers with a feedback loop only.",
    "failure": "Hard bounces and expired mail, of mail whose fate is known.",
    "block": "Mail refused for who sends it, of mail whose fate is known.",
}


def customer(feedback_loop: Sequence[str]) -> Group:
    """The row's panels. `feedback_loop` are the providers that report single complaints."""

    def filled(sql: str) -> str:
        return fill(
            sql,
            feedback_loop,
            this_customer=THIS_CUSTOMER,
            finished=FINISHED,
            failed=FAILED,
            blocked=BLOCKED,
            complained=COMPLAINED,
            complainable=COMPLAINABLE,
        )

    def over_time(title: str, numerator: str, denominator: str, metric: Metric) -> PlacedPanel:
        sql = rate_over_time(numerator, denominator, THIS_CUSTOMER, feedback_loop)
        return PlacedPanel(graph(title, sql, unit=RATIO, metric=metric, description=DEFINED[metric]), 8, 8)

    ratios = RATE_COLUMNS
    return Group(
        "Customer: $customer",
        (
            PlacedPanel(
                table_panel(
                    "Standing",
                    filled(STANDING),
                    ratios=(*ratios, "Observable"),
                    levels=("Standing", "Judged"),
                    links=(("Customer", CASE),),
                ),
                24,
                5,
            ),
            PlacedPanel(graph("Scores, day by day", filled(SCORES), unit="none"), 24, 6),
            over_time("Complaint rate", COMPLAINED, COMPLAINABLE, "complaint"),
            over_time("Failure rate", FAILED, FINISHED, "failure"),
            over_time("Block rate", BLOCKED, FINISHED, "block"),
            PlacedPanel(
                table_panel(
                    "Outcomes by provider", filled(PROVIDERS), ratios=ratios, links=(("Provider", SHOW_PROVIDER),)
                ),
                14,
                8,
            ),
            PlacedPanel(table_panel("Addresses it sends from", filled(IPS), ratios=ratios), 10, 8),
            PlacedPanel(table_panel("Bounce classes", filled(BOUNCES)), 24, 8),
            PlacedPanel(
                table_panel(
                    "Alerts",
                    filled(ALERTS),
                    ratios=("Rate", "At least", "Threshold"),
                    levels=("Level", "Before"),
                    description="`At least` is the lower bound of the rate's interval: what is judged.",
                ),
                24,
                9,
            ),
        ),
    )
