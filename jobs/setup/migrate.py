"""Bring the store's tables to the current version: numbered SQL files, each applied once and recorded."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from importlib import resources
from typing import NamedTuple

from schemas.settings import ClickHouse
from streams.io.store import Store, StoreError, open_store

#: At the end of the name of a migration that workers of earlier versions need not know of (`generations.py`).
BESIDE = "_beside"
FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
CREATE_DATABASE = "CREATE DATABASE IF NOT EXISTS {database} {on_cluster}"
CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS {database}.schema_migrations {on_cluster}
(number UInt32, name String, checksum String, applied DateTime64(3, 'UTC'))
ENGINE = {replacing} ORDER BY number
"""
APPLIED = "SELECT number, checksum FROM schema_migrations FINAL"
#: Settings of a table: how many parts of a size are merged at a time, where the version is known; else what was said.
WIDER_MERGES = "merge_selector_base = 10"
AS_BEFORE = "deduplicate_merge_projection_mode = 'rebuild'"
MIGRATED = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'schema_migrations'"
#: How long it is watched whether counts are still stored, in s: workers that have anything store it every few seconds.
WATCH_S = 10.0
#: Whether anything was stored lately; and the number of the last block of each partition, which an INSERT raises and a
#: merge does not.
RECENT = """
SELECT count() FROM system.parts
WHERE database = currentDatabase() AND table = 'counts' AND active AND modification_time > now() - INTERVAL 1 MINUTE
"""
BLOCKS = """
SELECT partition_id, max(max_block_number) FROM system.parts
WHERE database = currentDatabase() AND table = 'counts' AND active GROUP BY partition_id ORDER BY partition_id
"""
#: Replicated tables find their path by the server's own macros.
REPLICA = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"


class Migration(NamedTuple):
    """One numbered file; `statements` still hold their placeholders."""

    number: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def migrations() -> list[Migration]:
    """All migrations, in order of their numbers."""
    found = []
    for file in resources.files("schemas").joinpath("clickhouse").iterdir():
        if match := FILE_NAME.fullmatch(file.name):
            text = file.read_text(encoding="utf-8")
            checksum = sha256(text.encode()).hexdigest()[:16]
            found.append(Migration(int(match[1]), match[2], checksum, tuple(_statements(text))))
    return sorted(found)


def migrate(settings: ClickHouse) -> list[str]:
    """Apply what has not been applied; returns the names of what was. Safe to repeat, and to repeat after
    a migration stopped half way: every statement is `IF NOT EXISTS`.

    Raises:
        StoreError: the store failed, its name for the database is not a plain one, or a recorded
            migration differs from its file.
    """
    for name in (settings.database, settings.cluster):
        if name and not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise StoreError(f"clickhouse.database and clickhouse.cluster take letters, digits and _: {name!r}")
    first = open_store(settings, database="default")
    try:
        first.run(render(CREATE_DATABASE, settings))
    finally:
        first.close()
    store = open_store(settings)
    try:
        store.run(render(CREATE_RECORD, settings))
        recorded = {int(number): str(checksum) for number, checksum in store.rows(APPLIED)}
        return [_apply(store, each) for each in migrations() if not _is_recorded(each, recorded)]
    finally:
        store.close()


def pending(settings: ClickHouse) -> list[str]:
    """The names of what has not been applied, in order.

    Raises:
        StoreError: the store failed, or a recorded migration differs from its file.
    """
    store = open_store(settings, database="default")
    try:
        made = settings.database in {str(name) for (name,) in store.rows("SHOW DATABASES")}
    finally:
        store.close()
    recorded: dict[int, str] = {}
    if made:
        store = open_store(settings)
        try:
            if store.rows(MIGRATED)[0][0]:
                recorded = {int(number): str(checksum) for number, checksum in store.rows(APPLIED)}
        finally:
            store.close()
    return [f"{each.number:04}_{each.name}" for each in migrations() if not _is_recorded(each, recorded)]


def check_nobody_stores(settings: ClickHouse, watch: Callable[[], None] = lambda: time.sleep(WATCH_S)) -> None:
    """Where tables are to be changed so that earlier workers would count wrongly, see that none stores counts in them
    meanwhile; `watch` returns after a while. One that has nothing to store is not seen.

    Raises:
        StoreError: one does, or the store failed.
    """
    store = open_store(settings, database="default")
    try:
        if settings.database not in {str(name) for (name,) in store.rows("SHOW DATABASES")}:
            return
    finally:
        store.close()
    store = open_store(settings)
    try:
        if not store.rows(MIGRATED)[0][0]:
            return
        recorded = {int(number): str(checksum) for number, checksum in store.rows(APPLIED)}
        pending = [each for each in migrations() if not _is_recorded(each, recorded)]
        pending = [each for each in pending if not each.name.endswith(BESIDE)]
        if not pending or not store.rows(RECENT)[0][0]:
            return
        before = list(map(tuple, store.rows(BLOCKS)))
        watch()
        if list(map(tuple, store.rows(BLOCKS))) != before:
            raise StoreError(
                f"{store.where}: counts are being stored, so `repmon ingest` or `repmon up` runs. One of an earlier "
                f"version would count wrongly in the tables that {pending[0].number:04}_{pending[0].name} makes: stop "
                "all of them, then migrate, then start those of this version"
            )
    finally:
        store.close()


def render(statement: str, settings: ClickHouse) -> str:
    """A statement with its placeholders filled in for a single server, chDB or a cluster."""
    cluster = bool(settings.cluster)
    prefix, path = ("Replicated", REPLICA) if cluster else ("", "")
    values = {
        "{database}": settings.database,
        "{on_cluster}": f"ON CLUSTER {settings.cluster}" if cluster else "",
        "{dedup_window}": f"{'' if cluster else 'non_'}replicated_deduplication_window",
        "{projections_on_merge}": "ignore" if settings.path else "rebuild",
        "{wider_merges}": "merge_selector_base = 10"
        if settings.path
        else "deduplicate_merge_projection_mode = 'rebuild'",
        "{aggregating}": f"{prefix}AggregatingMergeTree({path})",
        "{replacing}": f"{prefix}ReplacingMergeTree({path})",
        **{
            f"{{replacing_{column}}}": f"{prefix}ReplacingMergeTree({', '.join(p for p in (path, column) if p)})"
            for column in ("updated", "version")
        },
    }
    for placeholder, value in values.items():
        statement = statement.replace(placeholder, value)
    return statement


def _is_recorded(migration: Migration, recorded: dict[int, str]) -> bool:
    checksum = recorded.get(migration.number)
    if checksum is not None and checksum != migration.checksum:
        raise StoreError(
            f"migration {migration.number:04}_{migration.name} was applied in another form "
            f"({checksum}, the file is {migration.checksum}): a changed schema needs a new number"
        )
    return checksum is not None


def _apply(store: Store, migration: Migration) -> str:
    for statement in migration.statements:
        store.run(render(statement, store.settings))
    store.insert(
        "schema_migrations",
        {
            "number": [migration.number],
            "name": [migration.name],
            "checksum": [migration.checksum],
            "applied": [datetime.now(UTC)],
        },
    )
    return f"{migration.number:04}_{migration.name}"


def _statements(text: str) -> Iterator[str]:
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    for statement in code.split(";"):
        if statement.strip():
            yield statement.strip()
