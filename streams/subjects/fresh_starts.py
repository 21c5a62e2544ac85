"""Fresh starts: an operator decided that a customer's windows begin anew, so mail sent before accuses nobody any more.

Every reading of windows knows of them. A window of such a customer begins at its own beginning or at the fresh start,
whichever is later, and outcomes count in the minute in which their mail was sent, so late ones of mail from before
count nowhere either. Those of mail of an unknown time are spread over all mail they may be of, that from before
included (`streams.subjects.undated`).

Amazon SES calls it so: "When your account is given a fresh start, your reputation metrics are calculated starting from
the date of the fresh start" (LastFreshStart of ReputationOptions,
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ReputationOptions.html).

Hardly any customer has one, so nothing more is asked of the others: those who have are read by themselves, by the
minute, since the hourly projection cannot tell what of an hour lies behind it. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.times import MINUTE_MS, MINUTE_S

#: By customer, the first second (epoch, UTC, a full minute) that counts.
Since = Mapping[str, int]
NOBODY: Since = {}

#: Of rows with a customer and a `bucket`, those that count; see `parameters`.
FRESH_SINCE = "toDateTime(transform(customer, {fresh:Array(String)}, {fresh_since:Array(UInt32)}, toUInt32(0)))"
NOT_BEFORE = f"AND bucket >= {FRESH_SINCE}"

#: Where a query begins, and the time of what it reads.
_TIMES = {
    "AND bucket >= toDateTime({since:UInt32})": "bucket",
    "AND toStartOfHour(bucket) >= toDateTime({before:UInt32})": "bucket",
    "AND time >= toDateTime({since:UInt32})": "if(sent > toDateTime(0), sent, time)",
    "AND unwanted_mail.time >= toDateTime({since:UInt32})": "unwanted_mail.time",
}


class FreshStart(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: who, why and when (epoch ms, UTC), and the first second (epoch) whose mail counts since."""

    since_s: int
    decided_ms: int
    by: str
    why: str


def first_minute(decided_ms: int) -> int:
    """The second (epoch) from which on mail counts: the next full minute, since counts are kept by the minute."""
    return -(-decided_ms // MINUTE_MS) * MINUTE_S


def since_at(customer: str, decided: Sequence[FreshStart], at_ms: int, after_s: int) -> Since:
    """Since when mail of a customer counts at a moment (epoch ms): by the last of its fresh starts that was decided by
    then, if it begins after a second (epoch). `decided` are all of them, the oldest first."""
    known = [each for each in decided if each.decided_ms <= at_ms and each.since_s > after_s]
    return {customer: known[-1].since_s} if known else NOBODY


def after(since: Since, second: int) -> Since:
    """Those whose fresh start is behind a second (epoch): of the others nothing is cut off."""
    return {customer: each for customer, each in since.items() if each > second}


def among(since: Since, customers: Iterable[str]) -> Since:
    """Those of some customers."""
    return {customer: since[customer] for customer in customers if customer in since} if since else NOBODY


def cut_off(sql: str, asked: Mapping[str, Any], since: Since) -> tuple[str, Mapping[str, Any]]:
    """A query over counts, events or unwanted mail, and its parameters, with only what is of mail after the fresh
    starts of the `customers` asked for. An event whose mail was sent at an unknown time is of the time when it came.
    """
    anew = among(since, asked["customers"])
    if not anew:
        return sql, asked
    for condition, time in _TIMES.items():
        sql = sql.replace(condition, f"{condition} AND {time} >= {FRESH_SINCE}")
    return sql, {**asked, **parameters(anew)}


def parameters(since: Since) -> dict[str, Any]:
    """What is bound to `FRESH_SINCE`; there must be somebody."""
    return {"fresh": list(since), "fresh_since": list(since.values())}
