"""What stands behind verdicts: who contributed, samples, since when the rate is too high, and what was usual before.

Asked of all alerts of a batch at once: one listed address or one bad hour of a provider alarms many customers together,
and one bad mailing several rules and windows, streams and classes of its customer.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.alert import Baseline, Evidence, ReportedRate, Share
from schemas.policy import Policy
from schemas.policy_metric import BURNS, LISTED_METRICS, RATES, REPORTED_SPAM, SPIKE, USE, window_ms
from schemas.times import DAY_S, HOUR_S, MINUTE_S
from schemas.wording import masked, rfc3339
from streams.alerts.evidence_queries import CONTRIBUTORS, EVENTS, NUMERATORS, SERIES, UNWANTED_IDS
from streams.alerts.lifecycle import SubjectRule
from streams.alerts.outcome import SubjectOutcome
from streams.alerts.reported import worst_days
from streams.io.store import Store
from streams.listings.causes import CausedListing, about, current_causes
from streams.listings.exposure import EXPOSING
from streams.listings.left_out import unjudged, with_incidents
from streams.subjects import fresh_starts
from streams.subjects.fresh_starts import Since
from streams.subjects.left_out import KnownLeftOut
from streams.subjects.totals import begin, bound

TOP = 5
SAMPLES = 20
#: As many are asked about in one query: over HTTP their names are part of the address.
AT_ONCE = 300

#: How far back what is usual reaches, before the window.
BASELINE_DAYS = 30
#: Windows up to this length are looked at by the minute, longer ones by the hour.
BY_MINUTE_S = 6 * HOUR_S
#: The metrics that are made of what `counts` holds by provider, and of which rate.
WITH_HISTORY: Mapping[str, str] = {"complaint": "complaint", "failure": "failure", "block": "block"} | dict(BURNS)

#: A customer and one of its scopes.
Subject = tuple[str, str]
#: In place of a time, before all others: what was usual.
USUAL = 0
#: Numerator and denominator of a rate.
Fraction = tuple[int, int]


class CountedMail(NamedTuple):
    """What contributors and samples are asked of: whose mail, in a window of `length_ms`, to some mailbox providers
    (all where none is named), and what is counted of it, one of `NUMERATORS`. With `unwanted` that is mail to people
    who had refused it."""

    subject: Subject
    length_ms: int
    mail_to: tuple[str, ...]
    numerator: str
    unwanted: bool = False


class AskedAlert(NamedTuple):
    """An alert whose evidence is asked for. When the mail began to be above the level's `threshold`, a rate, is said
    where one is given. Of mail to some providers alone less is known."""

    subject: Subject
    metric: str
    length_ms: int
    mail_to: tuple[str, ...] = ()
    threshold: float | None = None

    @property
    def mail(self) -> CountedMail:
        """What it counts: metrics with the same numerator have the same contributors."""
        return CountedMail(
            self.subject, self.length_ms, self.mail_to, _numerator(self.metric), self.metric == "unwanted"
        )


class EvidenceReader(NamedTuple):
    """Asks the store. `since` are fresh starts: of customers with one only mail since is read. `left_out` is what
    incidents leave out, where that is known."""

    store: Store
    feedback_loop: Sequence[str]
    policy: Policy
    now_ms: int
    since: Since
    left_out: KnownLeftOut

    def rows(self, sql: str, asked: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """What a query says about the `customers` asked for.

        Raises:
            StoreError: the store failed.
        """
        fixed = {"fbl": list(self.feedback_loop), "expired": int(self.policy.expired_is_failure)}
        sql, asked = bound(sql, {**fixed, **asked}, self.left_out)
        return self.store.rows(*(fresh_starts.cut_off(sql, asked, self.since) if self.since else (sql, asked)))


def alert_evidence(reader: EvidenceReader, outcomes: Sequence[SubjectOutcome]) -> dict[SubjectRule, Evidence]:
    """The evidence of each alert that changed, by its customer, scope and rule.

    Raises:
        StoreError: the store failed.
    """
    asked = asked_of(outcomes, reader.policy)
    found = collect(reader, asked.values())
    return {key: found[each] for key, each in asked.items()}


def asked_of(outcomes: Sequence[SubjectOutcome], policy: Policy) -> dict[SubjectRule, AskedAlert]:
    """What is asked of each alert that changed."""
    mail_to = {rule.name: rule.mail_to for rule in policy.rules}
    return {
        (*outcome.key, verdict.rule): AskedAlert(
            outcome.key, verdict.metric, window_ms(verdict.window), mail_to[verdict.rule], verdict.threshold
        )
        for outcome in outcomes
        for _, verdict in outcome.transitions
    }


def collect(reader: EvidenceReader, some: Iterable[AskedAlert]) -> dict[AskedAlert, Evidence]:
    """The evidence of alerts.

    Raises:
        StoreError: the store failed.
    """
    asked = sorted(dict.fromkeys(some), key=lambda each: each.subject)
    shares = _shares(reader, list(dict.fromkeys(each.mail for each in asked)))
    past = _past(reader, [each for each in asked if each.metric in WITH_HISTORY and not each.mail_to])
    found = {}
    for length_ms in {each.length_ms for each in asked}:
        alike = [each for each in asked if each.length_ms == length_ms]
        listings = _listings(reader, length_ms) if any(each.metric in LISTED_METRICS for each in alike) else []
        customers = [each.subject[0] for each in alike if each.metric == REPORTED_SPAM]
        days = worst_days(reader.store, customers, length_ms, reader.now_ms, reader.since, TOP) if customers else {}
        for each in alike:
            of_metric = listings if each.metric in LISTED_METRICS else []
            reported = days.get(each.subject[0], ()) if each.metric == REPORTED_SPAM else ()
            found[each] = _evidence(each, shares[each.mail], of_metric, past.get(each), reported)
    return found


def _listings(reader: EvidenceReader, length_ms: int) -> list[CausedListing]:
    # Whom pools are set up for is not known here; it only matters where no monitor has looked at a listing yet.
    return with_incidents(reader.store, current_causes(reader.store, reader.now_ms - length_ms, {}))


def _numerator(metric: str) -> str:
    if metric in LISTED_METRICS or metric in (SPIKE, *USE):
        return "all"
    return WITH_HISTORY.get(metric, metric)


#: What it is a share of: a dimension of `CONTRIBUTORS`, or `what` of `EVENTS`.
Shares = dict[str, list[Share]]


def places(some: Sequence[CountedMail], now_ms: int) -> dict[str, Any]:
    """Mail as the queries are asked about it."""
    begins = [begin(each.length_ms, now_ms) for each in some]
    return {
        "customers": [each.subject[0] for each in some],
        "scopes": [each.subject[1] for each in some],
        "numerators": [NUMERATORS.index(each.numerator) + 1 for each in some],
        "mail_to": [list(each.mail_to) for each in some],
        "begins": begins,
        "windows": sorted(set(begins)),
        "since": min(begins),
        "top": TOP,
        "samples": SAMPLES,
    }


def _shares(reader: EvidenceReader, some: Sequence[CountedMail]) -> Mapping[CountedMail, Shares]:
    """Who contributed, and samples."""
    found: dict[CountedMail, Shares] = defaultdict(lambda: defaultdict(list))
    counted = [each for each in some if each.numerator in NUMERATORS]
    for part, rows in _answers(reader, CONTRIBUTORS, counted):
        for place, dimension, name, count, size in rows:
            found[part[int(place) - 1]][dimension].append(Share(name=name, count=int(count), volume=int(size)))
    # Of the others no events are kept.
    for part, rows in _answers(reader, EVENTS, [each for each in counted if each.numerator != "all"]):
        for place, what, name, count, sample in rows:
            shares = found[part[int(place) - 1]][what]
            if what == "message" or len(shares) < TOP:
                shares.append(Share(name=name, count=int(count), sample=masked(sample)))
    for part, rows in _answers(reader, UNWANTED_IDS, [each for each in counted if each.unwanted]):
        for place, message_id in rows:
            found[part[int(place) - 1]]["message"].append(Share(name=message_id, count=1))
    return found


def _answers(
    reader: EvidenceReader, sql: str, some: Sequence[CountedMail]
) -> Iterator[tuple[Sequence[CountedMail], Sequence[Sequence[Any]]]]:
    """What a query says about some mail, with that: its rows have places, from 1 on."""
    for start in range(0, len(some), AT_ONCE):
        part = some[start : start + AT_ONCE]
        yield part, reader.rows(sql, places(part, reader.now_ms))


class Past(NamedTuple):
    """Since when it is above its threshold (epoch ms), and what was usual."""

    began_ms: int | None
    usual: Baseline | None


def _past(reader: EvidenceReader, some: Sequence[AskedAlert]) -> dict[AskedAlert, Past]:
    """Since when each is above its threshold within the window, and what was usual before that."""
    subjects: dict[int, dict[Subject, None]] = defaultdict(dict)
    for each in some:
        subjects[each.length_ms][each.subject] = None
    series = {length_ms: _series(reader, list(whose), length_ms) for length_ms, whose in subjects.items()}
    found = {}
    for each in some:
        rate = WITH_HISTORY[each.metric]
        of_rate = [(second, *fractions[rate]) for second, fractions in series[each.length_ms][each.subject]]
        usual = None
        if of_rate and of_rate[0][0] == USUAL:
            _, top, bottom = of_rate.pop(0)
            usual = Baseline(days=BASELINE_DAYS, numerator=top, denominator=bottom) if bottom > 0 else None
        # The threshold of a burn is a pace, not a rate that could be compared.
        threshold = each.threshold if each.metric in RATES else None
        found[each] = Past(None if threshold is None else began(of_rate, threshold), usual)
    return found


def _series(
    reader: EvidenceReader, subjects: Sequence[Subject], length_ms: int
) -> Mapping[Subject, list[tuple[int, Mapping[str, Fraction]]]]:
    """Every rate of subjects: at `USUAL` what was usual, and then bucket by bucket (epoch s)."""
    first = begin(length_ms, reader.now_ms)
    hour = first // HOUR_S * HOUR_S
    found: dict[Subject, list[tuple[int, Mapping[str, Fraction]]]] = defaultdict(list)
    for start in range(0, len(subjects), AT_ONCE):
        part = subjects[start : start + AT_ONCE]
        asked = {
            "customers": [customer for customer, _ in part],
            "scopes": [scope for _, scope in part],
            "since": first,
            "hour": hour,
            "before": max(0, hour - BASELINE_DAYS * DAY_S),
            "grain": MINUTE_S if length_ms // 1000 <= BY_MINUTE_S else HOUR_S,
        }
        for customer, scope, second, *numbers in reader.rows(SERIES, asked):
            complained, delivered, failed, blocked, finished = map(int, numbers)
            of_rates = {
                "complaint": (complained, delivered),
                "failure": (failed, finished),
                "block": (blocked, finished),
            }
            found[customer, scope].append((int(second), of_rates))
    return found


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


def _evidence(
    asked: AskedAlert,
    shares: Shares,
    listings: Sequence[CausedListing],
    past: Past | None,
    reported: tuple[ReportedRate, ...],
) -> Evidence:
    """What was read, of one alert. Without a `past` it begins with the first listing."""
    customer, _ = asked.subject
    ips = tuple(shares["ip"])
    all_concerning = [each for each in listings if _concerns(each, asked.metric, customer, {ip.name for ip in ips})]
    concerning = [each for each in all_concerning if not each.incident]
    listed_ms = min((each.began_ms for each in concerning), default=None)
    began_ms, usual = past or (listed_ms, None)
    return Evidence(
        providers=tuple(shares["provider"]),
        ips=ips,
        bounce_classes=tuple(shares["class"]),
        listings=tuple(about(each, customer) for each in concerning),
        sample_message_ids=tuple(each.name for each in shares["message"]),
        from_domains=tuple(shares["from"]),
        campaigns=tuple(shares["campaign"]),
        began=None if began_ms is None else rfc3339(began_ms),
        baseline=usual,
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
