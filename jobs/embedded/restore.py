"""A backup of the embedded store, put in place of it while nothing runs.

Everything is made ready beside the store before the store is touched. Whatever ends a restore on the way, the store
that was there is where it was, or beside it under a name with the time; and where there is none in between,
`repmon up` does not start an empty one (`unfinished_restore`).
"""

import os
import re
import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from jobs.embedded.backup import STORE, BackupError, copied, read_manifest
from jobs.embedded.backup_manifest import BackupManifest, without_ttl
from jobs.embedded.folder import HASH_KEY
from schemas.settings import ClickHouse
from schemas.times import utc_time
from streams.io.store import Store, open_store

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

RESTORING, BEFORE = ".restoring", ".before-"


class RestoredBackup(NamedTuple):
    """What was restored, and where the store is now that was there."""

    manifest: BackupManifest
    aside: Path | None


def restore_backup(
    backup: Path, chdb: Path, key: Path, *, replace: bool, now_ms: int, check: Callable[[Store], object]
) -> RestoredBackup:
    """Make a store of a backup in the folder `chdb`, which nobody may have open, and put its key of hashes in the file
    `key`. With `replace` a store that is there is moved aside, and a key that is another.

    Every file is compared with its digest, and the engine opens the new store, before it is put in place. `check`
    raises where this version must not work with its tables.

    Raises:
        BackupError: the backup is not whole, a store is there and is not to be replaced, or a file cannot be written.
        StoreError: the engine cannot open it, or it is of a newer version.
    """
    manifest = read_manifest(backup)
    there = chdb.is_dir() and any(chdb.iterdir())
    if there and not replace:
        raise BackupError(f"{chdb}: there is a store; --replace moves it aside")
    staged = chdb.with_name(f"{chdb.name}{RESTORING}")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        _copy(backup, manifest, staged)
        _renew(staged, manifest, max(0, (now_ms - manifest.time_ms) // 1000), check)
        os.sync()
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    try:
        aside = _put_in_place(backup, staged, chdb, key, f"{utc_time(now_ms):%Y%m%dT%H%M%SZ}")
        return RestoredBackup(manifest, aside)
    except OSError as error:
        raise BackupError(f"{error.filename or chdb}: {error.strerror}") from error


def unfinished_restore(chdb: Path) -> str:
    """What is to be said where a restore was ended before there was a store in `chdb` again; empty where none was."""
    staged = chdb.with_name(f"{chdb.name}{RESTORING}")
    if chdb.exists() or not staged.exists():
        return ""
    before = sorted(chdb.parent.glob(f"{chdb.name}{BEFORE}*"))
    kept = f", the store that was there is {before[-1]}" if before else ""
    return (
        f"{staged}: a restore was ended before it was done, and {chdb} is missing{kept}; run `repmon backup restore` "
        "again, or remove it to start without"
    )


def _copy(backup: Path, manifest: BackupManifest, staged: Path) -> None:
    for each in manifest.files:
        _check_path(backup, each.path)
        source = backup / STORE / each.path
        try:
            found = copied(source, staged, each.path)
        except OSError as error:
            raise BackupError(f"{error.filename or staged}: {error.strerror}; nothing was restored") from error
        if found != each:
            raise BackupError(f"{backup}: {each.path} is not as it was: the backup is damaged")
    if manifest.hash_key and _digest(backup / HASH_KEY) != manifest.hash_key:
        raise BackupError(f"{backup}: {HASH_KEY} is not as it was: the backup is damaged")


def _put_in_place(backup: Path, staged: Path, chdb: Path, key: Path, now: str) -> Path | None:
    """The key goes first: nobody counts with one that is not the store's while there is no store."""
    aside = None
    if chdb.is_dir() and any(chdb.iterdir()):
        aside = chdb.with_name(f"{chdb.name}{BEFORE}{now}")
        chdb.rename(aside)
    elif chdb.is_dir():
        chdb.rmdir()
    if (backup / HASH_KEY).is_file() and _digest(key) != _digest(backup / HASH_KEY):
        if key.is_file():
            key.rename(key.with_name(f"{key.name}{BEFORE}{now}"))
        copied(backup / HASH_KEY, key.parent, key.name)
        key.chmod(0o600)
    staged.rename(chdb)
    os.sync()
    return aside


def _digest(file: Path) -> str:
    return blake2b(file.read_bytes(), digest_size=16).hexdigest() if file.is_file() else ""


def _renew(staged: Path, manifest: BackupManifest, age_s: int, check: Callable[[Store], object]) -> None:
    """Let ids be known as long after the restore as they would have been after the backup."""
    for table in RENEWED:
        for file in (staged / "store").glob(f"*/*/{table}.sql"):
            file.write_text(without_ttl(file.read_text(encoding="utf-8")), encoding="utf-8")
    with open_store(ClickHouse(path=str(staged), database=manifest.database)) as store:
        if broken := store.rows(BROKEN):
            raise BackupError(f"the engine cannot read {broken[0][1]} of {broken[0][0]}: the backup is damaged")
        check(store)
        for table, sql in RENEWED.items():
            since = max(0, manifest.time_ms // 1000 - KEPT_S[table])
            if age_s and table in manifest.rows:
                store.run(sql, {"age": age_s, "since": since})
            store.run(SET_TTL.format(table=table, ttl=TTLS[table]))


def _check_path(backup: Path, path: str) -> None:
    if path.startswith("/") or ".." in Path(path).parts or not re.fullmatch(r"[\w./%-]+", path):
        raise BackupError(f"{backup}: {path!r} is no place within a store")
