"""The dashboard "Pools and blocklists": what is listed, since when, whose it is, and how pools fare."""

from collections.abc import Sequence

from dashboards.build import RATIO, Group, PlacedPanel, graph, states, table_panel
from dashboards.choices import chosen
from dashboards.links import BLOCKLISTS, OF_CUSTOMER, SHOW_POOL
from dashboards.palette import WEIGHT_COLORS, WEIGHTS
from dashboards.rates import BLOCKED, FAILED, FINISHED, HOURS_SHOWN, fill
from schemas.times import HOUR_S

POOL = chosen("value", "pool")
STREAM = chosen("stream", "stream")
#: Listings of domains are of no pool, and are shown with any.
POOL_OF_LISTING = f"(pool = '' OR {chosen('pool', 'pool')})"

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

#: A state for each listing of the time shown: from its beginning the number of its weight, from its end on 0. A row of
#: the picture is an address or domain on a list; at most 60 rows, the gravest first.
TIMELINE = """
SELECT
    fromUnixTimestamp64Milli(point.1, 'UTC') AS time,
    concat(resource, ' on ', zone) AS listing,
    point.2 AS weight
FROM
(
    SELECT resource, zone, pool, kind, arrayJoin([
        (greatest(toUnixTimestamp64Milli(began), toInt64(toUnixTimestamp($__fromTime)) * 1000),
            toFloat64({weight_number})),
        (if(is_open, toInt64(toUnixTimestamp($__toTime)) * 1000, toUnixTimestamp64Milli(ended)),
            if(is_open, toFloat64({weight_number}), 0))
    ]) AS point
    FROM
    (
        SELECT resource, zone, kind, pool, weight, began, ended, ended = toDateTime64(0, 3, 'UTC') AS is_open
        FROM listing_causes FINAL
        WHERE began <= $__toTime AND (ended = toDateTime64(0, 3, 'UTC') OR ended >= $__fromTime) AND {pool_of_listing}
    )
    WHERE (resource, zone) IN (
        SELECT resource, zone FROM listing_causes FINAL
        WHERE began <= $__toTime AND (ended = toDateTime64(0, 3, 'UTC') OR ended >= $__fromTime) AND {pool_of_listing}
        GROUP BY resource, zone
        ORDER BY min({weight_rank}), max(ended = toDateTime64(0, 3, 'UTC')) DESC, resource, zone
        LIMIT 60
    )
)
ORDER BY time, listing
"""

#: How many were in force at the end of each bucket of the time shown.
IN_FORCE = """
SELECT
    moment AS time,
    countIf(weight = 'critical') AS "Critical",
    countIf(weight = 'major') AS "Major",
    countIf(weight = 'minor') AS "Minor",
    countIf(weight = 'informational') AS "Informational"
FROM
(
    SELECT toDateTime(arrayJoin(range(toUInt32(toUnixTimestamp($__fromTime)),
        toUInt32(toUnixTimestamp($__toTime)) + 1, toUInt32(greatest($__interval_s, 60)))), 'UTC') AS moment
) AS moments
CROSS JOIN
(
    SELECT weight, began, ended FROM listing_causes FINAL
    WHERE began <= $__toTime AND (ended = toDateTime64(0, 3, 'UTC') OR ended >= $__fromTime) AND {pool_of_listing}
) AS listings
WHERE began <= moment AND (ended = toDateTime64(0, 3, 'UTC') OR ended > moment)
GROUP BY time
ORDER BY time
"""

#: All pools, with what was sent from each.
SENT = """
SELECT
    if(value = '', '(none)', value) AS "Pool",
    {finished} AS "Finished",
    uniq(customer) AS "Customers",
    {blocked} / nullIf({finished}, 0) AS "Blocks",
    {failed} / nullIf({finished}, 0) AS "Failures",
    sum(complained) AS "Complained",
    sum(deferred) AS "Deferred"
FROM counts
WHERE dimension = 'pool' AND {hours_shown} AND {pool} AND {stream}
GROUP BY value
ORDER BY "Finished" DESC, value
LIMIT 200
"""

RATE_BY_POOL = """
SELECT $__timeInterval(toStartOfHour(bucket)) AS time, value AS pool, {numerator} / nullIf({denominator}, 0) AS rate
FROM counts
WHERE dimension = 'pool' AND {hours_shown} AND {pool} AND {stream}
GROUP BY time, pool
ORDER BY time, pool
"""

#: Who of a pool is refused most, and who would drag the others along.
IN_POOL = """
SELECT
    customer AS "Customer",
    value AS "Pool",
    {finished} AS "Finished",
    sum(block) AS "Block",
    {blocked} / nullIf({finished}, 0) AS "Blocks",
    {failed} / nullIf({finished}, 0) AS "Failures",
    sum(complained) AS "Complained"
FROM counts
WHERE dimension = 'pool' AND {hours_shown} AND {pool} AND {stream}
GROUP BY customer, value
ORDER BY "Block" DESC, "Finished" DESC, customer, value
LIMIT 50
"""

#: Lists whose answers are not believed, and why.
TRUST = """
SELECT zone AS "List", family AS "Of", if(trusted, 'trusted', 'not trusted') AS "State", since AS "Since",
    reason AS "Reason"
FROM blocklist_trust FINAL
ORDER BY trusted, zone, family
LIMIT 200
"""

RANK = f"indexOf({list(WEIGHTS)}, weight)"
#: 4 is critical, 0 is that it ended.
NUMBER = f"({len(WEIGHTS) + 1} - {RANK})"
SHOWN_WEIGHTS = {
    **{str(len(WEIGHTS) - place): (weight, WEIGHT_COLORS[weight]) for place, weight in enumerate(WEIGHTS)},
    "0": ("not listed", "transparent"),
}
#: An answer about a listing is old once even lists that are asked hourly should have given another, and too old when
#: Prometheus alerts.
OLD_S = 2 * HOUR_S
TOO_OLD_S = 6 * HOUR_S


def blocklists(feedback_loop: Sequence[str]) -> Group:
    """What is listed."""

    def filled(sql: str) -> str:
        return fill(sql, feedback_loop, weight_number=NUMBER, weight_rank=RANK, pool_of_listing=POOL_OF_LISTING)

    in_force = {weight.capitalize(): WEIGHT_COLORS[weight] for weight in WEIGHTS}
    timeline = states(
        "Listings over time",
        filled(TIMELINE),
        SHOWN_WEIGHTS,
        by="listing",
        description="Of addresses and domains that were used, by the weight of the list; the 60 gravest.",
    )
    open_listings = table_panel(
        "Open blocklist listings",
        filled(LISTINGS),
        ratios=("Its share",),
        levels=("Weight",),
        colors=WEIGHT_COLORS,
        ages=(("Age", OLD_S, TOO_OLD_S),),
        links=(("Likeliest cause", OF_CUSTOMER), ("List", BLOCKLISTS)),
        description="Listings in force, how long ago the list last answered, how many customers used the "
        "address or domain in 48 hours, and who of those before it began is the likeliest cause. A list "
        "that does not answer ends no listing.",
    )
    by_pool = table_panel(
        "Listings by pool",
        filled(POOLS),
        levels=("Weight",),
        colors=WEIGHT_COLORS,
        links=(("Pool", SHOW_POOL),),
        description="Of addresses; hours are added up over listings.",
    )
    return Group(
        "Blocklists",
        (
            PlacedPanel(timeline, 16, 11),
            PlacedPanel(graph("Listings in force", filled(IN_FORCE), stacked=True, colors=in_force), 8, 11),
            PlacedPanel(open_listings, 24, 9),
            PlacedPanel(by_pool, 12, 7),
            PlacedPanel(table_panel("Lists and whether they are trusted", TRUST.strip()), 12, 7),
        ),
    )


def pools(feedback_loop: Sequence[str]) -> Group:
    """How pools fare."""

    def filled(sql: str, **more: str) -> str:
        sums = {"finished": FINISHED, "failed": FAILED, "blocked": BLOCKED, "hours_shown": HOURS_SHOWN}
        return fill(sql, feedback_loop, **sums, pool=POOL, stream=STREAM, **more)

    def over_time(title: str, numerator: str, description: str) -> PlacedPanel:
        sql = fill(RATE_BY_POOL, feedback_loop, numerator=numerator, denominator=FINISHED)
        panel = graph(title, filled(sql), unit=RATIO, by="pool", least="1h", description=description)
        return PlacedPanel(panel, 12, 8)

    rates = ("Blocks", "Failures")
    sent = table_panel("Sent from each pool", filled(SENT), ratios=rates, links=(("Pool", SHOW_POOL),))
    customers = table_panel(
        "Who is refused, by pool",
        filled(IN_POOL),
        ratios=rates,
        links=(("Customer", OF_CUSTOMER), ("Pool", SHOW_POOL)),
    )
    return Group(
        "Pools",
        (
            over_time("Blocks by pool", BLOCKED, "Mail refused for who sends it, of mail whose fate is known."),
            over_time("Failures by pool", FAILED, "Hard bounces and expired mail, of mail whose fate is known."),
            PlacedPanel(sent, 12, 9),
            PlacedPanel(customers, 12, 9),
        ),
    )
