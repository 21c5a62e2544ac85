"""The mail to a customer that would be sent: made of an alert, edited by an operator, sent as the settings say.

An edited mail goes as plain text, since what an operator read is what the customer gets. It is on record before it is
sent: nothing leaves that the audit does not have.
"""

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache

from api.explain.customer_mail import mail_facts
from api.explain.explanation import Explanation
from api.http.models.standing import OpenAlert
from jobs.hooks.targets.base import Order, TargetError
from jobs.hooks.targets.mail import MailTarget
from jobs.mail.facts import MailFacts, MailKind
from jobs.mail.mail import MailWriter
from jobs.mail.writing import clean
from jobs.operator.audit import Decision, entries, record_decision
from jobs.operator.decisions import DecidedError, DecisionError
from schemas.alert import AlertEvent
from schemas.customer import MAILBOX, Customer
from schemas.hook import HookAction
from schemas.hook_check import password_of
from schemas.mail import MailSettings
from schemas.notify import Email
from schemas.settings import Settings
from schemas.times import DAY_MS, epoch_ms, utc_time
from schemas.wording import rfc3339_ms
from streams.io.store import Store

#: What `audit` calls it.
MAILED, MAIL_FAILED = "customer mailed", "customer mail failed"
#: Letters of a subject and of a text.
LONGEST_SUBJECT, LONGEST_TEXT = 300, 20_000
DRAFT = re.compile(r"[0-9a-f]{24}")
HOW_TO = (
    "No mail server is set up for mail to customers. Set up an action of the kind mail (hook.actions, "
    "docs/suspending.md) or a route to an e-mail address (notify.routes, docs/notify.md): its server is used."
)


@dataclass(frozen=True, slots=True)
class MailDraft:
    """A mail as it would be sent. `id` is that of this draft, by which a second sending is known; `through` says by
    which server, empty where there is none, and `problem` why there is no mail or none can be sent."""

    id: str
    to: str
    subject: str
    text: str
    kind: str
    kinds: tuple[str, ...]
    language: str
    languages: tuple[str, ...]
    alert_id: str
    through: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class EditedMail:
    """What is to be sent, as an operator left it."""

    id: str
    customer: str
    alert_id: str
    kind: str
    to: str
    subject: str
    text: str


@lru_cache(maxsize=4)
def _writer(settings: MailSettings, pages: tuple[tuple[str, str], ...]) -> MailWriter:
    """One for the settings: it tries every template when it is made."""
    return MailWriter(settings, dict(pages))


def mail_writer(settings: MailSettings, delisting: Mapping[str, str]) -> MailWriter:
    """Writes mail as the settings say.

    Raises:
        SettingsError: a template or language cannot be used.
    """
    return _writer(settings, tuple(sorted(delisting.items())))


def mail_server(settings: Settings) -> tuple[str, HookAction] | None:
    """The server that takes mail to customers, and where it is set up: that of the suspension hook, else that of a
    route."""
    for name, action in settings.hook.actions.items():
        if action.kind == "mail":
            return f"hook.actions.{name}", action
    for route in settings.notify.routes:
        if isinstance(target := route.target, Email):
            return f"notify.routes {route.name}", HookAction(
                kind="mail",
                host=target.host,
                port=target.port,
                tls=target.tls,
                user=target.user,
                password=target.password,
                password_file=target.password_file,
                ca_file=target.ca_file,
                sender=target.sender,
                timeout_s=route.timeout_s,
            )
    return None


def draft(
    writer: MailWriter,
    settings: Settings,
    explanation: Explanation,
    alerts: Mapping[str, AlertEvent],
    worst: OpenAlert | None,
    account: Customer,
    now_ms: int,
    kind: str = "",
    language: str = "",
) -> MailDraft | None:
    """The mail about the worst alert, or about a suspension; None where there is nothing to tell. `alerts` are the last
    transitions, by alert."""
    event = alerts.get(worst.alert_id) if worst else None
    whole = explanation.scopes[0]
    kinds: list[MailKind] = []
    problem = ""
    if whole.suspended:
        kinds.append("suspended")
    elif whole.reinstated:
        kinds.append("lifted")
    about: dict[str, MailFacts] = {}
    if event is not None and worst is not None:
        rules = [rule for scope in explanation.scopes if scope.scope == event.data.scope for rule in scope.rules]
        left = next((rule.allowance for rule in rules if rule.rule == event.data.rule), None)
        try:
            facts = mail_facts(event, epoch_ms(worst.opened), left)
            about[facts.kind] = facts
            kinds.insert(0 if not whole.suspended else 1, facts.kind)
        except DecisionError as error:
            problem = str(error)
    for each in kinds:
        since = whole.suspended or whole.reinstated
        about.setdefault(
            each,
            MailFacts(
                kind=each,
                customer=explanation.customer,
                time_ms=now_ms,
                alert=event.data if event and not problem else None,
                since_ms=rfc3339_ms(since.time) if since else now_ms,
            ),
        )
    if not kinds:
        return no_draft(problem) if problem else None
    chosen = kind if kind in about else kinds[0]
    tag = language if language in writer.languages else account.language
    written = writer.mail(about[chosen], tag)
    server = mail_server(settings)
    return MailDraft(
        id=secrets.token_hex(12),
        to=account.contact,
        subject=written.subject,
        text=written.text,
        kind=chosen,
        kinds=tuple(kinds),
        language=written.language,
        languages=writer.languages,
        alert_id=worst.alert_id if worst else "",
        through=f"{server[1].host}:{server[1].port} ({server[0]}), from {server[1].sender}" if server else "",
        problem="" if server else HOW_TO,
    )


def no_draft(problem: str) -> MailDraft:
    """In the place of a mail: why there is none."""
    return MailDraft("", "", "", "", "", (), "", (), "", "", problem)


def send(
    store: Store, settings: Settings, mail: EditedMail, *, by: str, now_ms: int, clock: Callable[[], float] = time.time
) -> str:
    """Put a mail on record, and hand it to the server. Returns what the server said. `clock` gives epoch s.

    Raises:
        DecisionError: something of it cannot be used, there is no server, it was sent before, or the server refuses it.
        StoreError: the store failed; then nothing was sent.
    """
    check_mail(mail)
    found = mail_server(settings)
    if found is None:
        raise DecisionError(HOW_TO)
    before = entries(store, now_ms - DAY_MS, 1_000, customer=mail.customer, verdicts=False)
    if any(each.action == MAILED and each.detail.get("draft") == mail.id for each in before):
        raise DecidedError("this mail was sent already; load the page again to write another")
    name, action = found
    target = MailTarget(name, action, password_of(name, action), lambda _: (mail.to, _message(mail)), clock)
    detail = {"draft": mail.id, "to": mail.to, "kind": mail.kind, "subject": mail.subject, "text": mail.text}
    record_decision(
        store, Decision(utc_time(now_ms), by, MAILED, mail.customer, mail.alert_id or mail.customer, "", detail)
    )
    try:
        return target.apply(_order(mail), {}).said
    except TargetError as error:
        failed = Decision(
            utc_time(now_ms + 1), by, MAIL_FAILED, mail.customer, mail.alert_id or mail.customer, str(error), {}
        )
        record_decision(store, failed)
        raise DecisionError(f"the mail was not sent: {error}") from error


def check_mail(mail: EditedMail) -> None:
    """That a mail can be sent as it was edited.

    Raises:
        DecisionError: naming the field.
    """
    if not DRAFT.fullmatch(mail.id):
        raise DecisionError("this form is not one of ours; load the page again")
    if not mail.to or not re.fullmatch(MAILBOX, mail.to):
        raise DecisionError(f"{mail.to[:100]!r} is not a mail address")
    for field, text, longest in (("the subject", mail.subject, LONGEST_SUBJECT), ("the text", mail.text, LONGEST_TEXT)):
        if not text.strip():
            raise DecisionError(f"{field} is empty")
        if len(text) > longest:
            raise DecisionError(f"{field} is longer than {longest:,} characters")


def _message(mail: EditedMail) -> EmailMessage:
    found = EmailMessage(policy=SMTP)
    found["Subject"] = clean(mail.subject, LONGEST_SUBJECT)
    found.set_content("\n".join(mail.text.splitlines()) + "\n")
    return found


def _order(mail: EditedMail) -> Order:
    return Order(
        id=mail.id,
        tag=mail.id,
        operation="apply",
        customer=mail.customer,
        scope="customer",
        stream="",
        effect="notify",
        about="notify",
        level="good",
        rule="",
        reason="",
        alert_id=mail.alert_id,
        alert_ids=(mail.alert_id,) if mail.alert_id else (),
    )
