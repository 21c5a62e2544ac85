"""A backup that is taken while the store runs, and what a restored store goes on with."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from jobs.embedded import backup
from jobs.embedded.backup import BackupError, create_backup, list_backups, read_manifest
from jobs.embedded.backup_manifest import MANIFEST, BackupManifest, order, without_ttl
from jobs.embedded.restore import RESTORING, restore_backup, unfinished_restore
from schemas.times import DAY_MS
from streams.intake.flush import flush
from streams.io.store import Store, open_store
from tests.support.batches import NOW, batch, counted, flushed, put, stored, taken_up
from tests.support.root import ROOT
from tests.support.store_process import StoreProcess

SUMS = (
    "SELECT dimension, value, sum(delivered), sum(complained), max(last_offset) FROM counts GROUP BY ALL ORDER BY ALL"
)
#: The backup is so old when it is restored.
AGE_MS = 2 * DAY_MS


class Taken(NamedTuple):
    """A backup of two flushes, of which the store had a third by then; what the store showed when it was taken."""

    path: Path
    manifest: BackupManifest
    shown: list[tuple[object, ...]]


def shadow_of(store: Store) -> Path:
    """Where the engine of this store keeps frozen parts."""
    return Path(str(store.rows("SELECT path FROM system.disks")[0][0])) / "shadow"


@pytest.fixture
def taken(store: Store, standing_clock: None, tmp_path: Path) -> Taken:
    for position in (0, 11):
        made = batch(position, 10)
        put(made, f"reported{position}", type="complained")
        flush(store, [made], NOW - AGE_MS)
    shown = list(map(tuple, store.rows(SUMS)))
    key = tmp_path / "own.key"
    key.write_text("k" * 32)
    path, manifest = create_backup(store, tmp_path / "backups", key)
    made = batch(22, 5)
    flush(store, [made], NOW - AGE_MS)
    assert not any(shadow_of(store).glob("repmon_*"))
    return Taken(path, manifest, shown)


def restored(taken: Taken, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Restore it as a person does: the engine of this process has another folder open."""
    config = folder / "repmon.toml"
    config.write_text(
        f'[clickhouse]\npath = "{folder / "chdb"}"\ndatabase = "{taken.manifest.database}"\n'
        f'[embedded]\ndata = "{folder / "data"}"\n'
    )
    words = ["-m", "api.cli.main", "-c", str(config), "backup", "restore", str(taken.path), *more]
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def restore(taken: Taken, folder: Path) -> None:
    """What goes wrong before the engine opens it."""
    restore_backup(taken.path, folder / "new", folder / "new.key", replace=False, now_ms=NOW, check=lambda _: None)


def test_restored_store_goes_on_exactly(taken: Taken, tmp_path: Path) -> None:
    older = msgspec.structs.replace(taken.manifest, time_ms=taken.manifest.time_ms - AGE_MS)
    (taken.path / MANIFEST).write_bytes(msgspec.json.encode(older))
    done = restored(taken, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "hash.key").read_text() == "k" * 32
    assert restored(taken, tmp_path).returncode == 2, "the store that is there is kept"
    process = StoreProcess(tmp_path)
    process.start()
    try:
        reached = msgspec.structs.replace(process.settings, database=taken.manifest.database)
        with open_store(reached) as store:
            assert list(map(tuple, store.rows(SUMS))) == taken.shown
            assert (counted(store), counted(store, "complained"), stored(store)) == (20, 2, 21)
            # Its tokens are forgotten. Who slept through it with the last flush in hand looks at the offset first.
            again = batch(11, 10)
            again.source.verified_s = 0.0
            assert not flushed(store, again).ours
            assert counted(store) == 20
            # The topic is read on from the stored offset: what came after the backup, and repetitions from before it.
            going_on = taken_up(store, 22)
            for name in ("e22", "e23", "e5", "e15", "e22"):
                put(going_on, name)
            put(going_on, "reported0", type="complained")
            assert flushed(store, going_on).ours
            assert (counted(store), counted(store, "complained"), stored(store)) == (22, 2, 27)
            flushed(store, batch(22, 6))  # the same offsets again, within the lease: this token it remembers
            assert (counted(store), stored(store)) == (22, 27)
    finally:
        process.kill()


def test_what_is_damaged_is_not_restored(taken: Taken, tmp_path: Path) -> None:
    (found,) = list_backups(tmp_path / "backups")
    assert found == (taken.path, taken.manifest)
    assert taken.manifest.rows["counts"] >= 4
    damaged = taken.path / "store" / next(each.path for each in taken.manifest.files if each.path.endswith(".bin"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    with pytest.raises(BackupError, match="is not as it was: the backup is damaged"):
        restore(taken, tmp_path)
    damaged.unlink()
    with pytest.raises(BackupError, match="No such file"):
        restore(taken, tmp_path)
    assert not list(tmp_path.glob("new*"))
    (taken.path / MANIFEST).write_bytes(b'{"format": 1, "repm')
    with pytest.raises(BackupError, match=r"manifest.json: Input data was truncated"):
        restore(taken, tmp_path)
    (taken.path / MANIFEST).unlink()
    with pytest.raises(BackupError, match="was not finished"):
        read_manifest(taken.path)
    assert list_backups(tmp_path / "backups") == [(taken.path, None)]


def test_key_that_is_damaged_is_not_restored(taken: Taken, tmp_path: Path) -> None:
    (taken.path / "hash.key").write_text("j" * 32)
    with pytest.raises(BackupError, match=r"hash.key is not as it was: the backup is damaged"):
        restore(taken, tmp_path)
    assert not list(tmp_path.glob("new*"))


def test_format_of_another_version_is_named_whatever_else_its_manifest_says(taken: Taken, tmp_path: Path) -> None:
    (taken.path / MANIFEST).write_text('{"format": 2, "repmon": "9.1.0", "new": []}')
    with pytest.raises(BackupError, match=r"of format 2, which this version does not read: repmon 9.1.0 took it"):
        restore(taken, tmp_path)


def test_tables_of_a_newer_version_are_not_put_in_place(store: Store, tmp_path: Path) -> None:
    store.insert("schema_migrations", {"number": [9_999], "name": ["of_tomorrow"]})
    path, manifest = create_backup(store, tmp_path / "backups", tmp_path / "no.key")
    done = restored(Taken(path, manifest, []), tmp_path)
    assert done.returncode
    assert "9999_of_tomorrow was applied" in done.stderr
    assert "install the newer version" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("chdb*"))


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_backup_that_fails_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def full(*_: object) -> None:
        raise fault

    monkeypatch.setattr(backup, "copied", full)
    with pytest.raises((BackupError, KeyboardInterrupt), match=r"No space left on device; what was written|^$"):
        create_backup(store, tmp_path / "backups", tmp_path / "no.key")
    assert list_backups(tmp_path / "backups") == []
    assert not list(shadow_of(store).glob("repmon_*"))


def test_what_a_killed_backup_left_in_the_store_goes_with_the_next(store: Store, tmp_path: Path) -> None:
    left = shadow_of(store) / "repmon_20261130T060001Z" / "store"
    left.mkdir(parents=True)
    with (shadow_of(store) / "repmon.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="another backup of it is being taken"):
            create_backup(store, tmp_path / "backups", tmp_path / "no.key")
        assert left.exists()
    create_backup(store, tmp_path / "backups", tmp_path / "no.key")
    assert not left.exists()


def test_store_that_is_missing_between_two_steps_of_a_restore_is_not_begun_anew(tmp_path: Path) -> None:
    chdb = tmp_path / "store"
    assert unfinished_restore(chdb) == ""
    (tmp_path / f"store{RESTORING}").mkdir()
    (tmp_path / "store.before-20261130T060001Z").mkdir()
    said = unfinished_restore(chdb)
    assert f"{chdb} is missing, the store that was there is {chdb}.before-20261130T060001Z" in said
    assert "run `repmon backup restore` again" in said
    chdb.mkdir()
    assert unfinished_restore(chdb) == ""


def test_path_out_of_the_store_is_refused(taken: Taken, tmp_path: Path) -> None:
    forged = json.loads((taken.path / MANIFEST).read_bytes())
    forged["files"][0][0] = "../../escaped"
    (taken.path / MANIFEST).write_text(json.dumps(forged))
    with pytest.raises(BackupError, match="is no place within a store"):
        restore(taken, tmp_path)
    shutil.rmtree(taken.path)


def test_counts_are_taken_before_what_they_rest_on() -> None:
    assert order({"audit": "", "counts": "", "remembered_ids": ""}) == ["counts", "audit", "remembered_ids"]
    assert without_ttl("ORDER BY a\nTTL came + toIntervalHour(30)\nSETTINGS x = 1\n") == "ORDER BY a\nSETTINGS x = 1\n"
