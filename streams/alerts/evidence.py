"""What stands behind verdicts: who contributed, and samples, from the events and counts stored.

Asked for many subjects at once, since one listed address or one bad hour of a provider alarms many customers together.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from schemas.alert import Evidence, Share
from schemas.policy_metric import COUNTED, NEW_FROM, SPIKE, USE
from schemas.wording import rfc3339
from streams.alerts.evidence_history import WITH_HISTORY, Subject, history
from streams.io.store import Store
from streams.listings.causes import CausedListing, current_causes
from streams.listings.exposure import EXPOSING
from streams.subjects.scopes import SCOPES
from streams.subjects.totals import begin

TOP = 5
SAMPLES = 20
#: So much of an answer is shown.
SAMPLE_LENGTH = 300
#: Subjects asked for in one query.
AT_ONCE = 500

#: What stands before the domain of an address.
ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"@]+@(?=[\w\[])")

_SCOPES = f"""ARRAY JOIN {SCOPES} AS scope
WHERE (customer, scope) IN arrayZip({{customers:Array(String)}}, {{scopes:Array(String)}})"""

#: How much each provider, address and From domain has of a metric's numerator. `{complaints}` and its like say which
#: that is.
CONTRIBUTORS = f"""
SELECT customer, scope, dimension, value, toInt64(sum(part)) AS count, toInt64(sum(mail)) AS size
FROM
(
    SELECT customer, stream, class, dimension, value,
        sum(complained) * {{complaints:UInt8}}
            + (sum(hard) + sum(expired) * {{expired:UInt8}}) * {{failures:UInt8}}
            + sum(block) * {{blocks:UInt8}}
            + sum(unsubscribed) * {{unsubscribes:UInt8}}
            + (sum(delivered) + sum(hard) + sum(soft) + sum(block)) * {{all:UInt8}} AS part,
        sum(delivered) + sum(hard) + sum(soft) + sum(block) + sum(expired) AS mail
    FROM counts
    WHERE dimension IN ('provider', 'ip', 'from') AND customer IN {{customers:Array(String)}}
        AND bucket >= toDateTime({{since:UInt32}})
        AND (empty({{mail_to:Array(String)}}) OR (dimension = 'provider' AND value IN {{mail_to:Array(String)}}))
        AND (dimension != 'provider' OR NOT {{complaints:UInt8}} OR value IN {{fbl:Array(String)}})
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
            OR (type = 'expired' AND {{failures:UInt8}} AND {{expired:UInt8}})
            OR (type = 'unsubscribed' AND {{unsubscribes:UInt8}})
            OR (type = 'bounced' AND bounce_kind = 'hard' AND {{failures:UInt8}})
            OR (type = 'bounced' AND bounce_kind = 'block' AND {{blocks:UInt8}}))
)
{_SCOPES}
"""  # noqa: S608 - made of names from this project only

#: Three answers in one: classes (`name`, count, the latest answer of a host), campaigns, and latest messages (`name`).
EVENTS = f"""
SELECT customer, scope, 'class' AS what, name, count() AS n, argMaxIf(diagnostic, time, diagnostic != '') AS sample
{_EVENTS}
GROUP BY customer, scope, name
ORDER BY customer, scope, n DESC, name
LIMIT {{top:UInt8}} BY customer, scope
UNION ALL
SELECT customer, scope, 'campaign' AS what, campaign AS name, count() AS n, '' AS sample
{_EVENTS}
    AND campaign != ''
GROUP BY customer, scope, campaign
ORDER BY customer, scope, n DESC, campaign
LIMIT {{top:UInt8}} BY customer, scope
UNION ALL
SELECT customer, scope, 'message' AS what, message_id AS name, count() AS n, '' AS sample
{_EVENTS}
    AND message_id != ''
GROUP BY customer, scope, message_id
ORDER BY customer, scope, max(time) DESC, message_id
LIMIT {{samples:UInt8}} BY customer, scope
"""

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

LISTED_METRICS = COUNTED - {NEW_FROM} | {"exposure"}


def collect(
    store: Store,
    subjects: Sequence[Subject],
    metric: str,
    window_ms: int,
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    thresholds: Mapping[Subject, float] | None = None,
    *,
    expired_is_failure: bool = True,
    mail_to: Sequence[str] = (),
) -> dict[Subject, Evidence]:
    """The evidence of verdicts on one metric over one window, for each subject.

    `thresholds` are those of the levels: when the mail began to be above them is asked of those that have one. With
    `mail_to` only mail to these mailbox providers is looked at, of which less is known.

    Raises:
        StoreError: the store failed.
    """
    found = {}
    listed = metric in LISTED_METRICS
    all_mail = listed or metric == SPIKE or metric in USE
    # Whom pools are set up for is not known here; it only matters where no monitor has looked at a listing yet.
    listings = current_causes(store, now_ms - window_ms, {}) if listed else []
    for start in range(0, len(subjects), AT_ONCE):
        part = subjects[start : start + AT_ONCE]
        asked: dict[str, Any] = {
            "customers": [customer for customer, _ in part],
            "scopes": [scope for _, scope in part],
            "since": begin(window_ms, now_ms),
            "fbl": list(feedback_loop_providers),
            "mail_to": list(mail_to),
            "complaints": int(metric in ("complaint", "complaint_burn")),
            "failures": int(metric in ("failure", "failure_burn")),
            "expired": int(expired_is_failure),
            "blocks": int(metric == "block"),
            "unsubscribes": int(metric == "unsubscribe"),
            "all": int(all_mail),
            "top": TOP,
            "samples": SAMPLES,
        }
        shares: dict[tuple[str, str, str], list[Share]] = defaultdict(list)
        for customer, scope, dimension, name, count, size in store.rows(CONTRIBUTORS, asked):
            shares[customer, scope, dimension].append(Share(name=name, count=int(count), volume=int(size)))
        events: dict[tuple[str, str, str], list[Share]] = defaultdict(list)
        for customer, scope, what, name, count, sample in store.rows(EVENTS, asked):
            events[customer, scope, what].append(Share(name=name, count=int(count), sample=masked(sample)))
        if metric == "unwanted":
            for customer, scope, message_id in store.rows(UNWANTED_IDS, asked):
                events[customer, scope, "message"].append(Share(name=message_id, count=1))
        past = (
            history(
                store, part, metric, window_ms, feedback_loop_providers, now_ms, thresholds or {}, expired_is_failure
            )
            if metric in WITH_HISTORY and not mail_to
            else {}
        )
        for subject in part:
            ips = tuple(shares[*subject, "ip"])
            names = {each.name for each in ips}
            concerning = [each for each in listings if _concerns(each, metric, subject[0], names)]
            listed_ms = min((each.began_ms for each in concerning), default=None)
            began_ms, baseline = past.get(subject, (listed_ms, None))
            found[subject] = Evidence(
                providers=tuple(shares[*subject, "provider"]),
                ips=ips,
                bounce_classes=tuple(events[*subject, "class"]),
                listings=tuple(about(each, subject[0]) for each in concerning),
                sample_message_ids=tuple(each.name for each in events[*subject, "message"]),
                from_domains=tuple(shares[*subject, "from"]),
                campaigns=tuple(events[*subject, "campaign"]),
                began=None if began_ms is None else rfc3339(began_ms),
                baseline=baseline,
            )
    return found


def masked(diagnostic: str) -> str:
    """An answer of a receiving host in one line, shortened, and without the names of the addresses in it."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in diagnostic).split())
    return ADDRESS.sub("*@", line)[:SAMPLE_LENGTH]


def about(listing: CausedListing, customer: str) -> str:
    """A listing as evidence against `customer`, who may read it: its own part in it, and nobody else's name."""
    said = f"{listing.resource} on {listing.zone} ({listing.weight})"
    own = next((each for each in listing.causes if each.customer == customer), None)
    if own is None:
        return said
    if listing.attributed == "dedicated":
        return f"{said}: used by this customer alone" if own.share else said
    return (
        f"{said}: shared by {listing.users:,}, this customer's share of the causes {own.share:.2f} ({own.complaints:,} "
        f"complaints, {own.invalid:,} invalid recipients, {own.blocked:,} refusals of {own.volume:,} mails in 48 h)"
    )


def _concerns(listing: CausedListing, metric: str, customer: str, ips: Collection[str]) -> bool:
    """Whether a listing is among those that a verdict on a customer, who mostly sent through `ips`, is about."""
    top = listing.top is not None and listing.top[0] == customer
    match metric:
        case "exposure":
            return listing.resource in ips and listing.weight in EXPOSING
        case "attributed_listing":
            return top and listing.weight in EXPOSING
        case _:
            return listing.resource in ips or (top and listing.attributed == "dedicated")
