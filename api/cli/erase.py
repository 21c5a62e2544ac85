"""The commands `repmon erase ...`: what is stored of a customer or a recipient is removed, with a receipt."""

from collections.abc import Sequence

import click
import msgspec

from api.cli.lazy import command
from api.cli.options import by, needed_why, with_reached
from api.cli.patience import patient_store
from api.cli.printing import print_json, print_line, print_note
from jobs.data.erasure import ErasureReceipt, check_erasable, erase_customer, erase_recipient
from jobs.data.topics_left import OF_CUSTOMER, OF_RECIPIENT, lines, read_kept
from jobs.hooks.measure import OVER
from jobs.operator.audit import Decision, record_decision
from schemas.settings import Settings
from schemas.times import utc_now_ms, utc_time
from streams.io.broker import BrokerError
from streams.io.store import Store

#: How long one statement may take, in s: all parts of a table are rewritten.
PATIENT_S = 3_600.0
#: And a little more than a monitor keeps figures in memory, in s.
SPARE_S = 5.0
really = click.option("--yes", is_flag=True, help="Erase; without it is only said what would be.")
as_json = click.option("--json", "as_json", is_flag=True, help="The receipt as one JSON object; times are epoch ms.")


@command("repmon erase customer acme --by Ida --why 'contract ended'", name="customer")
@click.argument("names", metavar="CUSTOMER...", nargs=-1, required=True)
@by
@needed_why
@really
@as_json
@with_reached
def customer(settings: Settings, names: tuple[str, ...], by: str, why: str, yes: bool, as_json: bool) -> None:
    """Erase a customer, or several, from every table.

    Counts, evidence, alerts, decisions, keys and what is on record of it go; the figures of others stay as they are.
    Without --yes nothing is changed. The receipt says how many rows there were and are, and what stays in the topics.
    Events of it that come later are counted as those of a new customer. Several take little longer than one: name
    them together, since an erasure that follows within minutes waits for what the one before left to be done.
    """
    names, over = tuple(dict.fromkeys(names)), sorted(OVER)
    with patient_store(settings.clickhouse, PATIENT_S) as store:
        for name in names:  # before anything is done: nothing, or all
            check_erasable(store, name, over)
        for name in names:
            found = erase_customer(
                store,
                name,
                key=settings.ingest.hash_key,
                over=over,
                by=by,
                why=why,
                dry_run=not yes,
                forgotten_s=settings.monitor.long_windows_every_s + SPARE_S,
                say=print_note,
                finish=name == names[-1],
            )
            _finish(settings, store, found, OF_CUSTOMER, as_json=as_json)


@command("repmon erase recipient ann@example.com --by Ida --why 'asked for it'", name="recipient")
@click.argument("address")
@by
@needed_why
@really
@as_json
@with_reached
def recipient(settings: Settings, address: str, by: str, why: str, yes: bool, as_json: bool) -> None:
    """Erase what is stored of a recipient's address.

    It is looked for by its hash, made as `ingest` makes it (ingest.hash_key), and in clear in dead letters. Counts
    stay: they name no recipient. Without --yes nothing is changed.
    """
    with patient_store(settings.clickhouse, PATIENT_S) as store:
        found = erase_recipient(store, address, key=settings.ingest.hash_key, by=by, why=why, dry_run=not yes)
        _finish(settings, store, found, OF_RECIPIENT, as_json=as_json)


def _finish(settings: Settings, store: Store, found: ErasureReceipt, topics: Sequence[str], *, as_json: bool) -> None:
    """Put the erasure on record, say what the topics keep, and print the receipt."""
    sources = sorted(settings.ingest.formats)
    try:
        left = lines(read_kept(settings.kafka, [*sources, *topics]), utc_now_ms(), sources)
    except BrokerError as error:
        left = [f"topics: {error}; each keeps what came for its retention"]
    found = msgspec.structs.replace(found, remains=(*found.remains, *left))
    if not found.dry_run:
        rows = {each.table: each.before - each.after for each in found.tables if each.before}
        detail = {"rows": rows, "complete": found.is_complete}
        time = utc_time(found.ended_ms)
        record_decision(store, Decision(time, found.by, f"{found.kind} erased", "", found.subject, found.why, detail))
    if as_json:
        print_json(found)
    else:
        for line in receipt_lines(found):
            print_line(line)
    if found.dry_run:
        print_note("nothing was changed; --yes erases it")
    elif not found.is_complete:
        print_note("rows came meanwhile; run it again once nothing of it comes any more")


def receipt_lines(found: ErasureReceipt) -> list[str]:
    """The receipt for people."""
    would = "would be " if found.dry_run else ""
    shown = [each for each in found.tables if each.before or each.after]
    what = f"{found.rows:,} rows {would}erased, by {found.by}: {found.why}"
    return [
        f"{found.kind} {found.subject}: {what}",
        *(f"  {each.table:<20} {each.before:>12,} rows {would}{each.action}, {each.after:,} left" for each in shown),
        *(f"  remains: {each}" for each in found.remains),
    ]
