"""Backups of the embedded store, taken while it runs.

BACKUP is refused by the engine as it is opened here (`backups.allowed_path` is not set, and chDB 4.4 takes no file of
configuration), so parts are frozen: ALTER TABLE ... FREEZE makes hard links of a table's parts, as they are at one
moment, and these are copied. Parts never change once they are written, so nobody waits.

A restored store has forgotten the deduplication tokens of its INSERTs. Counts are exact without them: tokens decide
between workers that hold the same messages, and of those who held any when the backup was taken none is left, since the
store and they are one process, or had to be stopped. Who comes then begins one behind the stored offset.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec

from jobs.embedded.backup_manifest import FORMAT, MANIFEST, BackedUpFile, BackupFormat, BackupManifest, order
from jobs.embedded.folder import HASH_KEY
from schemas.errors import InvalidInputError
from schemas.times import utc_now_ms, utc_time
from schemas.version import VERSION
from streams.io.store import Store

STORE = "store"
#: Where the engine puts frozen parts, and how the names of ours begin.
SHADOW, FROZEN = "shadow", "repmon_"
CHUNK = 1 << 20
DISK = "SELECT path FROM system.disks WHERE name = 'default'"
DATABASE = "SELECT metadata_path, version() FROM system.databases WHERE name = currentDatabase()"
#: Of each table that keeps rows, its folder within the store.
TABLES = """
SELECT name, concat('store/', substring(toString(uuid), 1, 3), '/', toString(uuid))
FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
"""
#: `{name}` is made here.
FREEZE = "ALTER TABLE {table} FREEZE WITH NAME '{name}'"


class BackupError(InvalidInputError):
    """A backup cannot be taken, read or restored; the message names the folder and why."""


def create_backup(store: Store, folder: Path, hash_key: Path) -> tuple[Path, BackupManifest]:
    """Copy the database of `store`, an embedded one on this machine, into a new folder below `folder`; `hash_key` is
    copied where there is such a file. Returns the new folder and its manifest.

    What a backup that was killed left in the store is removed. One that fails leaves nothing.

    Raises:
        BackupError: there is one of this second already, another is being taken, or a file cannot be read or written.
        StoreError: the store failed.
    """
    began_ms, began = utc_now_ms(), time.monotonic()
    name = f"{utc_time(began_ms):%Y%m%dT%H%M%SZ}"
    target = folder / name
    root = Path(str(store.rows(DISK)[0][0]))
    ((metadata, version),) = store.rows(DATABASE)
    tables = {str(table): str(where) for table, where in store.rows(TABLES)}
    with _alone(root / SHADOW):
        _make(target)
        frozen = f"{FROZEN}{name}"
        shadow = root / SHADOW / frozen
        try:
            for table in order(tables):
                store.run(FREEZE.format(table=table, name=frozen))
            rows = {table: rows_of(shadow / where) for table, where in tables.items()}
            sources = {**_files(shadow, shadow), **_metadata(root, store.settings.database, str(metadata))}
            files = tuple(copied(source, target / STORE, path) for path, source in sorted(sources.items()))
            key = copied(hash_key, target, HASH_KEY).digest if hash_key.is_file() else ""
            if key:
                (target / HASH_KEY).chmod(0o600)
            os.sync()
            manifest = BackupManifest(
                format=FORMAT,
                repmon=VERSION,
                clickhouse=str(version),
                database=store.settings.database,
                time_ms=began_ms,
                seconds=round(time.monotonic() - began, 3),
                rows=rows,
                files=files,
                hash_key=key,
            )
            (target / "manifest.part").write_bytes(msgspec.json.encode(manifest))
            (target / "manifest.part").replace(target / MANIFEST)
        except BaseException as error:
            shutil.rmtree(target, ignore_errors=True)
            if isinstance(error, OSError):
                raise BackupError(f"{target}: {error.strerror}; what was written of it is removed") from error
            raise
        finally:
            shutil.rmtree(shadow, ignore_errors=True)
    return target, manifest


@contextmanager
def _alone(shadow: Path) -> Iterator[None]:
    """No other backup of this store is taken meanwhile; parts that one before left frozen go, with the space that they
    take."""
    try:
        shadow.mkdir(mode=0o700, exist_ok=True)
        with (shadow / "repmon.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BackupError(f"{shadow.parent}: another backup of it is being taken") from error
            for left in shadow.glob(f"{FROZEN}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except OSError as error:
        raise BackupError(f"{error.filename or shadow}: {error.strerror}") from error


def _make(target: Path) -> None:
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.mkdir(mode=0o700)
    except FileExistsError as error:
        raise BackupError(f"{target}: is there already; take one backup a second at most") from error


def read_manifest(backup: Path) -> BackupManifest:
    """What a backup says of itself.

    Raises:
        BackupError: it has no manifest, as where it was not finished, or one that cannot be read.
    """
    try:
        read = (backup / MANIFEST).read_bytes()
        by = msgspec.json.decode(read, type=BackupFormat)
        if by.format != FORMAT:
            raise BackupError(
                f"{backup}: of format {by.format}, which this version does not read: repmon {by.repmon} took it"
            )
        return msgspec.json.decode(read, type=BackupManifest)
    except FileNotFoundError as error:
        raise BackupError(f"{backup}: no backup, or one that was not finished: {MANIFEST} is missing") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"{backup / MANIFEST}: {error}") from error


def list_backups(folder: Path) -> list[tuple[Path, BackupManifest | None]]:
    """The backups in a folder, oldest first; without a manifest where one was not finished or cannot be read.

    Raises:
        BackupError: there is no such folder, or it cannot be read.
    """
    found: list[tuple[Path, BackupManifest | None]] = []
    try:
        there = sorted(folder.iterdir())
    except OSError as error:
        raise BackupError(f"{folder}: {error.strerror}") from error
    for each in there:
        if each.is_dir():
            try:
                found.append((each, read_manifest(each)))
            except BackupError:
                found.append((each, None))
    return found


def rows_of(table: Path) -> int:
    """How many rows the parts in a folder have, as each part says itself."""
    return sum(int(file.read_text()) for file in table.glob("*/count.txt"))


def _metadata(root: Path, database: str, place: str) -> dict[str, Path]:
    """The statements that make the database and its tables, by path within the store."""
    found = {f"metadata/{database}.sql": root / "metadata" / f"{database}.sql"}
    return found | {f"{place.rstrip('/')}/{file.name}": file for file in (root / place).glob("*.sql")}


def _files(folder: Path, root: Path) -> dict[str, Path]:
    return {str(file.relative_to(root)): file for file in _walk(folder)}


def _walk(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names)


def copied(source: Path, into: Path, path: str) -> BackedUpFile:
    """Copy a file to `path` below `into`.

    Raises:
        OSError: it cannot be read or written, or is there already.
    """
    target = into / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = blake2b(digest_size=16), 0
    with source.open("rb") as read, target.open("xb") as written:
        while chunk := read.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            written.write(chunk)
    return BackedUpFile(path, size, digest.hexdigest())
