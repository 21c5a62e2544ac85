"""Backups of the embedded store, taken while it runs.

BACKUP is refused by the engine as it is opened here (`backups.allowed_path` is not set, and chDB 4.4 takes no file of
configuration), so parts are frozen: ALTER TABLE ... FREEZE makes hard links of a table's parts, as they are at one
moment, and these are copied. Parts never change once they are written, so nobody waits.

A restored store has forgotten the deduplication tokens of its INSERTs. Counts are exact without them: tokens decide
between workers that hold the same messages, and of those who held any when the backup was taken none is left, since the
store and they are one process, or had to be stopped. Who comes then begins one behind the stored offset.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec

from jobs.embedded.backup_manifest import FORMAT, MANIFEST, BackedUpFile, BackupManifest, order, without_ttl
from jobs.embedded.folder import HASH_KEY
from schemas.errors import InvalidInputError
from schemas.settings import ClickHouse
from schemas.times import utc_now_ms, utc_time
from schemas.version import VERSION
from streams.io.store import Store, open_store

STORE = "store"
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
#: Ids by which repetitions are known are asked for by the time they came: after a restore as if they had come as much
#: later as the backup is old.
RENEWED = {
    "remembered_ids": """
INSERT INTO remembered_ids
SELECT topic, partition, partitions, came + toIntervalSecond({age:UInt32}), source, last_offset, hashes
FROM remembered_ids WHERE came > toDateTime({since:UInt32})
""",
    "negative_ids": """
INSERT INTO negative_ids
SELECT hash, source, position, came + toIntervalSecond({age:UInt32})
FROM negative_ids WHERE came > toDateTime({since:UInt32})
""",
}
#: How long ids are asked for, in s, and the TTL that their tables have.
KEPT_S = {"remembered_ids": 30 * 3_600, "negative_ids": 31 * 86_400}
TTLS = {"remembered_ids": "came + toIntervalHour(30)", "negative_ids": "came + toIntervalDay(31)"}
SET_TTL = "ALTER TABLE {table} MODIFY TTL {ttl}"
BROKEN = """
SELECT table, name FROM system.detached_parts WHERE database = currentDatabase() AND reason != '' ORDER BY table, name
"""


class BackupError(InvalidInputError):
    """A backup cannot be taken, read or restored; the message names the folder and why."""


def create_backup(store: Store, folder: Path, hash_key: Path) -> tuple[Path, BackupManifest]:
    """Copy the database of `store`, an embedded one on this machine, into a new folder below `folder`; `hash_key` is
    copied where there is such a file. Returns the new folder and its manifest.

    Raises:
        BackupError: there is one of this second already.
        StoreError: the store failed.
        OSError: a file cannot be read or written; what was written has no manifest then.
    """
    began_ms, began = utc_now_ms(), time.monotonic()
    name = f"{utc_time(began_ms):%Y%m%dT%H%M%SZ}"
    target = folder / name
    root = Path(str(store.rows(DISK)[0][0]))
    ((metadata, version),) = store.rows(DATABASE)
    tables = {str(table): str(where) for table, where in store.rows(TABLES)}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        target.mkdir(mode=0o700)
    except FileExistsError as error:
        raise BackupError(f"{target}: is there already; take one backup a second at most") from error
    frozen = f"repmon_{name}"
    shadow = root / "shadow" / frozen
    try:
        for table in order(tables):
            store.run(FREEZE.format(table=table, name=frozen))
        rows = {table: rows_of(shadow / where) for table, where in tables.items()}
        sources = {**_files(shadow, shadow), **_metadata(root, store.settings.database, str(metadata))}
        copied = tuple(_copied(source, target / STORE, path) for path, source in sorted(sources.items()))
    finally:
        shutil.rmtree(shadow, ignore_errors=True)
    if hash_key.is_file():
        shutil.copyfile(hash_key, target / HASH_KEY)
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
        files=copied,
    )
    (target / "manifest.part").write_bytes(msgspec.json.encode(manifest))
    (target / "manifest.part").replace(target / MANIFEST)
    return target, manifest


def read_manifest(backup: Path) -> BackupManifest:
    """What a backup says of itself.

    Raises:
        BackupError: it has no manifest, as where it was not finished, or one that cannot be read.
    """
    try:
        found = msgspec.json.decode((backup / MANIFEST).read_bytes(), type=BackupManifest)
    except FileNotFoundError as error:
        raise BackupError(f"{backup}: no backup, or one that was not finished: {MANIFEST} is missing") from error
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{backup / MANIFEST}: {error}") from error
    if found.format != FORMAT:
        raise BackupError(f"{backup}: of format {found.format}, which this version does not read")
    return found


def list_backups(folder: Path) -> list[tuple[Path, BackupManifest | None]]:
    """The backups in a folder, oldest first; without a manifest where one was not finished or cannot be read."""
    found: list[tuple[Path, BackupManifest | None]] = []
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        if each.is_dir():
            try:
                found.append((each, read_manifest(each)))
            except BackupError:
                found.append((each, None))
    return found


def restore_backup(backup: Path, chdb: Path, *, replace: bool, now_ms: int) -> tuple[BackupManifest, Path | None]:
    """Make a store of a backup in the folder `chdb`, which nobody may have open. Returns the manifest, and where the
    store is now that was there, with `replace`.

    Every file is compared with its digest, and the engine opens the new store before it is put in place.

    Raises:
        BackupError: the backup is not whole, or a store is there and is not to be replaced.
        StoreError: the engine cannot open it.
    """
    manifest = read_manifest(backup)
    there = chdb.is_dir() and any(chdb.iterdir())
    if there and not replace:
        raise BackupError(f"{chdb}: there is a store; --replace moves it aside")
    staged = chdb.with_name(f"{chdb.name}.restoring")
    shutil.rmtree(staged, ignore_errors=True)
    for each in manifest.files:
        _check_path(backup, each.path)
        try:
            copied = _copied(backup / STORE / each.path, staged, each.path)
        except OSError as error:
            raise BackupError(f"{backup}: {each.path}: {error.strerror}") from error
        if copied != each:
            raise BackupError(f"{backup}: {each.path} is not as it was: the backup is damaged")
    _renew(staged, manifest, max(0, (now_ms - manifest.time_ms) // 1000))
    aside = None
    if there:
        aside = chdb.with_name(f"{chdb.name}.before-{utc_time(now_ms):%Y%m%dT%H%M%SZ}")
        chdb.rename(aside)
    elif chdb.is_dir():
        chdb.rmdir()
    staged.rename(chdb)
    os.sync()
    return manifest, aside


def rows_of(table: Path) -> int:
    """How many rows the parts in a folder have, as each part says itself."""
    return sum(int(file.read_text()) for file in table.glob("*/count.txt"))


def _renew(staged: Path, manifest: BackupManifest, age_s: int) -> None:
    """Let ids be known as long after the restore as they would have been after the backup."""
    for table in RENEWED:
        for file in (staged / "store").glob(f"*/*/{table}.sql"):
            file.write_text(without_ttl(file.read_text(encoding="utf-8")), encoding="utf-8")
    with open_store(ClickHouse(path=str(staged), database=manifest.database)) as store:
        if broken := store.rows(BROKEN):
            raise BackupError(f"the engine cannot read {broken[0][1]} of {broken[0][0]}: the backup is damaged")
        for table, sql in RENEWED.items():
            since = max(0, manifest.time_ms // 1000 - KEPT_S[table])
            if age_s and table in manifest.rows:
                store.run(sql, {"age": age_s, "since": since})
            store.run(SET_TTL.format(table=table, ttl=TTLS[table]))


def _metadata(root: Path, database: str, place: str) -> dict[str, Path]:
    """The statements that make the database and its tables, by path within the store."""
    found = {f"metadata/{database}.sql": root / "metadata" / f"{database}.sql"}
    return found | {f"{place.rstrip('/')}/{file.name}": file for file in (root / place).glob("*.sql")}


def _files(folder: Path, root: Path) -> dict[str, Path]:
    return {str(file.relative_to(root)): file for file in _walk(folder)}


def _walk(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names)


def _copied(source: Path, into: Path, path: str) -> BackedUpFile:
    target = into / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = blake2b(digest_size=16), 0
    with source.open("rb") as read, target.open("xb") as written:
        while chunk := read.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            written.write(chunk)
    return BackedUpFile(path, size, digest.hexdigest())


def _check_path(backup: Path, path: str) -> None:
    if path.startswith("/") or ".." in Path(path).parts or not re.fullmatch(r"[\w./%-]+", path):
        raise BackupError(f"{backup}: {path!r} is no place within a store")
