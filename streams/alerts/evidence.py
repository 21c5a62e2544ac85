"""What stands behind verdicts: who contributed, samples, since when the rate is too high, and what was usual before.

Asked for many subjects at once, since one listed address or one bad hour of a provider alarms many customers together.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from schemas.alert import Baseline, Evidence, ReportedRate, Share
from schemas.counts import finished_sql
from schemas.policy import Policy
from schemas.policy_metric import BURNS, LISTED_METRICS, RATES, REPORTED_SPAM, SPIKE, USE, window_ms
from schemas.times import DAY_S, HOUR_S, MINUTE_S
from schemas.wording import masked, rfc3339
from streams.alerts.evidence_queries import CONTRIBUTORS, EVENTS, SERIES, UNWANTED_IDS
from streams.alerts.lifecycle import SubjectRule
from streams.alerts.outcome import SubjectOutcome
from streams.alerts.reported import worst_days
from streams.io.store import Store
from streams.listings.causes import CausedListing, about, current_causes
from streams.listings.exposure import EXPOSING
from streams.listings.left_out import unjudged, with_incidents
from streams.subjects import fresh_starts
from streams.subjects.fresh_starts import Since
from streams.subjects.left_out import NOT_LEFT_OUT
from streams.subjects.scopes import SCOPES
from streams.subjects.stored_fresh_starts import read_since
from streams.subjects.totals import begin

TOP = 5
SAMPLES = 20
#: Subjects asked for in one query.
AT_ONCE = 500

#: How far back what is usual reaches, before the window.
BASELINE_DAYS = 30
#: Windows up to this length are looked at by the minute, longer ones by the hour.
BY_MINUTE_S = 6 * HOUR_S
#: The metrics that are made of what `counts` holds by provider, and of which rate.
WITH_HISTORY: Mapping[str, str] = {"complaint": "complaint", "failure": "failure", "block": "block"} | dict(BURNS)

#: A customer and one of its scopes.
Subject = tuple[str, str]
#: Since when (epoch ms), and what was usual.
Past = tuple[int | None, Baseline | None]

#: What of the numerators has events of its own that are kept; of others there is nothing to ask for.
OF_EVENTS = ("complaints", "failures", "blocks", "unsubscribes")

NUMERATOR = {"complaint": "complained", "failure": "hard + expired * {expired:UInt8}", "block": "block"}
DENOMINATOR = {"complaint": "delivered", "failure": finished_sql(), "block": finished_sql()}


#: What evidence is collected of at once: metric, window, mailbox providers.
_Alike = tuple[str, str, tuple[str, ...]]
#: By customer, scope, and what it is a share of: a dimension of `CONTRIBUTORS`, or `what` of `EVENTS`.
Shares = dict[tuple[str, str, str], list[Share]]


def alert_evidence(
    store: Store,
    outcomes: Sequence[SubjectOutcome],
    policy: Policy,
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    since: Since,
    *,
    everything: bool = False,
) -> dict[SubjectRule, Evidence]:
    """The evidence of each alert that changed, by its customer, scope and rule. `since` are fresh starts. With
    `everything` it is known that no mail is left out.

    Raises:
        StoreError: the store failed.
    """
    mail_to = {rule.name: rule.mail_to for rule in policy.rules}
    changed = [(outcome.key, verdict) for outcome in outcomes for _, verdict in outcome.transitions]
    alike: dict[_Alike, dict[Subject, float]] = defaultdict(dict)
    # Metrics with the same numerator have the same contributors: they are read once, for all subjects together.
    sharing: dict[_Alike, dict[Subject, None]] = defaultdict(dict)
    for whose, verdict in changed:
        window, group = verdict.window, mail_to[verdict.rule]
        alike[verdict.metric, window, group][whose] = verdict.threshold
        sharing[_numerator(verdict.metric), window, group][whose] = None
    loop, expired = feedback_loop_providers, policy.expired_is_failure
    shares = {
        (numerator, window, group): _shares(
            store,
            list(subjects),
            numerator,
            _parameters(numerator, window_ms(window), loop, now_ms, expired, group),
            since,
            everything=everything,
        )
        for (numerator, window, group), subjects in sharing.items()
    }
    collected = {
        (metric, window, group): collect(
            store,
            list(thresholds),
            metric,
            window_ms(window),
            feedback_loop_providers,
            now_ms,
            thresholds,
            expired_is_failure=policy.expired_is_failure,
            mail_to=group,
            since=since,
            everything=everything,
            shares=shares[_numerator(metric), window, group],
        )
        for (metric, window, group), thresholds in alike.items()
    }
    return {
        (*whose, verdict.rule): collected[verdict.metric, verdict.window, mail_to[verdict.rule]][whose]
        for whose, verdict in changed
    }


def collect(
    store: Store,
    subjects: Sequence[Subject],
    metric: str,
    length_ms: int,
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    thresholds: Mapping[Subject, float] | None = None,
    *,
    expired_is_failure: bool = True,
    mail_to: Sequence[str] = (),
    since: Since | None = None,
    everything: bool = False,
    shares: Shares | None = None,
) -> dict[Subject, Evidence]:
    """The evidence of verdicts on one metric over one window of `length_ms`, for each subject.

    `thresholds` are those of the levels: when the mail began to be above them is asked of those that have one. With
    `mail_to` only mail to these mailbox providers is looked at, of which less is known. `since` are the fresh starts of
    customers; without it they are looked for. With `everything` mail of incidents is not left out. `shares` are who
    contributed, where that is known.

    Raises:
        StoreError: the store failed.
    """
    # Whom pools are set up for is not known here; it only matters where no monitor has looked at a listing yet.
    listings = with_incidents(store, current_causes(store, now_ms - length_ms, {})) if metric in LISTED_METRICS else []
    since = read_since(store, now_ms) if since is None else since
    if shares is None:
        numerator = _numerator(metric)
        asked = _parameters(numerator, length_ms, feedback_loop_providers, now_ms, expired_is_failure, mail_to)
        shares = _shares(store, subjects, numerator, asked, since, everything=everything)
    found = {}
    for start in range(0, len(subjects), AT_ONCE):
        part = subjects[start : start + AT_ONCE]
        past: Mapping[Subject, Past] = {}
        if metric in WITH_HISTORY and not mail_to:
            above = thresholds or {}
            loop = feedback_loop_providers
            past = history(
                store,
                part,
                metric,
                length_ms,
                loop,
                now_ms,
                above,
                expired_is_failure,
                since,
                everything=everything,
            )
        reported: Mapping[str, tuple[ReportedRate, ...]] = {}
        if metric == REPORTED_SPAM:
            reported = worst_days(store, [customer for customer, _ in part], length_ms, now_ms, since, TOP)
        for subject in part:
            days = reported.get(subject[0], ())
            found[subject] = _evidence(subject, metric, shares, listings, past.get(subject), days)
    return found


def _numerator(metric: str) -> str:
    """The metric that stands for all with the same numerator."""
    if metric in LISTED_METRICS or metric == SPIKE or (metric in USE and metric != "unwanted"):
        return "all"
    return WITH_HISTORY.get(metric, metric)


def _parameters(
    numerator: str,
    length_ms: int,
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    expired_is_failure: bool,
    mail_to: Sequence[str],
) -> dict[str, Any]:
    """What is bound besides the subjects: the window, and what of the mail is the metric's numerator."""
    return {
        "since": begin(length_ms, now_ms),
        "fbl": list(feedback_loop_providers),
        "mail_to": list(mail_to),
        "complaints": int(numerator == "complaint"),
        "failures": int(numerator == "failure"),
        "expired": int(expired_is_failure),
        "blocks": int(numerator == "block"),
        "unsubscribes": int(numerator == "unsubscribe"),
        "all": int(numerator in ("all", "unwanted")),
        "top": TOP,
        "samples": SAMPLES,
    }


def _rows(store: Store, sql: str, asked: Mapping[str, Any], since: Since) -> Sequence[Sequence[Any]]:
    """What a query says; of customers with a fresh start, of mail since."""
    return store.rows(*fresh_starts.cut_off(sql, asked, since)) if since else store.rows(sql, asked)


def _of_all_mail(sql: str) -> str:
    """A query as it is asked where it is known that nothing is left out: looking that up takes a third of its time."""
    return sql.replace(NOT_LEFT_OUT, "true")


def _shares(
    store: Store,
    subjects: Sequence[Subject],
    numerator: str,
    asked: Mapping[str, Any],
    since: Since,
    *,
    everything: bool,
) -> Shares:
    """Who contributed, and samples."""
    found: Shares = defaultdict(list)
    for start in range(0, len(subjects), AT_ONCE):
        part = subjects[start : start + AT_ONCE]
        whose: dict[str, Any] = {
            "customers": [customer for customer, _ in part],
            "scopes": [scope for _, scope in part],
        }
        _add_shares(found, store, numerator, {**whose, **asked}, since, everything=everything)
    return found


def _add_shares(
    found: Shares, store: Store, numerator: str, asked: Mapping[str, Any], since: Since, *, everything: bool
) -> None:
    of_events = any(asked[each] for each in OF_EVENTS)
    contributors = _of_all_mail(CONTRIBUTORS) if everything else CONTRIBUTORS
    for customer, scope, dimension, name, count, size in (
        _rows(store, contributors, asked, since) if of_events or asked["all"] else ()
    ):
        found[customer, scope, dimension].append(Share(name=name, count=int(count), volume=int(size)))
    for customer, scope, what, name, count, sample in _rows(store, EVENTS, asked, since) if of_events else ():
        some = found[customer, scope, what]
        if what == "message" or len(some) < TOP:
            some.append(Share(name=name, count=int(count), sample=masked(sample)))
    if numerator == "unwanted":
        for customer, scope, message_id in _rows(store, UNWANTED_IDS, asked, since):
            found[customer, scope, "message"].append(Share(name=message_id, count=1))


def history(
    store: Store,
    subjects: Sequence[Subject],
    metric: str,
    window_ms: int,
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    thresholds: Mapping[Subject, float],
    expired_is_failure: bool,
    since: Since,
    *,
    everything: bool = False,
) -> dict[Subject, Past]:
    """Since when each subject is above its threshold within the window, and what was usual before it.

    `metric` is one of `WITH_HISTORY`.

    Raises:
        StoreError: the store failed.
    """
    first = begin(window_ms, now_ms)
    hour = first // HOUR_S * HOUR_S
    asked: dict[str, Any] = {
        "customers": [customer for customer, _ in subjects],
        "scopes": [scope for _, scope in subjects],
        "fbl": list(feedback_loop_providers),
        "expired": int(expired_is_failure),
        "since": first,
        "hour": hour,
        "before": max(0, hour - BASELINE_DAYS * DAY_S),
    }
    usual: dict[Subject, Baseline] = {}
    series: dict[Subject, list[tuple[int, int, int]]] = defaultdict(list)
    sql = _sql(WITH_HISTORY[metric], window_ms)
    sql = _of_all_mail(sql) if everything else sql
    for customer, scope, second, top, bottom in _rows(store, sql, asked, since):
        if int(second) == 0:
            if bottom > 0:
                usual[customer, scope] = Baseline(days=BASELINE_DAYS, numerator=int(top), denominator=int(bottom))
        else:
            series[customer, scope].append((int(second), int(top), int(bottom)))
    return {
        # The threshold of a burn is a pace, not a rate that could be compared.
        subject: (
            began(series[subject], thresholds[subject]) if subject in thresholds and metric in RATES else None,
            usual.get(subject),
        )
        for subject in subjects
    }


def began(series: Sequence[tuple[int, int, int]], threshold: float) -> int | None:
    """When what is above the threshold began (epoch ms), of buckets (epoch s, numerator, denominator) in order of time.

    From that bucket on the numerator exceeds the threshold's share of the denominator by the most: what came before it
    was rather below. None where it never does.
    """
    excess, most, since = 0.0, 0.0, None
    for second, top, bottom in reversed(series):
        excess += top - threshold * bottom
        if excess > most:
            most, since = excess, second
    return None if since is None else since * 1000


def summed(metric: str) -> tuple[str, str]:
    """What adds up numerator and denominator of a rate over rows of `counts`, in SQL."""
    return _summed(NUMERATOR[metric]), _summed(DENOMINATOR[metric])


def _sql(metric: str, window_ms: int) -> str:
    top, bottom = summed(metric)
    return SERIES.format(
        scopes=SCOPES,
        judged=NOT_LEFT_OUT,
        summed_top=top,
        summed_bottom=bottom,
        whose="value IN {fbl:Array(String)}" if metric == "complaint" else "1",
        grain=MINUTE_S if window_ms // 1000 <= BY_MINUTE_S else HOUR_S,
    )


def _summed(expression: str) -> str:
    """The sum of each measure, so that the projection has them; UInt64 must not be taken below 0."""
    words = expression.split(" ")
    return " ".join(f"toInt64(sum({word}))" if word.isidentifier() else word for word in words)


def _evidence(
    subject: Subject,
    metric: str,
    shares: Shares,
    listings: Sequence[CausedListing],
    past: Past | None,
    reported: tuple[ReportedRate, ...],
) -> Evidence:
    """What was read, of one subject. Without a `past` it begins with the first listing."""
    customer, _ = subject
    ips = tuple(shares[*subject, "ip"])
    all_concerning = [each for each in listings if _concerns(each, metric, customer, {ip.name for ip in ips})]
    concerning = [each for each in all_concerning if not each.incident]
    listed_ms = min((each.began_ms for each in concerning), default=None)
    began_ms, baseline = past or (listed_ms, None)
    return Evidence(
        providers=tuple(shares[*subject, "provider"]),
        ips=ips,
        bounce_classes=tuple(shares[*subject, "class"]),
        listings=tuple(about(each, customer) for each in concerning),
        sample_message_ids=tuple(each.name for each in shares[*subject, "message"]),
        from_domains=tuple(shares[*subject, "from"]),
        campaigns=tuple(shares[*subject, "campaign"]),
        began=None if began_ms is None else rfc3339(began_ms),
        baseline=baseline,
        left_out=unjudged(all_concerning) if all_concerning else (),
        reported=reported,
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
