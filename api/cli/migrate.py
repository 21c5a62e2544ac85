"""`repmon migrate`: the tables."""

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line
from jobs.setup import migrate as migration
from schemas.settings import Settings


@command("repmon migrate")
@with_reached
def migrate(settings: Settings) -> None:
    """Bring the tables to the current version.

    Stop all `ingest` and `up` of an earlier version first: while counts are being stored nothing is changed. Safe to
    repeat.
    """
    migration.check_nobody_stores(settings.clickhouse)
    for name in (applied := migration.migrate(settings.clickhouse)):
        print_line(f"applied {name}")
    if not applied:
        print_line("nothing to apply")
