"""What is stored of a customer, as one ZIP archive: JSON lines by table, and a manifest."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from jobs.data.erasure import ALERT_IDS
from jobs.data.erasure_plan import CUSTOMER, Erasure, bound, customer_values
from jobs.data.fault import StoredDataError
from schemas.times import utc_now_ms
from schemas.version import VERSION
from streams.io.store import Store

FORMAT = 1
PRIVATE = 0o600
MANIFEST = "manifest.json"
#: Tables of which nothing is exported: what is in them is a secret, or says nothing by itself.
LEFT_OUT: Mapping[str, str] = {
    "api_keys": "hashes of keys",
    "api_key_uses": "hashes of keys",
    "notification_posted": "ids of threads in chats",
}
COLUMNS = """
SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String} ORDER BY position
"""
#: `{columns}` and `{where}` are of our own tables and plan.
LINES = """
SELECT toJSONString(tuple({columns})) FROM {table} {final} WHERE {where} ORDER BY {order}
SETTINGS enable_named_columns_in_function_tuple = 1, output_format_json_quote_64bit_integers = 0
"""
ORDER = """
SELECT sorting_key, engine LIKE '%MergeTree' AND engine != 'MergeTree' FROM system.tables
WHERE database = currentDatabase() AND name = {table:String}
"""


class ExportedTable(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the archive: its rows, and its BLAKE2b (32 hex digits)."""

    table: str
    file: str
    rows: int
    digest: str


class ExportManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive has. `time_ms` is when it was begun (epoch ms, UTC); `left_out` are tables of which nothing is in
    it, each with why."""

    format: int
    repmon: str
    customer: str
    time_ms: int
    tables: tuple[ExportedTable, ...]
    left_out: Mapping[str, str]

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(each.rows for each in self.tables)


def exported() -> list[Erasure]:
    """What is exported: what is about the customer alone. Pure."""
    return [each for each in CUSTOMER if not each.assignments and each.table not in LEFT_OUT]


def export_customer(store: Store, name: str, target: Path) -> ExportManifest:
    """Write what is stored of a customer to a new file. Where nothing is, its files are empty.

    Raises:
        StoredDataError: no name is given, or the file is there already.
        StoreError: the store failed.
        OSError: the file cannot be written.
    """
    if not name:
        raise StoredDataError("customer: is empty")
    ids = [str(value) for (value,) in store.rows(ALERT_IDS, {"name": name})]
    values = customer_values(name, ids, [])
    began_ms = utc_now_ms()
    part = target.with_name(f"{target.name}.part")
    if target.exists():
        raise StoredDataError(f"{target}: is there already")
    part.unlink(missing_ok=True)
    try:
        part.touch(PRIVATE, exist_ok=False)  # nobody else may read it, not even while it is written
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            manifest = ExportManifest(
                format=FORMAT,
                repmon=VERSION,
                customer=name,
                time_ms=began_ms,
                tables=tuple(_table(store, archive, each, values) for each in exported()),
                left_out=LEFT_OUT,
            )
            archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        part.replace(target)
    except BaseException:  # what is of the customer stays nowhere
        part.unlink(missing_ok=True)
        raise
    return manifest


def _table(store: Store, archive: zipfile.ZipFile, each: Erasure, values: Mapping[str, Any]) -> ExportedTable:
    digest, rows, file = blake2b(digest_size=16), 0, f"{each.table}.jsonl"
    with archive.open(file, "w", force_zip64=True) as written:
        for lines in _lines(store, each, bound(each.where, values)):
            text = "".join(f"{line}\n" for line in lines).encode()
            digest.update(text)
            written.write(text)
            rows += len(lines)
    return ExportedTable(table=each.table, file=file, rows=rows, digest=digest.hexdigest())


def _lines(store: Store, each: Erasure, asked: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """The rows as they count, in the order of the table."""
    columns = ", ".join(f"`{name}`" for (name,) in store.rows(COLUMNS, {"table": each.table}))
    ((order, merges),) = store.rows(ORDER, {"table": each.table})
    sql = LINES
    parts = {"{columns}": columns, "{table}": each.table, "{final}": "FINAL" if merges else "", "{order}": order}
    for placeholder, value in {**parts, "{where}": each.where}.items():
        sql = sql.replace(placeholder, str(value))
    for (lines,) in store.blocks(sql, asked):
        yield lines.tolist()
