"""`repmon alerts text`: an alert as a mail that can be sent to the customer."""

import re
from typing import Literal

import click

from api.cli.lazy import command
from api.cli.options import an_id, with_reached
from api.cli.printing import print_exactly
from api.explain.customer_mail import left_of, mail_facts
from api.stack.policy import policy_in_force
from jobs.mail.facts import RESTRAINTS, MailKind
from jobs.mail.mail import CustomerMail, MailWriter, message
from jobs.operator.decisions import find_alert
from schemas import blocklists, providers
from schemas.customer import MAILBOX, Customer
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from streams.decisions.customers import read_customers
from streams.io.store import open_store

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
    type=click.Choice(RESTRAINTS),
    help="The mail that would tell of a suspension, or of slower delivery, because of this alert, or of its end.",
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
    policy, loops = policy_in_force(settings, store).policy, providers.load_providers().with_feedback_loop()
    facts = mail_facts(found.last, found.opened_ms, None, kind)
    facts = facts._replace(left=left_of(store, policy, loops, found.last, utc_now_ms()))
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
