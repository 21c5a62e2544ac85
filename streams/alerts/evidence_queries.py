"""The queries that evidence is collected with. Each asks about many alerts at once, whatever their windows and metrics:
what a query costs does not depend on how much it reads, but on what the engine has to understand.

An alert is a `place` in lists of equal length: its customer, scope and numerator, the begin of its window, and the
mailbox providers to which it is about mail (all where none is named).
"""

from schemas.counts import finished_sql
from streams.subjects.fresh_starts import FRESH_SINCE
from streams.subjects.left_out import NOT_LEFT_OUT
from streams.subjects.scopes import SCOPES

#: What alerts count, by the number that stands for it. With the last they count all mail.
NUMERATORS = ("complaint", "failure", "block", "unsubscribe", "all")
COMPLAINT, FAILURE, BLOCK, UNSUBSCRIBE, _ = range(1, 1 + len(NUMERATORS))

#: What some mail has of each.
_PARTS = f"""[toInt64(sum(complained)), toInt64(sum(hard) + sum(expired) * {{expired:UInt8}}), toInt64(sum(block)),
            toInt64(sum(unsubscribed)), toInt64({finished_sql("sum({})")})]"""
#: The last of the begins of windows that mail lies behind: it is in all windows that begin no later.
_AFTER = "arrayMax(each -> if(bucket >= toDateTime(each), each, 0), {windows:Array(UInt32)})"
#: Who is asked about.
_ASKED = """INNER JOIN
(
    SELECT each.1 AS customer, each.2 AS scope, each.3 AS numerator, each.4 AS begin, each.5 AS mail_to, each.6 AS place
    FROM (SELECT arrayJoin(arrayZip({customers:Array(String)}, {scopes:Array(String)}, {numerators:Array(UInt8)},
        {begins:Array(UInt32)}, {mail_to:Array(Array(String))}, arrayEnumerate({customers:Array(String)}))) AS each)
) AS asked USING"""

#: How much each provider, address and From domain has of the numerator. What is in the same windows is added up first.
CONTRIBUTORS = f"""
SELECT place, dimension, value, sum(parts[numerator]) AS count, greatest(sum(parts[5]), 0) AS size
FROM
(
    SELECT customer, stream, class, dimension, value,
        {_AFTER} AS after, {_PARTS} AS parts
    FROM counts
    WHERE dimension IN ('provider', 'ip', 'from') AND customer IN {{customers:Array(String)}}
        AND bucket >= toDateTime({{since:UInt32}})
        AND if(dimension = 'provider', {NOT_LEFT_OUT}, true)
    GROUP BY customer, stream, class, dimension, value, after
) AS mail
{_ASKED} customer
WHERE has({SCOPES}, scope) AND after >= begin
    AND (empty(mail_to) OR (dimension = 'provider' AND has(mail_to, value)))
    AND (dimension != 'provider' OR numerator != {COMPLAINT} OR value IN {{fbl:Array(String)}})
GROUP BY place, dimension, value
HAVING count > 0
ORDER BY place, dimension, count DESC, value
LIMIT {{top:UInt8}} BY place, dimension
"""  # noqa: S608 - made of names from this project only

#: Three answers in one reading: classes (`name`, count, the latest answer of a host), campaigns, and latest messages
#: (`name`). Of each kind as many come as there are samples.
EVENTS = f"""
SELECT place, kind.1 AS what, kind.2 AS name, count() AS n,
    if(what = 'class', argMaxIf(diagnostic, time, diagnostic != ''), '') AS sample
FROM
(
    SELECT place, time, diagnostic,
        arrayJoin([('class', toString(name)), ('campaign', toString(campaign)), ('message', message_id)]) AS kind
    FROM
    (
        SELECT customer, stream, class, time, message_id, diagnostic, campaign, provider,
            if(bounce_class = '', type, bounce_class) AS name,
            toUInt8(multiIf(type = 'complained' AND provider IN {{fbl:Array(String)}}, {COMPLAINT},
                type IN ('bounced', 'expired') AND bounce_kind = 'block', {BLOCK},
                (type = 'bounced' AND bounce_kind = 'hard') OR (type = 'expired' AND {{expired:UInt8}}), {FAILURE},
                type = 'unsubscribed', {UNSUBSCRIBE}, 0)) AS numerator
        FROM events FINAL
        WHERE customer IN {{customers:Array(String)}} AND time >= toDateTime({{since:UInt32}})
            AND numerator IN {{numerators:Array(UInt8)}}
    ) AS mail
    {_ASKED} (customer, numerator)
    WHERE has({SCOPES}, scope) AND time >= toDateTime(begin) AND (empty(mail_to) OR has(mail_to, provider))
)
WHERE kind.1 = 'class' OR kind.2 != ''
GROUP BY place, what, name
ORDER BY place, what, if(what = 'message', toUnixTimestamp64Milli(max(time)), toInt64(n)) DESC, name
LIMIT {{samples:UInt8}} BY place, what
"""  # noqa: S608 - made of texts of this project only

#: The latest messages to people who had refused such mail.
UNWANTED_IDS = f"""
SELECT place, message_id
FROM
(
    SELECT customer, stream, 'bulk' AS class, unwanted_mail.time AS time, message_id
    FROM unwanted_mail FINAL
    WHERE customer IN {{customers:Array(String)}} AND unwanted_mail.time >= toDateTime({{since:UInt32}})
        AND message_id != ''
) AS mail
{_ASKED} customer
WHERE has({SCOPES}, scope) AND time >= toDateTime(begin)
ORDER BY place, time DESC, message_id
LIMIT {{samples:UInt8}} BY place
"""  # noqa: S608 - made of names from this project only

_SUMS = f"""value IN {{fbl:Array(String)}} AS looped, toInt64(sum(complained)) AS n_complained,
        toInt64(sum(delivered)) AS n_delivered, toInt64(sum(block)) AS n_blocked,
        toInt64(sum(hard)) + toInt64(sum(expired)) * {{expired:UInt8}} AS n_failed,
        {finished_sql("toInt64(sum({}))")} AS n_finished"""
#: At 0 what was usual, from the hourly projection, and then the window bucket by bucket: numerators and
#: denominators of every rate.
SERIES = f"""
SELECT customer, scope, toUnixTimestamp(at) AS second, sumIf(n_complained, looped) AS complained,
    sumIf(n_delivered, looped) AS delivered, sum(n_failed) AS failed, sum(n_blocked) AS blocked,
    sum(n_finished) AS finished
FROM
(
    SELECT customer, stream, class, toDateTime(0) AS at, {_SUMS}
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND toStartOfHour(bucket) >= toDateTime({{before:UInt32}})
        AND toStartOfHour(bucket) < toDateTime({{hour:UInt32}})
        AND {NOT_LEFT_OUT}
    GROUP BY customer, stream, class, looped
    UNION ALL
    SELECT customer, stream, class, toStartOfInterval(bucket, toIntervalSecond({{grain:UInt32}})) AS at, {_SUMS}
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND bucket >= toDateTime({{since:UInt32}})
        AND {NOT_LEFT_OUT}
    GROUP BY customer, stream, class, at, looped
)
ARRAY JOIN {SCOPES} AS scope
WHERE (customer, scope) IN arrayZip({{customers:Array(String)}}, {{scopes:Array(String)}})
GROUP BY customer, scope, second
ORDER BY customer, scope, second
"""  # noqa: S608 - made of names from this project only

#: What of alerts' mail no rule judges, by provider and hour: that of incidents, and that from before a fresh start.
UNJUDGED_ANEW = f"""
SELECT place, value, hour, is_before, sum(parts[numerator]) AS top,
    greatest(sum(if(numerator = {COMPLAINT}, deliveries, parts[5])), 0) AS bottom
FROM
(
    SELECT customer, stream, class, value, toUnixTimestamp(toStartOfHour(bucket)) AS hour,
        bucket < {FRESH_SINCE} AS is_before, {_AFTER} AS after, {_PARTS} AS parts,
        toInt64(sum(delivered)) AS deliveries
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND bucket >= toDateTime({{since:UInt32}})
        AND is_before = ({NOT_LEFT_OUT})
    GROUP BY customer, stream, class, value, hour, is_before, after
) AS mail
{_ASKED} customer
WHERE has({SCOPES}, scope) AND after >= begin AND (empty(mail_to) OR has(mail_to, value))
    AND (numerator != {COMPLAINT} OR value IN {{fbl:Array(String)}})
GROUP BY place, value, hour, is_before
ORDER BY place, value, hour
"""  # noqa: S608 - made of names from this project only
#: The same of customers without a fresh start.
UNJUDGED = UNJUDGED_ANEW.replace(f"bucket < {FRESH_SINCE} AS", "false AS")
