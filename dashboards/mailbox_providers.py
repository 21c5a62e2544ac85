"""The dashboard "Providers": is it us, one customer, or them?"""

from collections.abc import Sequence

from dashboards.build import RATIO, Group, PlacedPanel, graph, table_panel
from dashboards.choices import chosen
from dashboards.links import OF_CUSTOMER, SHOW_PROVIDER
from dashboards.rates import BLOCKED, FAILED, FINISHED, HOURS_SHOWN, fill
from schemas.counts import FINISHED as MEASURES
from schemas.counts import finished_sql

PROVIDER = chosen("value", "provider")
STREAM = chosen("stream", "stream")
#: Tries that were put off, and all. A bounce that came late was a try like any other, so it is not taken out of these.
DEFERRED = "sum(deferred)"
TRIES = "(sum(delivered) + sum(hard) + sum(soft) + sum(block) + sum(expired) + sum(deferred))"

#: The last whole hour and the running one, next to the seven days before: by how many times more is refused. How many
#: customers are refused is asked of these hours alone.
NOW_AGAINST_USUAL = """
SELECT
    sums.value AS "Provider",
    {finished_now} AS "Finished",
    {deferred_now} / nullIf({finished_now} + {deferred_now}, 0) AS "Deferred",
    {deferred_usual} / nullIf({finished_usual} + {deferred_usual}, 0) AS "Deferred usually",
    {block_now} / nullIf({finished_now}, 0) AS "Blocked",
    {block_usual} / nullIf({finished_usual}, 0) AS "Blocked usually",
    {failed_now} / nullIf({finished_now}, 0) AS "Failed",
    {failed_usual} / nullIf({finished_usual}, 0) AS "Failed usually",
    any(senders.customers) AS "Customers",
    any(senders.refused) / nullIf(any(senders.customers), 0) AS "Of them refused"
FROM
(
    SELECT value, toStartOfHour(bucket) >= {this_hour} AS recent, {measures}
    FROM counts
    WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toStartOfHour($__toTime - INTERVAL 8 DAY)
        AND toStartOfHour(bucket) <= $__toTime AND {provider} AND {stream}
    GROUP BY value, recent
) AS sums
LEFT JOIN
(
    SELECT value, uniq(customer) AS customers, uniqIf(customer, block + deferred > 0) AS refused
    FROM counts
    WHERE dimension = 'provider' AND bucket >= {this_hour} AND bucket <= $__toTime AND {provider} AND {stream}
    GROUP BY value
) AS senders ON senders.value = sums.value
GROUP BY sums.value
ORDER BY "Finished" DESC, "Provider"
LIMIT 50
"""

#: A line for each provider; hours, since that is how finely the fleet is worth reading.
RATE_BY_PROVIDER = """
SELECT $__timeInterval(toStartOfHour(bucket)) AS time, value AS provider, {numerator} / nullIf({denominator}, 0) AS rate
FROM counts
WHERE dimension = 'provider' AND {hours_shown} AND {only} AND {provider} AND {stream}
GROUP BY time, provider
ORDER BY time, provider
"""

#: Who of our customers is refused there most: whether it is one of them.
REFUSED = """
SELECT
    customer AS "Customer",
    {finished} AS "Finished",
    sum(block) AS "Block",
    sum(deferred) AS "Deferred",
    sum(hard) AS "Hard",
    {blocked} / nullIf({finished}, 0) AS "Blocks",
    {failed} / nullIf({finished}, 0) AS "Failures",
    "Block" / nullIf(sum("Block") OVER (), 0) AS "Of all blocks"
FROM counts
WHERE dimension = 'provider' AND {hours_shown} AND {provider} AND {stream}
GROUP BY customer
ORDER BY "Block" DESC, "Finished" DESC, customer
LIMIT 50
"""

#: What their servers say.
ANSWERS = """
SELECT
    provider AS "Provider",
    bounce_class AS "Class",
    bounce_kind AS "Kind",
    count() AS "Answers",
    uniq(customer) AS "Customers",
    any(smtp_code) AS "Code",
    argMax(diagnostic, events.time) AS "Latest answer",
    max(events.time) AS "Last seen"
FROM events FINAL
WHERE events.type = 'bounced' AND $__timeFilter(events.time) AND {provider_of_events} AND {stream}
GROUP BY provider, bounce_class, bounce_kind
ORDER BY "Answers" DESC, "Provider", "Class"
LIMIT 100
"""


def providers(feedback_loop: Sequence[str]) -> tuple[Group, ...]:
    """The rows of panels. `feedback_loop` are the providers that report single complaints."""

    def filled(sql: str, **more: str) -> str:
        sums = {"finished": FINISHED, "failed": FAILED, "blocked": BLOCKED, "hours_shown": HOURS_SHOWN}
        places = {"provider": PROVIDER, "stream": STREAM, "provider_of_events": chosen("provider", "provider")}
        return fill(sql, feedback_loop, **sums, **places, **more)

    def over_time(title: str, numerator: str, denominator: str, description: str, only: str = "1") -> PlacedPanel:
        sql = fill(RATE_BY_PROVIDER, feedback_loop, numerator=numerator, denominator=denominator, only=only)
        panel = graph(title, filled(sql), unit=RATIO, by="provider", least="1h", description=description)
        return PlacedPanel(panel, 12, 8)

    usual = {
        "this_hour": "toStartOfHour($__toTime - INTERVAL 1 HOUR)",
        "measures": ", ".join(f"sum({name}) AS {name}" for name in (*MEASURES, "deferred")),
    }
    for when, condition in (("now", "recent"), ("usual", "NOT recent")):
        summed = f"sumIf({{}}, {condition})"
        usual[f"finished_{when}"] = f"({finished_sql(summed)})"
        usual[f"failed_{when}"] = f"({summed.format('hard')} + {summed.format('expired')})"
        usual[f"deferred_{when}"], usual[f"block_{when}"] = summed.format("deferred"), summed.format("block")
    rates = (
        "Deferred",
        "Deferred usually",
        "Blocked",
        "Blocked usually",
        "Failed",
        "Failed usually",
        "Of them refused",
    )
    table = table_panel(
        "Now against usual",
        filled(NOW_AGAINST_USUAL, **usual),
        ratios=rates,
        links=(("Provider", SHOW_PROVIDER),),
        description="This hour and the one before it, next to the seven days before. Refused at many customers at "
        "once: it is them, or our network. At one: it is that customer.",
    )
    refused = table_panel(
        "Whom they refuse",
        filled(REFUSED),
        ratios=("Blocks", "Failures", "Of all blocks"),
        links=(("Customer", OF_CUSTOMER),),
    )
    answers = table_panel(
        "What they answer", filled(ANSWERS), links=(("Provider", SHOW_PROVIDER),), widths=(("Latest answer", 420),)
    )
    return (
        Group("Is it us or them?", (PlacedPanel(table, 24, 9),)),
        Group(
            "Rates by provider",
            (
                over_time("Deferrals", DEFERRED, TRIES, "Tries that were put off, of all tries."),
                over_time("Blocks", BLOCKED, FINISHED, "Mail refused for who sends it, of mail whose fate is known."),
                over_time("Failures", FAILED, FINISHED, "Hard bounces and expired mail, of mail whose fate is known."),
                over_time(
                    "Complaints",
                    "sum(complained)",
                    "sum(delivered)",
                    "Of deliveries, at providers with a feedback loop only.",
                    "value IN {feedback_loop}",
                ),
            ),
        ),
        Group("Who, and why", (PlacedPanel(refused, 10, 10), PlacedPanel(answers, 14, 10))),
    )
