"""`repmon migrate`: the tables."""

import click

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line, print_note
from jobs.setup import migrate as migration
from jobs.setup.generations import check_generation
from jobs.setup.retention import apply_retention, changes, kept_days, planned_lines
from schemas.settings import Settings
from streams.io.store import open_store


@command("repmon migrate", "repmon migrate --dry-run")
@click.option("--dry-run", is_flag=True, help="Say what would be changed, and how many rows would go.")
@with_reached
def migrate(settings: Settings, dry_run: bool) -> None:
    """Bring the tables to the current version.

    Rows are then kept for as long as [retention] of the settings says: a shorter time removes rows for good. Stop all
    `ingest` and `up` of an earlier version first: while counts are being stored nothing is migrated, unless earlier
    workers may go on beside it. Safe to repeat.
    """
    if dry_run:
        lines = [f"would apply {name}" for name in migration.pending(settings.clickhouse)]
        if not lines:
            with open_store(settings.clickhouse) as store:
                planned = changes(kept_days(store), settings.retention)
                lines = [f"would change {line}" for line in planned_lines(store, planned)]
    else:
        migration.check_nobody_stores(settings.clickhouse)
        lines = [f"applied {name}" for name in migration.migrate(settings.clickhouse)]
        with open_store(settings.clickhouse) as store:
            for said in check_generation(store):
                print_note(f"repmon: {said}")
            lines += [f"changed {line}" for line in apply_retention(store, settings.retention)]
    for line in lines or ["nothing to apply"]:
        print_line(line)
