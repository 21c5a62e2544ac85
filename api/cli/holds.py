"""The commands `repmon holds ...`: alerts on which nobody acts until somebody has looked."""

from collections.abc import Callable

import click

from api.cli.durations import since_ms
from api.cli.lazy import command
from api.cli.options import by, json_lines, needed_why, only_customer, with_reached
from api.cli.printing import note_if_none, print_json, print_line
from jobs.operator.holds import HoldShown, decide_hold, shown_holds
from schemas.settings import Settings
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.io.store import open_store

an_optional_id = click.argument("which", metavar="[ID]", default="")


@command("repmon holds list --since 7d", name="list")
@click.option("--since", default="30d", help="Only those in force within this time, and all that wait for a decision.")
@only_customer
@json_lines
@with_reached
def list_holds(settings: Settings, since: str, customer: str, as_json: bool) -> None:
    """Show holds.

    Oldest first, with who is held: nobody is to act on their alerts until they are confirmed or released.
    """
    store = open_store(settings.clickhouse)
    found = shown_holds(store, since_ms(since, "--since", utc_now_ms()), customer)
    store.close()
    note_if_none(found, "no holds")
    for each in found:
        if as_json:
            print_json(each)
            continue
        print_line(as_line(each))
        for held in each.held:
            print_line(f"  {held.customer}: {held.level} by {', '.join(held.rules)}")


def _deciding(run: Callable[..., None]) -> Callable[..., None]:
    only = click.option("--customer", default="", help="Only this customer; else everybody who is held.")
    return an_optional_id(only(by(needed_why(with_reached(run)))))


@command('repmon holds confirm 3f9c --customer acme --by Ida --why "bought list"', name="confirm")
@_deciding
def confirm(settings: Settings, which: str, customer: str, by: str, why: str) -> None:
    """Send held alerts again, as right.

    ID is the hold's id, or a unique prefix of it; it may be left out where only one hold waits. Running monitors send
    the alerts again within seconds, not held (`confirmed`), so that hooks act on them.
    """
    _decide(settings, which, customer, by, why, confirmed=True)


@command('repmon holds release 3f9c --by Ida --why "our own DNS was down"', name="release")
@_deciding
def release(settings: Settings, which: str, customer: str, by: str, why: str) -> None:
    """Resolve held alerts, as nobody's fault.

    ID is the hold's id, or a unique prefix of it; it may be left out where only one hold waits. Running monitors
    resolve the alerts within seconds. Each rule concerned then judges that customer by mail sent since the release
    alone, until its longest window is over.
    """
    _decide(settings, which, customer, by, why, confirmed=False)


def _decide(settings: Settings, which: str, customer: str, by: str, why: str, *, confirmed: bool) -> None:
    store = open_store(settings.clickhouse)
    hold, members = decide_hold(store, which, confirm=confirmed, customer=customer, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    number = f"{len(members):,} customer{'' if len(members) == 1 else 's'}"
    print_line(f"{'confirmed' if confirmed else 'released'} {number} of hold {hold.id}, by {by}: {why}")


def as_line(shown: HoldShown) -> str:
    """One hold as one line of text."""
    hold = shown.hold
    what = f"{hold.customers:,} customers newly excessive within {hold.minutes:g} minutes, of at most {hold.limit:,}"
    if hold.reason == "incident":
        what = "an incident of a pool, or of a provider, is suspected"
    decided = [f"held {len(shown.held):,}", f"confirmed {shown.confirmed:,}", f"released {shown.released:,}"]
    return (
        f"{hold.id}  {hold.reason}  {what}; {rfc3339(hold.began_ms)} until {rfc3339(hold.until_ms)}; "
        f"{', '.join(decided)}"
    )
