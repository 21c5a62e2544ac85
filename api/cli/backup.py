"""The commands `repmon backup ...`: copies of the embedded store, taken while it runs, and put back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from api.cli.lazy import command
from api.cli.options import json_lines, told_where, with_settings
from api.cli.patience import patient_store
from api.cli.printing import note_if_none, print_json, print_line
from jobs.embedded.backup import BackupError, create_backup, list_backups
from jobs.embedded.backup_manifest import BackupManifest
from jobs.embedded.folder import HASH_KEY, DataFolder
from jobs.embedded.reach import look
from jobs.embedded.restore import restore_backup
from jobs.setup.generations import check_generation
from schemas.settings import Settings, names_store
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.io.store import Store, open_store

OF_A_SERVER = "backups are of the embedded store; docs/data.md has the statements for a server"
#: How long a table may take to be frozen, in s.
PATIENT_S = 600.0
folder = click.option(
    "--folder", type=click.Path(path_type=Path), default=None, help="Where backups are; `backups` in the data folder."
)


@command("repmon backup create", "repmon backup create --folder /mnt/backups")
@folder
@json_lines
@with_settings
def create(settings: Settings, folder: Path | None, as_json: bool) -> None:
    """Copy the embedded store, while it runs or not.

    The copy is of one moment for counts and their offsets; nobody waits for it. It has the key of recipients' hashes
    in it: keep it as you keep the data folder, and on another disk.
    """
    if names_store(settings):
        raise BackupError(OF_A_SERVER)
    data = DataFolder(settings.embedded.data)
    with _store(settings, data) as store:
        made, manifest = create_backup(store, folder or data.path / "backups", data.path / HASH_KEY)
    _show(made, manifest, as_json=as_json)


@command("repmon backup list", name="list")
@folder
@json_lines
@with_settings
def list_all(settings: Settings, folder: Path | None, as_json: bool) -> None:
    """Show the backups in a folder, oldest first."""
    data = DataFolder(settings.embedded.data).path
    if folder is None and not data.is_dir():
        raise BackupError(f"{data}: {'is no folder' if data.exists() else 'there is no such folder'}")
    # Before the first backup the data folder has no place for them.
    default = data / "backups"
    found = list_backups(folder or default) if folder is not None or default.exists() else []
    note_if_none(found, "no backups")
    for made, manifest in found:
        _show(made, manifest, as_json=as_json)


@command("repmon backup restore data/backups/20261130T060001Z")
@click.argument("backup", type=click.Path(path_type=Path, file_okay=False))
@click.option("--replace", is_flag=True, help="Move a store that is there aside, and keep it.")
@with_settings
def restore(settings: Settings, backup: Path, replace: bool) -> None:
    """Put a backup in place of the embedded store, which must not run.

    Every file is compared with its digest first. What came after the backup is read again from Kafka where the topic
    still has it; an embedded broker has forgotten it.
    """
    if names_store(settings):
        raise BackupError(OF_A_SERVER)
    data = DataFolder(settings.embedded.data)
    data.take()
    try:
        _check_key(backup, data, replace=replace)
        manifest, aside = restore_backup(
            backup,
            _chdb(settings, data),
            data.path / HASH_KEY,
            replace=replace,
            now_ms=utc_now_ms(),
            check=check_generation,
        )
    finally:
        data.give_back()
    rows = sum(manifest.rows.values())
    print_line(f"restored {rows:,} rows of {rfc3339(manifest.time_ms)} into {_chdb(settings, data)}")
    if aside is not None:
        print_line(f"the store that was there is kept in {aside}")


def _check_key(backup: Path, data: DataFolder, *, replace: bool) -> None:
    """Another key would make other hashes of the same recipients."""
    own, kept = data.path / HASH_KEY, backup / HASH_KEY
    if not replace and own.is_file() and kept.is_file() and own.read_bytes().strip() != kept.read_bytes().strip():
        raise BackupError(f"{own}: is another key than that of the backup; --replace takes that of the backup")


def _chdb(settings: Settings, data: DataFolder) -> Path:
    return DataFolder(settings.clickhouse.path).path if settings.clickhouse.path else data.chdb


@contextmanager
def _store(settings: Settings, data: DataFolder) -> Iterator[Store]:
    """The store of a `repmon up` that runs, or the one in the data folder, opened here."""
    if look(settings).running is not None:
        with told_where(settings) as reached, patient_store(reached.clickhouse, PATIENT_S) as store:
            yield store
        return
    chdb = _chdb(settings, data)
    if not chdb.is_dir():
        raise BackupError(f"{chdb}: there is no store, and no `repmon up` runs in {data.path}")
    data.take()
    try:
        with open_store(msgspec.structs.replace(settings.clickhouse, path=str(chdb))) as store:
            yield store
    finally:
        data.give_back()


def _show(made: Path, manifest: BackupManifest | None, *, as_json: bool) -> None:
    if as_json:
        found = {"path": str(made), "complete": manifest is not None}
        if manifest is not None:
            found |= {name: getattr(manifest, name) for name in ("time_ms", "seconds", "rows", "size", "repmon")}
        print_json(found)
    elif manifest is None:
        print_line(f"{made}  not finished, or damaged")
    else:
        rows = sum(manifest.rows.values())
        size = f"{rows:,} rows, {manifest.size / 1e6:,.1f} MB in {len(manifest.files):,} files"
        print_line(f"{made}  {rfc3339(manifest.time_ms)}  {size}, taken in {manifest.seconds:.1f} s")
