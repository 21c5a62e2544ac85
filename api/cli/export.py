"""The commands `repmon export ...`."""

from pathlib import Path

import click

from api.cli.lazy import command
from api.cli.options import by, needed_why, new_file, with_reached
from api.cli.patience import patient_store
from api.cli.printing import print_json, print_line, print_note
from jobs.data.export import export_customer
from jobs.operator.audit import Decision, record_decision
from schemas.settings import Settings
from schemas.times import utc_now_ms, utc_time

#: How long a table may take, in s.
PATIENT_S = 600.0
EXPORTED = "customer exported"


@command("repmon export customer acme --to acme.zip --by Ida --why 'asked for it'", name="customer")
@click.argument("name", metavar="CUSTOMER")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    callback=new_file,
    help="The ZIP archive to be written.",
)
@by
@needed_why
@click.option("--json", "as_json", is_flag=True, help="The manifest as one JSON object; times are epoch ms.")
@with_reached
def customer(settings: Settings, name: str, target: Path, by: str, why: str, as_json: bool) -> None:
    """Write what is stored of a customer to a ZIP archive.

    It has a file of JSON lines for each table, and manifest.json with rows and digests. Keys are left out, and what is
    about other customers too.
    """
    with patient_store(settings.clickhouse, PATIENT_S) as store:
        found = export_customer(store, name, target)
        record_decision(store, Decision(utc_time(utc_now_ms()), by, EXPORTED, name, name, why, {"rows": found.rows}))
    if as_json:
        print_json(found)
        return
    for each in found.tables:
        if each.rows:
            print_line(f"{each.file:<28} {each.rows:>12,} rows")
    print_line(f"{found.rows:,} rows of {name} in {target}")
    if not found.rows:
        print_note("nothing is stored of a customer of this name")
