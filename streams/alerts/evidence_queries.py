"""The queries that evidence is collected with. Each asks for many customers and scopes at once."""

from schemas.counts import finished_sql
from streams.subjects.left_out import NOT_LEFT_OUT
from streams.subjects.scopes import SCOPES

_SCOPES = f"""ARRAY JOIN {SCOPES} AS scope
WHERE (customer, scope) IN arrayZip({{customers:Array(String)}}, {{scopes:Array(String)}})"""

_FINISHED = finished_sql("sum({})")

#: How much each provider, address and From domain has of a metric's numerator. `{complaints}` and its like say which
#: that is.
CONTRIBUTORS = f"""
SELECT customer, scope, dimension, value, toInt64(sum(part)) AS count, greatest(toInt64(sum(mail)), 0) AS size
FROM
(
    SELECT customer, stream, class, dimension, value,
        sum(complained) * {{complaints:UInt8}}
            + (sum(hard) + sum(expired) * {{expired:UInt8}}) * {{failures:UInt8}}
            + sum(block) * {{blocks:UInt8}}
            + sum(unsubscribed) * {{unsubscribes:UInt8}}
            + ({_FINISHED}) * {{all:UInt8}} AS part,
        {_FINISHED} AS mail
    FROM counts
    WHERE dimension IN ('provider', 'ip', 'from') AND customer IN {{customers:Array(String)}}
        AND bucket >= toDateTime({{since:UInt32}})
        AND (empty({{mail_to:Array(String)}}) OR (dimension = 'provider' AND value IN {{mail_to:Array(String)}}))
        AND (dimension != 'provider' OR NOT {{complaints:UInt8}} OR value IN {{fbl:Array(String)}})
        AND if(dimension = 'provider', {NOT_LEFT_OUT}, true)
    GROUP BY customer, stream, class, dimension, value
)
{_SCOPES}
GROUP BY customer, scope, dimension, value
HAVING count > 0
ORDER BY customer, scope, dimension, count DESC, value
LIMIT {{top:UInt8}} BY customer, scope, dimension
"""  # noqa: S608 - made of names from this project only

_EVENTS = f"""
FROM
(
    SELECT customer, stream, class, time, message_id, diagnostic, campaign,
        if(bounce_class = '', type, bounce_class) AS name
    FROM events FINAL
    WHERE customer IN {{customers:Array(String)}} AND time >= toDateTime({{since:UInt32}})
        AND (empty({{mail_to:Array(String)}}) OR provider IN {{mail_to:Array(String)}})
        AND ((type = 'complained' AND {{complaints:UInt8}} AND provider IN {{fbl:Array(String)}})
            OR (type = 'expired' AND bounce_kind != 'block' AND {{failures:UInt8}} AND {{expired:UInt8}})
            OR (type = 'unsubscribed' AND {{unsubscribes:UInt8}})
            OR (type = 'bounced' AND bounce_kind = 'hard' AND {{failures:UInt8}})
            OR (type IN ('bounced', 'expired') AND bounce_kind = 'block' AND {{blocks:UInt8}}))
)
{_SCOPES}
"""  # noqa: S608 - made of names from this project only

#: Three answers in one reading: classes (`name`, count, the latest answer of a host), campaigns, and latest messages
#: (`name`). Of each kind as many come as there are samples.
EVENTS = f"""
SELECT customer, scope, kind.1 AS what, kind.2 AS name, count() AS n,
    if(what = 'class', argMaxIf(diagnostic, time, diagnostic != ''), '') AS sample
FROM
(
    SELECT customer, scope, time, diagnostic,
        arrayJoin([('class', toString(name)), ('campaign', toString(campaign)), ('message', message_id)]) AS kind
    {_EVENTS}
)
WHERE kind.1 = 'class' OR kind.2 != ''
GROUP BY customer, scope, what, name
ORDER BY customer, scope, what, if(what = 'message', toUnixTimestamp64Milli(max(time)), toInt64(n)) DESC, name
LIMIT {{samples:UInt8}} BY customer, scope, what
"""  # noqa: S608 - made of texts of this project only

UNWANTED_IDS = f"""
SELECT customer, scope, message_id
FROM
(
    SELECT customer, stream, 'bulk' AS class, unwanted_mail.time AS time, message_id
    FROM unwanted_mail FINAL
    WHERE customer IN {{customers:Array(String)}} AND unwanted_mail.time >= toDateTime({{since:UInt32}})
)
{_SCOPES}
    AND message_id != ''
ORDER BY customer, scope, time DESC, message_id
LIMIT {{samples:UInt8}} BY customer, scope
"""  # noqa: S608 - made of names from this project only

#: What was usual (at 0), from the hourly projection, and then the window bucket by bucket.
SERIES = """
SELECT customer, scope, toUnixTimestamp(at) AS second, sum(n) AS top, sum(d) AS bottom
FROM
(
    SELECT customer, stream, class, toDateTime(0) AS at, toInt64(sum(summed_top)) AS n, toInt64(sum(summed_bottom)) AS d
    FROM
    (
        SELECT customer, stream, class, toStartOfHour(bucket) AS hour, value,
            {summed_top} AS summed_top, {summed_bottom} AS summed_bottom
        FROM counts
        WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
            AND toStartOfHour(bucket) >= toDateTime({{before:UInt32}})
            AND toStartOfHour(bucket) < toDateTime({{hour:UInt32}})
            AND {judged}
        GROUP BY customer, stream, class, hour, value
    )
    WHERE {whose}
    GROUP BY customer, stream, class
    UNION ALL
    SELECT customer, stream, class, toStartOfInterval(bucket, INTERVAL {grain} SECOND) AS at,
        toInt64({summed_top}) AS n, toInt64({summed_bottom}) AS d
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND bucket >= toDateTime({{since:UInt32}}) AND {whose}
        AND {judged}
    GROUP BY customer, stream, class, at
)
ARRAY JOIN {scopes} AS scope
WHERE (customer, scope) IN arrayZip({{customers:Array(String)}}, {{scopes:Array(String)}})
GROUP BY customer, scope, second
ORDER BY customer, scope, second
"""

#: What of subjects' mail no rule judges, by provider and hour: that of incidents, or that from before a fresh start.
UNJUDGED = """
SELECT customer, scope, value, hour, toInt64(sum(n)) AS top, greatest(toInt64(sum(d)), 0) AS bottom
FROM
(
    SELECT customer, stream, class, value, toUnixTimestamp(toStartOfHour(bucket)) AS hour,
        {summed_top} AS n, {summed_bottom} AS d
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND bucket >= toDateTime({{since:UInt32}})
        AND (empty({{mail_to:Array(String)}}) OR value IN {{mail_to:Array(String)}})
        AND {whose}
        AND {unjudged}
    GROUP BY customer, stream, class, value, hour
)
ARRAY JOIN {scopes} AS scope
WHERE (customer, scope) IN arrayZip({{customers:Array(String)}}, {{scopes:Array(String)}})
GROUP BY customer, scope, value, hour
ORDER BY customer, scope, value, hour
"""
