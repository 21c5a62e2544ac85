"""The commands `repmon customers ...`: plan, domains, contact and language of each customer."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click

from api.cli.lazy import command
from api.cli.options import as_json, by, why, with_reached
from api.cli.printing import note_if_none, print_json, print_line, print_note
from jobs.mail.languages import fitting, load_languages
from jobs.operator.customers import read_list, remove_customer, set_customer, store_list
from schemas.customer import Customer
from schemas.settings import Settings
from schemas.times import utc_now_ms
from streams.decisions.customers import read_customers
from streams.io.store import open_store

name = click.argument("customer")


@command("repmon customers import customers.csv --by Ida", name="import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@by
@why
@click.option("--whole", is_flag=True, help="Remove those from the list that the file does not name.")
@with_reached
def import_list(settings: Settings, path: Path, by: str, why: str, whole: bool) -> None:
    """Import a list of customers.

    FILE is CSV with the header customer,plan,domains,contact,language; all but the first may be missing. All of it is
    imported, or nothing if a line is wrong. Several domains of a customer are separated by spaces; domains below them
    are the customer's too. A file without the column contact or language leaves what is known of it.
    """
    customers, columns = read_list(path)
    _note_languages(settings, [each.language for each in customers])
    store = open_store(settings.clickhouse)
    found = store_list(store, customers, whole=whole, by=by, why=why, now_ms=utc_now_ms(), columns=columns)
    store.close()
    print_line(f"{found.changed:,} of {len(customers):,} customers are new or changed, {found.removed:,} removed")


@command("repmon customers set acme --plan pro --domain acme.example --by Ida", name="set")
@name
@by
@why
@click.option("--plan", help="The plan; '' for none.")
@click.option("--domain", multiple=True, help="A domain it may send from; may be repeated.")
@click.option("--contact", metavar="ADDRESS", help="Where mail about its alerts goes; '' for none.")
@click.option("--language", metavar="TAG", help="The language of that mail, such as de; '' for that of the settings.")
@with_reached
def set_one(
    settings: Settings,
    customer: str,
    by: str,
    why: str,
    plan: str | None,
    domain: tuple[str, ...],
    contact: str | None,
    language: str | None,
) -> None:
    """Add a customer, or change what is known of it.

    What is not given stays.
    """
    _note_languages(settings, [language or ""])
    store = open_store(settings.clickhouse)
    found = set_customer(
        store,
        customer,
        plan=plan,
        domains=list(domain) or None,
        contact=contact,
        language=language,
        by=by,
        why=why,
        now_ms=utc_now_ms(),
    )
    store.close()
    print_line(as_line(found))


@command("repmon customers remove acme --by Ida", name="remove")
@name
@by
@why
@with_reached
def remove(settings: Settings, customer: str, by: str, why: str) -> None:
    """Remove a customer from the list.

    Its counts and alerts stay.
    """
    store = open_store(settings.clickhouse)
    found = remove_customer(store, customer, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(f"removed {as_line(found)}")


@command("repmon customers list --plan free", name="list")
@click.option("--plan", default="", help="Only those of this plan.")
@as_json
@with_reached
def list_customers(settings: Settings, plan: str, as_json: bool) -> None:
    """Show the list, by name."""
    store = open_store(settings.clickhouse)
    found = read_customers(store, plan=plan)
    store.close()
    note_if_none(found, "no customers are listed")
    for each in found:
        if as_json:
            print_json(each)
        else:
            print_line(as_line(each))


def as_line(customer: Customer) -> str:
    """One customer as one line of text."""
    known = f"{customer.customer}  plan {customer.plan or '-'}  domains {' '.join(customer.domains) or '-'}"
    contact = f"  contact {customer.contact}" if customer.contact else ""
    return known + contact + (f"  language {customer.language}" if customer.language else "")


def _note_languages(settings: Settings, tags: Iterable[str]) -> None:
    """Say of which languages there are no texts: one may be added later, so it is no error."""
    known = load_languages(settings.mail.folder)
    for tag, times in Counter(tag for tag in tags if tag and not fitting(tag, known)).items():
        print_note(
            f"language: there are no texts in {tag!r} ({times:,} customer{'s' * (times != 1)}), so mail is written in "
            f"{settings.mail.language!r}; there are {', '.join(sorted(known))} (mail.folder adds others)"
        )
