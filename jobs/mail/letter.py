"""A mail in words, before it is text or HTML: every sentence and every row of its table. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from jobs.mail.causes import cause_of
from jobs.mail.facts import ENDS, RESTRAINTS, MailFacts, is_withdrawn
from jobs.mail.figures import FigureRow, rows
from jobs.mail.phrases import CauseId, HeadingPhrases, Language, MetricPhrases, WrittenForm, fill
from jobs.mail.places import ContributorList, ListingEntry, entries, most_of_it, parts
from jobs.mail.writing import clean, date, number, period, share, window_ms
from schemas.alert import AlertData
from schemas.policy_metric import BURNS, LISTED_METRICS, RATES, REPORTED_SPAM, SPIKE
from schemas.scope import CLASS_PREFIX, STREAM_PREFIX, SUB_ACCOUNT_PREFIX
from schemas.times import HOUR_MS

#: Causes about which the answers of mailbox providers say more.
ANSWERED: frozenset[CauseId] = frozenset({"failures", "blocked", "authentication"})
#: What of a name a subject shows.
IN_SUBJECT = 60
#: So many letters of an alert's id are enough to find it by.
REFERENCE = 12


@dataclass(frozen=True, slots=True)
class LetterSender:
    """What is said of those who write: their name, whom to ask, and within how many hours, by kind of mail, something
    is to be done (0: nothing is said)."""

    signature: str = ""
    contact: str = ""
    act_within_h: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class CustomerLetter:
    """What templates are filled with. All of it is plain text; of `entries` each has the address of a page."""

    kind: str
    customer: str
    language: str
    direction: str
    subject: str
    happened: str
    notes: tuple[str, ...]
    means: tuple[str, ...]
    rows: tuple[FigureRow, ...]
    cause: str
    steps: tuple[str, ...]
    most: str
    parts: tuple[ContributorList, ...]
    entries: tuple[ListingEntry, ...]
    until: tuple[str, ...]
    ask: tuple[str, ...]
    signature: str
    headings: HeadingPhrases


def letter(
    facts: MailFacts,
    tag: str,
    language: Language,
    sender: LetterSender,
    delisting: Callable[[str], str] = lambda zone: "",
) -> CustomerLetter:
    """The letter about what is known, in a language with this tag. `delisting` gives the page of a blocklist by its
    zone, empty where there is none."""
    alert = facts.alert
    about = None if alert is None else _phrases(language, alert)
    ended = facts.kind in ENDS
    cause = _cause(facts)
    return CustomerLetter(
        kind=facts.kind,
        customer=clean(facts.customer),
        language=tag,
        direction=language.form.direction,
        subject=_subject(facts, language, about),
        happened=_happened(facts, language, about),
        notes=tuple(_notes(facts, language)),
        means=tuple(_means(facts, language, about)),
        rows=() if alert is None or about is None else tuple(rows(facts, alert, language, about)),
        cause="" if cause is None else language.causes[cause].likely,
        steps=() if cause is None else _steps(facts, cause, language),
        most="" if alert is None or ended else most_of_it(alert, language),
        parts=() if alert is None or ended else tuple(parts(alert, language)),
        entries=() if alert is None or ended else tuple(entries(alert, language, delisting)),
        until=() if ended else tuple(_until(facts, language, sender)),
        ask=tuple(_ask(facts, language, sender)),
        signature=sender.signature,
        headings=language.headings,
    )


def _phrases(language: Language, alert: AlertData) -> MetricPhrases | None:
    return next((phrases for metric, phrases in language.metrics.items() if metric == alert.metric), None)


def _is_withdrawn(facts: MailFacts) -> bool:
    return facts.kind == "resolved" and facts.alert is not None and is_withdrawn(facts.alert)


def _cause(facts: MailFacts) -> CauseId | None:
    """By which cause to advise; None where nothing is to be done."""
    if facts.kind == "resolved":
        return None
    if facts.kind in ("lifted", "unslowed"):
        return "lifted"
    return "unknown" if facts.alert is None else cause_of(facts.alert)


def _steps(facts: MailFacts, cause: CauseId, language: Language) -> tuple[str, ...]:
    steps = language.causes[cause].steps
    answered = cause in ANSWERED and facts.alert is not None and facts.alert.evidence.bounce_classes
    return (*steps, language.parts.see_answers) if answered else steps


def _whose(scope: str, language: Language, longest: int = 256) -> str:
    """What of a customer's mail is meant; empty where it is all."""
    whose = language.whose
    for prefix, phrase in ((STREAM_PREFIX, whose.stream), (SUB_ACCOUNT_PREFIX, whose.sub_account)):
        if scope.startswith(prefix):
            name = fill(language.form.quoted, name=clean(scope.removeprefix(prefix), longest))
            return fill(phrase, name=name)
    return {f"{CLASS_PREFIX}bulk": whose.bulk, f"{CLASS_PREFIX}transactional": whose.transactional}.get(scope, "")


def _scope(facts: MailFacts) -> str:
    return facts.scope if facts.alert is None or facts.kind in RESTRAINTS else facts.alert.scope


def _subject(facts: MailFacts, language: Language, about: MetricPhrases | None) -> str:
    """One line, with the customer's name, since one person may look after several accounts."""
    whose = _whose(_scope(facts), language, IN_SUBJECT)
    topic = "" if about is None else about.topic
    name: str = "withdrawn" if _is_withdrawn(facts) else facts.kind
    if name in ("suspended", "slowed") and not topic:
        name += "_plain"
    if whose and facts.kind in RESTRAINTS:
        said = fill(getattr(language.subjects_of_a_part, name), topic=topic, whose=whose)
    else:
        said = fill(getattr(language.subjects, name), topic=topic)
    return f"{said[0].upper()}{said[1:]} ({clean(facts.customer, IN_SUBJECT)})"


def _happened(facts: MailFacts, language: Language, about: MetricPhrases | None) -> str:
    form, changes = language.form, language.changes
    said = "" if facts.alert is None or about is None else _counted(facts.alert, form, about)
    if facts.kind in RESTRAINTS:
        since = date(form, facts.time_ms if facts.since_ms is None else facts.since_ms)
        whose = _whose(facts.scope, language)
        name = facts.kind + ("_part" if whose else "")
        stopped = fill(getattr(changes, name), since=since, whose=whose)
        return f"{stopped} {fill(changes.because, happened=said)}" if said and facts.kind not in ENDS else stopped
    if facts.kind == "resolved" and about is not None:
        opened = date(form, facts.time_ms if facts.opened_ms is None else facts.opened_ms)
        phrase = changes.withdrawn if _is_withdrawn(facts) else changes.resolved
        return fill(phrase, opened=opened, topic=about.topic)
    return said


def _counted(alert: AlertData, form: WrittenForm, about: MetricPhrases) -> str:
    phrase = about.happened.of(alert.numerator)
    return fill(
        phrase,
        n=number(form, alert.numerator),
        all=number(form, alert.denominator),
        period=period(form, alert.window),
        share=share(form, alert.rate, alert.threshold) if alert.metric == REPORTED_SPAM else "",
    )


def _notes(facts: MailFacts, language: Language) -> Iterator[str]:
    """What else there is to know of what happened."""
    alert = facts.alert
    if facts.kind not in RESTRAINTS and (whose := _whose(_scope(facts), language)):
        yield fill(language.whose.only, whose=whose)
    if alert is not None and _comes_late(alert) and facts.kind != "resolved":
        yield fill(language.changes.late, all=number(language.form, alert.denominator))
    if alert is not None and facts.kind not in ("resolved", *RESTRAINTS):
        change = {
            "escalated": language.changes.escalated if alert.previous_level in ("watch", "warning") else "",
            "de-escalated": language.changes.eased,
            "reopened": language.changes.reopened,
        }.get(alert.kind, "")
        if change:
            yield change
    if facts.reason:
        yield clean(facts.reason, 1_000)


def _comes_late(alert: AlertData) -> bool:
    """Whether what is reported is more than all mail of the time, so that most of it is of mail before."""
    rate = alert.metric in RATES or alert.metric in BURNS
    return rate and alert.metric != REPORTED_SPAM and alert.numerator > alert.denominator


def _means(facts: MailFacts, language: Language, about: MetricPhrases | None) -> Iterator[str]:
    if facts.kind not in ENDS and about is not None:
        yield about.means
    if _is_withdrawn(facts):
        yield language.means.withdrawn
    else:
        part = facts.kind in RESTRAINTS and _whose(facts.scope, language)
        yield getattr(language.means, facts.kind + ("_part" if part else ""))


def _until(facts: MailFacts, language: Language, sender: LetterSender) -> Iterator[str]:
    form, until, alert = language.form, language.until, facts.alert
    if facts.kind == "suspended":
        if facts.until_ms is None:
            yield until.suspended_open
        else:
            yield fill(until.suspended, date=date(form, facts.until_ms))
        return
    if facts.kind == "slowed":
        yield until.slowed
        return
    if within := (sender.act_within_h or {}).get(facts.kind, 0):
        yield fill(until.act, date=date(form, facts.time_ms + within * HOUR_MS))
    if alert is None:
        return
    if alert.metric == SPIKE:
        yield until.volume
    elif alert.metric == REPORTED_SPAM:
        yield fill(until.reported, days=number(form, max(1, window_ms(alert.window) // (24 * HOUR_MS))))
    elif alert.metric in LISTED_METRICS and alert.metric != "exposure":
        yield until.listed
    else:
        yield fill(until.counted, date=date(form, facts.time_ms + window_ms(alert.window)))


def _ask(facts: MailFacts, language: Language, sender: LetterSender) -> Iterator[str]:
    ask = language.ask
    yield fill(ask.with_contact, contact=sender.contact) if sender.contact else ask.without_contact
    if facts.alert is not None:
        yield fill(ask.reference, reference=clean(facts.alert.alert_id[:REFERENCE]))
