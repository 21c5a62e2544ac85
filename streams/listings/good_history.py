"""Whether who used what is listed has mailed well: such a one may be struck by others' doings. Pure."""

from typing import Literal, NamedTuple

from schemas.counts import finished_sql
from streams.subjects.left_out import NOT_LEFT_OUT

#: A history is good from so many recipients on, all of them more than a day ago, ...
LEAST_HISTORY = 50
#: ... and bad from what the policy in force calls so (`Bad`), with so many of them.
LEAST_BAD = 5

#: What a customer's own mail says of it; `none`: too little of it is old enough.
History = Literal["good", "bad", "none"]

#: What the mail of each customer was like since an hour (`since`, epoch s), as a customer and the fields of `Mail`;
#: what is before `old` (epoch s) is its old mail. Further conditions stand between the two, each with its AND.
#: The inner query has the shape of the hourly projection.
MAIL_SINCE = f"""
SELECT customer, sumIf(finished, hour < toDateTime({{old:UInt32}})), sum(finished), sum(failed), sum(n_delivered),
    sum(n_complained)
FROM
(
    SELECT customer, value, toStartOfHour(bucket) AS hour, toInt64({finished_sql("sum({})")}) AS finished,
        sum(hard) + sum(expired) AS failed, sum(delivered) AS n_delivered, sum(complained) AS n_complained
    FROM counts
    WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}}) AND {NOT_LEFT_OUT}
"""  # noqa: S608 - made of texts of this project only
BY_CUSTOMER = """
    GROUP BY customer, value, hour
)
GROUP BY customer
"""


class Mail(NamedTuple):
    """Recipients of one customer in four weeks: those of more than a day ago, and of all of them the finished, unknown
    or expired, delivered and complaining ones."""

    old: int = 0
    finished: int = 0
    failed: int = 0
    delivered: int = 0
    complained: int = 0


class Bad(NamedTuple):
    """From which rates on (ratios; unknown or expired of all, complaints of deliveries) mail is bad."""

    failing: float
    complained: float


def history_of(mail: Mail, bad: Bad) -> History:
    """What a customer's mail says of it."""
    if mail.failed >= max(LEAST_BAD, bad.failing * mail.finished):
        return "bad"
    if mail.complained >= max(LEAST_BAD, bad.complained * mail.delivered):
        return "bad"
    return "good" if mail.old >= LEAST_HISTORY else "none"
