"""Made-up facts of every kind of mail and every metric, which templates are tried with. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jobs.mail.facts import KINDS, RESTRAINTS, MailFacts, MailKind
from jobs.mail.phrases import METRICS
from schemas.alert import AlertData, Baseline, Evidence, ReportedRate, Share, TransitionKind
from schemas.levels import Level
from schemas.policy_metric import REPORTED_SPAM, SPIKE, Metric
from schemas.times import DAY_MS, HOUR_MS
from streams.judge.allowance import Allowance

#: 2026-03-12T12:00:00Z.
NOW_MS = 1_773_316_800_000


class _Counted(NamedTuple):
    numerator: int
    denominator: int
    rate: float
    threshold: float
    window: str = "24h"


_COUNTED: Mapping[Metric, _Counted] = {
    "failure": _Counted(400, 10_000, 0.04, 0.03),
    "failure_burn": _Counted(240, 600, 20.0, 14.4, "1h"),
    "complaint": _Counted(41, 20_000, 0.00205, 0.001, "7d"),
    "complaint_burn": _Counted(41, 2_000, 6.8, 3.0),
    "block": _Counted(1_200, 10_000, 0.12, 0.1),
    "exposure": _Counted(3_000, 10_000, 0.3, 0.25),
    "critical_listing": _Counted(1, 1, 1.0, 1.0, "1h"),
    "listing_count": _Counted(3, 1, 3.0, 2.0),
    "listed_hours": _Counted(30, 1, 30.0, 24.0, "7d"),
    "attributed_listing": _Counted(1, 1, 1.0, 1.0),
    "volume_spike": _Counted(9_000, 400, 21.5, 20.0, "1h"),
    "unsubscribe": _Counted(150, 10_000, 0.015, 0.01),
    "unwanted": _Counted(30, 10_000, 0.003, 0.001),
    "sms_gateway": _Counted(250, 10_000, 0.025, 0.02),
    "unregistered_from": _Counted(1_100, 10_000, 0.11, 0.1),
    "new_from_domain": _Counted(6, 1, 6.0, 5.0),
    "reported_spam": _Counted(4_100, 1_000_000, 0.0041, 0.003, "7d"),
}
_LEVELS: Mapping[MailKind, Level] = {
    "watch": "watch",
    "warning": "warning",
    "excessive": "excessive",
    "critical": "critical",
    "resolved": "good",
    "suspended": "excessive",
    "lifted": "good",
    "slowed": "warning",
    "unslowed": "good",
}
_LISTINGS = ("192.0.2.17 on zen.spamhaus.org (critical): used by this customer alone",)


def example(kind: MailKind, metric: Metric = "failure", /, **changes: Any) -> MailFacts:
    """What is known for a mail of a kind about a metric; `changes` are other fields of the alert."""
    counted = _COUNTED[metric]
    level = _LEVELS[kind]
    happened: TransitionKind = "resolved" if level == "good" else "opened"
    fields: dict[str, Any] = {
        "alert_id": "99e4dd8d7f9417604d77d241ec8f8cf2",
        "customer": "acme",
        "scope": "customer",
        "rule": metric,
        "metric": metric,
        "kind": happened,
        "level": level,
        "previous_level": "warning" if level == "good" else "good",
        "episode": 1,
        "transition": 1,
        "window": counted.window,
        "numerator": counted.numerator,
        "denominator": counted.denominator,
        "rate": counted.rate,
        "lower": counted.rate,
        "upper": counted.rate,
        "confidence": 0.95,
        "threshold": counted.threshold,
        "policy_version": "default@5e0c",
        "explanation": "",
        "evidence": _evidence(metric, counted),
        "cause": "events",
    }
    return MailFacts(
        kind=kind,
        customer=str(changes.get("customer", "acme")),
        time_ms=NOW_MS,
        alert=AlertData(**(fields | changes)),
        opened_ms=NOW_MS - 2 * HOUR_MS,
        left=None if metric in (SPIKE, REPORTED_SPAM) else Allowance(remaining=17, level="critical", window="24h"),
        scope=str(changes.get("scope", "customer")),
        since_ms=NOW_MS if kind in RESTRAINTS else None,
        until_ms=NOW_MS + 7 * DAY_MS if kind == "suspended" else None,
    )


def examples() -> Iterator[MailFacts]:
    """Each metric with each kind of mail, and what there is little to say of."""
    for kind in KINDS:
        yield from (example(kind, metric) for metric in METRICS)
    yield from (MailFacts(kind=kind, customer="acme", time_ms=NOW_MS) for kind in RESTRAINTS)
    yield example("suspended", scope="stream:news")
    yield example("warning", evidence=Evidence())


def trials() -> Iterator[MailFacts]:
    """Fewer of them, in which every phrase and every part of a template is met: each metric, and each kind of mail."""
    yield from (example("warning", metric) for metric in METRICS)
    yield from (example(kind) for kind in KINDS)
    yield from (MailFacts(kind=kind, customer="acme", time_ms=NOW_MS) for kind in RESTRAINTS)
    yield from (example(kind, scope="stream:news") for kind in RESTRAINTS)


def _evidence(metric: Metric, counted: _Counted) -> Evidence:
    n, d = counted.numerator, max(counted.numerator, counted.denominator)
    if metric in ("critical_listing", "listing_count", "listed_hours", "attributed_listing", "exposure"):
        return Evidence(listings=_LISTINGS, began="2026-03-12T09:00:00.000Z")
    if metric == REPORTED_SPAM:
        return Evidence(reported=(ReportedRate(day="2026-03-10", domain="news.acme.example", rate=counted.rate),))
    answers: tuple[Share, ...] = ()
    if metric == "failure":
        answers = (Share(name="invalid_recipient", count=n, sample="550 5.1.1 <*@example.com>: unknown user"),)
    if metric == "block":
        answers = (Share(name="spam_content", count=n, sample="554 5.7.1 message refused, looks like spam"),)
    return Evidence(
        providers=(
            Share(name="yahoo", count=n * 7 // 10, volume=d),
            Share(name="united_internet", count=n * 2 // 10, volume=d),
        ),
        ips=(Share(name="192.0.2.1", count=n, volume=d),),
        bounce_classes=answers,
        from_domains=(Share(name="acme.example", count=n, volume=d),),
        campaigns=(Share(name="spring", count=n * 9 // 10),),
        sample_message_ids=("1@mx.example", "2@mx.example"),
        began="2026-03-12T09:00:00.000Z",
        baseline=Baseline(days=30, numerator=round(30_000 * counted.threshold), denominator=90_000)
        if counted.threshold < 1
        else None,
    )
