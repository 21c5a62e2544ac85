"""Copying the embedded store to a server: every table, so that the server goes on where the embedded store ended.

Nothing may store in either meanwhile. A table is copied in parts, each a statement that gives the same rows however
often it is asked. Rows of most tables have a key, and one that comes twice is one. Counts are sums: each of their parts
has a token, and which parts are copied is kept in a file next to the store, so that a run that was killed is gone on
with, and the part that it was at is taken once.

Rows older than a table keeps them are there until the engine merges their files, which each store does when it likes:
they are compared with nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from jobs.data.fault import StoredDataError
from schemas.counts import MEASURES
from schemas.times import utc_now_ms
from streams.intake.flush import ONCE, ONE_BLOCK
from streams.io.store import Store
from streams.io.whole_file import replace_file

#: Rows of a part, about.
PART_ROWS = 500_000
#: Made anew on the server, or of no use there.
LEFT_OUT = ("schema_migrations", "hook_leases", "recount_before", "recount_counted")
TABLES = """
SELECT name, total_rows FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name = 'counts', name
"""
COLUMNS = """
SELECT name FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} AND default_kind NOT IN ('MATERIALIZED', 'ALIAS')
ORDER BY position
"""
DEPLOYMENT = "SELECT min(id) FROM deployment"
ROWS = "SELECT count() FROM counts"
_KEYS = "dimension, customer, stream, class, bucket, value, source"
#: A block in Native is taken by the names of its columns.
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in MEASURES)
_COUNTS = f"""
SELECT {_KEYS}, {_SUMS}, max(last_offset) AS last_offset, min(first_offset) AS first_offset, sum(offsets) AS offsets
FROM counts
WHERE {{}} GROUP BY {_KEYS}
"""  # noqa: S608 - texts of this project
COUNTS_COLUMNS = f"({_KEYS}, {', '.join(MEASURES)}, last_offset, first_offset, offsets)"
#: The rows of a part: the counts of some customers, each key once, in order. Merges change nothing of that.
PART_OF_COUNTS = _COUNTS.format("cityHash64(customer) % {parts:UInt32} = {part:UInt32}") + f" ORDER BY {_KEYS}"
#: Of rows with one key that are not merged yet, as a restore leaves some, the one that counts: in another table another
#: might. `{columns}`, `{table}` and `{key}` are ours. No column of a key is ever NULL, whose hash would be none.
PART_OF_TABLE = """
SELECT {columns} FROM {table} FINAL WHERE cityHash64({key}) % {parts:UInt32} = {part:UInt32} ORDER BY {key}
"""
KEY = "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
#: How many rows there are as they count, and a number that changes with any of them. `{kept}` is a condition of ours.
SUM_OF_COUNTS = f"SELECT count(), groupBitXor(cityHash64(*)) FROM ({_COUNTS.format('{kept}')})"  # noqa: S608
SUM_OF_TABLE = """
SELECT count(), groupBitXor(cityHash64(toJSONString(tuple({columns})))) FROM {table} FINAL WHERE {kept}
"""
MADE = "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
_TTL = re.compile(r"\bTTL (.+?) \+ (toInterval\w+)\((\d+)\)")
#: Rows that a table keeps for a day or an hour more, whichever it counts in: what goes sooner may be gone in one.
#: An offset's time added to that is none that the store can tell.
KEPT = "{age} > toDateTime({{now:UInt32}}, 'UTC') - {interval}({least})"


class MoveProgress(msgspec.Struct, kw_only=True):
    """How far a move came: where to, into how many parts each table is divided, and which are copied."""

    target: str
    parts: dict[str, int]
    done: dict[str, int] = {}


class ComparedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table in both stores: how many rows as they count, and whether all are the same."""

    table: str
    rows: int
    target_rows: int
    equal: bool


def move(
    source: Store,
    target: Store,
    progress_file: Path,
    say: Callable[[str], None] = lambda _: None,
    clock: Callable[[], int] = utc_now_ms,
) -> list[ComparedTable]:
    """Copy every table, or go on with that, and compare them. `clock` says the time (epoch ms).

    Raises:
        StoredDataError: the target has counts that are not of this move.
        StoreError: one of them failed; asked again, it goes on.
    """
    progress = _progress(source, target, progress_file)
    deployment = str(source.rows(DEPLOYMENT)[0][0])
    for table, parts in progress.parts.items():
        for part in range(progress.done.get(table, 0), parts):
            _copy(source, target, table, parts, part, f"move@{deployment}/{table}/{part}")
            progress.done[table] = part + 1
            _keep(progress_file, progress)
        say(f"copied {table}")
    return list(compare(source, target, progress.parts, clock() // 1000))


def compare(source: Store, target: Store, tables: Mapping[str, int], now_s: int) -> Iterator[ComparedTable]:
    """Each table in both: the rows that are not about to go at `now_s` (epoch s).

    Raises:
        StoreError: one of them failed.
    """
    for table in tables:
        kept = dict.fromkeys(each for store in (source, target) if (each := _kept(store, table)))
        sql = SUM_OF_COUNTS if table == "counts" else _of(SUM_OF_TABLE, source, table)
        sql = sql.replace("{kept}", " AND ".join(kept) or "1")
        bound = {"now": now_s} if kept else {}
        (ours, our_sum), (theirs, their_sum) = source.rows(sql, bound)[0], target.rows(sql, bound)[0]
        equal = (ours, our_sum) == (theirs, their_sum)
        yield ComparedTable(table=table, rows=int(ours), target_rows=int(theirs), equal=equal)


def _kept(store: Store, table: str) -> str:
    """Which rows a table keeps, as a condition; empty where it keeps all."""
    found = _TTL.search(str(store.rows(MADE, {"table": table})[0][0]))
    return KEPT.format(age=found[1], interval=found[2], least=int(found[3]) - 1) if found else ""


def _progress(source: Store, target: Store, file: Path) -> MoveProgress:
    where = f"{target.settings.url} {target.settings.database}"
    if file.exists():
        try:
            found = msgspec.json.decode(file.read_bytes(), type=MoveProgress)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoredDataError(f"{file}: {error}") from error
        if found.target != where:
            raise StoredDataError(f"{file}: a move to {found.target} was begun; remove the file if it is given up")
        return found
    if int(target.rows(ROWS)[0][0]):
        raise StoredDataError(f"{target.where}: there are counts already; move into empty tables")
    sizes = {str(name): int(rows or 0) for name, rows in source.rows(TABLES)}
    parts = {name: 1 + rows // PART_ROWS for name, rows in sizes.items() if name not in LEFT_OUT and rows}
    found = MoveProgress(target=where, parts=parts)
    _keep(file, found)
    return found


def _keep(file: Path, progress: MoveProgress) -> None:
    replace_file(file, msgspec.json.encode(progress))


def _copy(source: Store, target: Store, table: str, parts: int, part: int, token: str) -> None:
    counts = table == "counts"
    sql = PART_OF_COUNTS if counts else _of(PART_OF_TABLE, source, table)
    rows = source.native(sql, {"parts": parts, "part": part})
    if rows:
        into = f"{table} {COUNTS_COLUMNS if counts else '(' + _columns(source, table) + ')'}"
        target.insert_native(into, rows, {"insert_deduplication_token": token, **ONCE, **ONE_BLOCK})


def _columns(store: Store, table: str) -> str:
    return ", ".join(f"`{name}`" for (name,) in store.rows(COLUMNS, {"table": table}))


def _of(sql: str, store: Store, table: str) -> str:
    key = str(store.rows(KEY, {"table": table})[0][0])
    return sql.replace("{columns}", _columns(store, table)).replace("{table}", table).replace("{key}", key)
