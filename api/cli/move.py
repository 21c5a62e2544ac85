"""`repmon move`: copy an embedded store to a server."""

from pathlib import Path

import click

from api.cli.lazy import command
from api.cli.options import with_settings
from api.cli.patience import patient_store
from api.cli.printing import print_json, print_line, print_note
from jobs.data.fault import StoredDataError
from jobs.data.moving import ComparedTable, move
from jobs.embedded.folder import DataFolder
from jobs.setup.migrate import migrate
from jobs.setup.retention import apply_retention, changes, kept_days, planned_lines
from schemas.settings import ClickHouse, Settings, names_store
from streams.io.store import open_store

#: How long a part may take, in s.
PATIENT_S = 600.0
PROGRESS = "move.json"


@command("repmon -c server.toml move --from data", name="move")
@click.option(
    "--from", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), help="The data folder."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a table.")
@with_settings
def move_store(settings: Settings, folder: Path, as_json: bool) -> None:
    """Copy the embedded store of a data folder to a server.

    That is the server of the settings. Counts with their offsets, evidence, alerts, decisions and all else; the
    tables are made first, and keep rows for as long as the settings say. Nothing may run on either meanwhile. Run
    again after a failure it goes on. At the end both are compared table by table; the exit code is 1 where one
    differs. The embedded store is left as it is.
    """
    if not names_store(settings):
        raise StoredDataError("clickhouse.url: name the server to move to")
    data = DataFolder(folder)
    if not data.chdb.is_dir():
        raise StoredDataError(f"{data.path}: there is no embedded store in it")
    data.take()
    try:
        own = ClickHouse(path=str(data.chdb), database=settings.clickhouse.database)
        for name in migrate(own):
            print_note(f"applied {name} to the embedded store")
        migrate(settings.clickhouse)
        with open_store(own) as source, patient_store(settings.clickhouse, PATIENT_S) as target:
            apply_retention(target, settings.retention)
            shorter = [each for each in changes(kept_days(source), settings.retention) if each.shortens]
            for line in planned_lines(source, shorter):
                print_note(f"the server's retention: {line}")
            compared = move(source, target, data.path / PROGRESS, print_note)
    finally:
        data.give_back()
    for each in compared:
        if as_json:
            print_json(each)
        else:
            print_line(as_line(each))
    if not all(each.equal for each in compared):
        print_note("not all tables are equal: see that nothing else stores in the server, and compare again")
        raise click.exceptions.Exit(1)
    print_note(f"both are equal; start with clickhouse.url, and with ingest.hash_key as in {data.path / 'hash.key'}")


def as_line(each: ComparedTable) -> str:
    """One table as one line of text."""
    said = "equal" if each.equal else f"DIFFERS: {each.target_rows:,} rows at the server"
    return f"{each.table:<22} {each.rows:>14,} rows  {said}"
