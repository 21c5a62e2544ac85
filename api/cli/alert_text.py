"""`repmon alerts text`: an alert as a mail that can be sent to the customer."""

import re
from typing import Literal

import click

from api.cli.lazy import command
from api.cli.options import an_id, with_reached
from api.cli.printing import print_exactly
from api.stack.policy import policy_in_force
from jobs.mail.facts import MailFacts, MailKind, kind_of
from jobs.mail.mail import CustomerMail, MailWriter, message
from jobs.operator.decisions import DecisionError, FoundAlert, find_alert
from schemas import blocklists, providers
from schemas.alert import AlertData
from schemas.customer import MAILBOX, Customer
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from schemas.wording import rfc3339_ms
from streams.decisions.customers import plans, read_customers
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store, open_store
from streams.judge.allowance import RuleAllowance, allowances
from streams.windows.current import window_counts

MailFormat = Literal["text", "html", "eml"]


@command(
    "repmon alerts text 4ad262bb --language de", "repmon alerts text 4ad262bb --format eml > mail.eml", name="text"
)
@an_id
@click.option("--language", metavar="TAG", default="", help="The language, such as de; else the customer's own.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "eml"]),
    default="text",
    help="A text, a page, or a whole mail with both.",
)
@click.option("--html", is_flag=True, help="As --format html.")
@click.option(
    "--kind",
    type=click.Choice(["suspended", "lifted"]),
    help="The mail that would tell of a suspension because of this alert, or of its end.",
)
@with_reached
def alert_text(
    settings: Settings, which: str, language: str, form: MailFormat, html: bool, kind: MailKind | None
) -> None:
    """Print an alert as a mail to the customer.

    ID is the alert's id as `repmon alerts` shows it, or a unique prefix of it. The mail says what happened, what it
    means, the figures, the likely cause, what to do, until when, and whom to ask; not who acknowledged the alert, nor
    who overrode it and why. Templates and languages of your own are in `mail.folder`.
    """
    writer = MailWriter(settings.mail, delisting_pages(settings))
    if language and language not in writer.languages:
        raise SettingsError(f"--language: there is no {language!r}; known are {', '.join(writer.languages)}")
    store = open_store(settings.clickhouse)
    found = find_alert(store, which)
    facts = _facts(settings, store, found, kind)
    customer = next(iter(read_customers(store, facts.customer)), Customer(customer=facts.customer))
    store.close()
    _print(writer.mail(facts, language or customer.language), "html" if html else form, settings, customer.contact)


def delisting_pages(settings: Settings) -> dict[str, str]:
    """The page of each blocklist where a listing is looked up, by its zone.

    Raises:
        BlocklistsError: the table of zones cannot be used.
    """
    return {zone.zone: zone.delisting for zone in blocklists.in_force(settings.blocklists) if zone.delisting}


def _print(mail: CustomerMail, form: MailFormat, settings: Settings, contact: str) -> None:
    match form:
        case "eml":
            sender = settings.mail.contact if re.fullmatch(MAILBOX, settings.mail.contact) else ""
            whole = message(mail, sender=sender, recipient=contact, now_ms=utc_now_ms())
            print_exactly(whole.as_bytes())
        case "html":
            print_exactly(mail.html.encode())
        case _:
            print_exactly(f"Subject: {mail.subject}\n\n{mail.text}".encode())


def _facts(settings: Settings, store: Store, found: FoundAlert, kind: MailKind | None) -> MailFacts:
    """What is known of an alert, for its customer.

    Raises:
        DecisionError: the customer is told nothing of it.
    """
    event = found.last
    data = event.data
    if not data.customer:
        raise DecisionError(f"alert {data.alert_id} is on {data.scope} and of no single customer")
    if data.held is not None:
        raise DecisionError(
            f"alert {data.alert_id} is held, so the customer is told nothing; decide with `repmon holds confirm` or "
            "`repmon holds release`"
        )
    told = kind or kind_of(data)
    if told is None:
        raise DecisionError(f"alert {data.alert_id} is nothing that a customer is told")
    time_ms = rfc3339_ms(event.time)
    left = _left(store, policy_in_force(settings, store).policy, data)
    return MailFacts(
        kind=told,
        customer=data.customer,
        time_ms=time_ms,
        alert=data,
        opened_ms=found.opened_ms,
        left=next((each for each in left if each.rule == data.rule), None),
        scope=data.scope,
        since_ms=time_ms,
    )


def _left(store: Store, policy: Policy, data: AlertData) -> list[RuleAllowance]:
    now_ms = utc_now_ms()
    of_plan = for_plans(policy, plans(store, data.customer))
    policy = with_stored(of_plan, stored_overrides(store, now_ms, data.customer), now_ms)
    lengths = {name: window_ms(name) for name in policy.windows}
    loops = providers.load_providers().with_feedback_loop()
    counted = window_counts(store, [data.customer], lengths, loops, now_ms, policy)
    subject = next((each for each in counted if each.scope == data.scope), None)
    return [] if subject is None else allowances(subject, policy, now_ms, {data.rule: data.level})
