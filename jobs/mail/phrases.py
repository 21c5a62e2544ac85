"""The phrases of mail to customers and of their own page: what a language has to say, and which placeholders each may
hold."""

import re
from collections.abc import Mapping
from typing import Literal, get_args

from jobs.mail.page_phrases import PAGE_PLACEHOLDERS, PagePhrases, Phrases, PluralPhrase
from schemas.policy_metric import Metric

_PARTS = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")

CauseId = Literal[
    "bad_list",
    "failures",
    "sudden_failures",
    "complaints",
    "gmail_spam",
    "blocked",
    "authentication",
    "shared_listing",
    "own_listing",
    "attributed_listing",
    "volume",
    "unsubscribes",
    "refusals_ignored",
    "phones",
    "foreign_domains",
    "new_domains",
    "lifted",
    "unknown",
]


class ShareForms(Phrases, frozen=True):
    """`3 of 1,000`, and where that is rounded."""

    exact: str
    about: str


class WrittenForm(Phrases, frozen=True):
    """How numbers, times and names are written."""

    direction: Literal["ltr", "rtl"]
    thousands: str
    decimal: str
    percent: str
    date: str
    day: str
    months: tuple[str, str, str, str, str, str, str, str, str, str, str, str]
    quoted: str
    minutes: PluralPhrase
    hours: PluralPhrase
    days: PluralPhrase
    share: ShareForms


class SubjectPhrases(Phrases, frozen=True):
    """The subject, by kind of mail."""

    watch: str
    warning: str
    excessive: str
    critical: str
    resolved: str
    withdrawn: str
    suspended: str
    suspended_plain: str
    lifted: str
    slowed: str
    slowed_plain: str
    unslowed: str


class PartSubjects(Phrases, frozen=True):
    """The same where a part of a customer's mail was stopped or slowed down."""

    suspended: str
    suspended_plain: str
    lifted: str
    slowed: str
    slowed_plain: str
    unslowed: str


class WhosePhrases(Phrases, frozen=True):
    """Parts of a customer's mail."""

    stream: str
    sub_account: str
    bulk: str
    transactional: str
    only: str


class MeansPhrases(Phrases, frozen=True):
    """What it means for the customer, by kind of mail."""

    watch: str
    warning: str
    excessive: str
    critical: str
    resolved: str
    withdrawn: str
    suspended: str
    suspended_part: str
    lifted: str
    lifted_part: str
    slowed: str
    slowed_part: str
    unslowed: str
    unslowed_part: str


class ChangePhrases(Phrases, frozen=True):
    """What changed."""

    escalated: str
    eased: str
    reopened: str
    resolved: str
    withdrawn: str
    suspended: str
    suspended_part: str
    lifted: str
    lifted_part: str
    slowed: str
    slowed_part: str
    unslowed: str
    unslowed_part: str
    because: str
    late: str


class HeadingPhrases(Phrases, frozen=True):
    """The headings of a mail."""

    means: str
    figures: str
    cause: str
    steps: str
    until: str
    ask: str
    parts: str
    listings: str


class RowPhrases(Phrases, frozen=True):
    """The rows of the table."""

    period: str
    share: str
    limit: str
    pace: str
    pace_limit: str
    pace_value: str
    usual: str
    usual_value: str
    usual_volume: str
    began: str
    began_value: str
    left: str
    period_value: str
    left_out: str
    left_out_value: str


class PartPhrases(Phrases, frozen=True):
    """Where it comes from."""

    providers: str
    ips: str
    from_domains: str
    campaigns: str
    other: str
    answers: str
    days: str
    day: str
    see_answers: str
    answer: PluralPhrase
    part: str
    part_of: str
    most: str
    campaign: str
    from_domain: str
    provider: str


class UntilPhrases(Phrases, frozen=True):
    """How long it lasts."""

    act: str
    counted: str
    listed: str
    volume: str
    reported: str
    suspended: str
    suspended_open: str
    slowed: str


class AskPhrases(Phrases, frozen=True):
    """Whom to ask."""

    with_contact: str
    without_contact: str
    reference: str
    listing_page: str


class MetricPhrases(Phrases, frozen=True):
    """What is judged. `all` and `bad` head the rows of denominator and numerator; empty where there is none."""

    topic: str
    all: str
    bad: str
    means: str
    happened: PluralPhrase
    unit: PluralPhrase


class CausePhrases(Phrases, frozen=True):
    """A likely cause, and what to do about it."""

    likely: str
    steps: tuple[str, ...]


class Language(Phrases, frozen=True):
    """All phrases of a language."""

    form: WrittenForm
    subjects: SubjectPhrases
    subjects_of_a_part: PartSubjects
    whose: WhosePhrases
    means: MeansPhrases
    changes: ChangePhrases
    headings: HeadingPhrases
    rows: RowPhrases
    parts: PartPhrases
    until: UntilPhrases
    ask: AskPhrases
    metrics: dict[Metric, MetricPhrases]
    causes: dict[CauseId, CausePhrases]
    #: None where an own language says nothing of the page: its headings are then of another one.
    page: PagePhrases | None = None


#: The placeholders that a phrase may hold, by the beginning of its path.
PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "form.percent": frozenset({"number"}),
    "form.date": frozenset({"day", "month", "year", "time"}),
    "form.day": frozenset({"day", "month", "year"}),
    "form.quoted": frozenset({"name"}),
    "form.minutes": frozenset({"n"}),
    "form.hours": frozenset({"n"}),
    "form.days": frozenset({"n"}),
    "form.share": frozenset({"n", "base"}),
    "subjects": frozenset({"topic"}),
    "subjects_of_a_part": frozenset({"topic", "whose"}),
    "whose.stream": frozenset({"name"}),
    "whose.sub_account": frozenset({"name"}),
    "whose.only": frozenset({"whose"}),
    "changes.resolved": frozenset({"opened", "topic"}),
    "changes.withdrawn": frozenset({"opened", "topic"}),
    "changes.suspended": frozenset({"since", "whose"}),
    "changes.lifted": frozenset({"since", "whose"}),
    "changes.slowed": frozenset({"since", "whose"}),
    "changes.unslowed": frozenset({"since", "whose"}),
    "changes.because": frozenset({"happened"}),
    "changes.late": frozenset({"all"}),
    "rows.pace_value": frozenset({"n"}),
    "rows.usual_value": frozenset({"share"}),
    "rows.usual_volume": frozenset({"n"}),
    "rows.began_value": frozenset({"date"}),
    "rows.period_value": frozenset({"period", "date"}),
    "rows.left_out_value": frozenset({"n"}),
    "parts.part": frozenset({"name", "n", "all"}),
    "parts.answer": frozenset({"name", "n"}),
    "parts.day": frozenset({"name", "date", "share"}),
    "parts.most": frozenset({"what"}),
    "parts.campaign": frozenset({"name"}),
    "parts.from_domain": frozenset({"name"}),
    "parts.provider": frozenset({"name"}),
    "until.act": frozenset({"date"}),
    "until.counted": frozenset({"date"}),
    "until.reported": frozenset({"days"}),
    "until.suspended": frozenset({"date"}),
    "ask.with_contact": frozenset({"contact"}),
    "ask.reference": frozenset({"reference"}),
    "ask.listing_page": frozenset({"page"}),
    "metrics.*.happened": frozenset({"n", "all", "period", "share"}),
    "metrics.*.unit": frozenset({"n"}),
    **PAGE_PLACEHOLDERS,
}
METRICS: tuple[Metric, ...] = get_args(Metric)
CAUSES: tuple[CauseId, ...] = get_args(CauseId)


def fill(phrase: str, **values: str) -> str:
    """A phrase with its placeholders filled in."""
    return _PARTS.sub(lambda part: part[0][0] if part[0] in ("{{", "}}") else values[part[0][1:-1]], phrase)


def fault_of(path: str, phrase: str) -> str:
    """What is wrong with the placeholders of a phrase; empty where nothing is. `path` leads to it: `subjects.watch`."""
    known = _may_hold(path)
    return next((said for part in _PARTS.findall(phrase) if (said := _fault_of(part, known))), "")


def _may_hold(path: str) -> frozenset[str]:
    parts = path.split(".")
    if parts[0] == "metrics":
        parts[1] = "*"
    path = ".".join(parts)
    return next((PLACEHOLDERS[name] for name in sorted(PLACEHOLDERS, reverse=True) if _begins(path, name)), frozenset())


def _begins(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}.", f"{name}_"))


def _fault_of(part: str, known: frozenset[str]) -> str:
    if part in ("{{", "}}") or (part[1:-1] in known and part[1:-1]):
        return ""
    if part in ("{", "}"):
        return f"a single brace; write {part * 2} for a brace"
    can = f"; it may hold {', '.join(f'{{{name}}}' for name in sorted(known))}" if known else "; it holds none"
    return f"there is no placeholder {part}{can}"
