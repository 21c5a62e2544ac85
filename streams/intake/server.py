"""Whether a server of the store can keep the promise about counts: asked at the start of each worker.

What it rests on is that the server takes one INSERT with a token and drops every other (streams/intake/flush.py).
Servers can be set up, by profile or table, so that they do not. See docs/delivery-guarantees.md, "Versions of
ClickHouse".
"""

import re
from collections.abc import Mapping

from streams.io.store import Store, StoreError

#: With what the tests run: chDB 4.4 is this version, in process and over HTTP.
TESTED = (26, 9)
#: The first that knows all settings that the tables are made with (`deduplicate_merge_projection_mode`).
OLDEST = (24, 8)

VERSION = "SELECT version()"
SETTINGS = """
SELECT name, value, readonly FROM system.settings
WHERE name IN ('async_insert', 'insert_deduplicate', 'deduplicate_insert', 'insert_deduplication_token')
"""
COUNTS = "SELECT engine, engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'counts'"
_WINDOW = re.compile(r"\b((?:non_)?replicated_deduplication_window(?:_seconds)?) = (\d+)")
_DEFAULTS = {
    "non_replicated_deduplication_window": 0,
    "replicated_deduplication_window": 10_000,
    "replicated_deduplication_window_seconds": 3_600,
}


def check_server(store: Store, lease_s: float) -> list[str]:
    """What operators should know of the server; nothing where it is one that the tests run with.

    Raises:
        StoreError: it cannot keep the promise, with the setting that is in the way; or the store failed.
    """
    version = str(store.rows(VERSION)[0][0])
    settings = {str(name): (str(value), bool(fixed)) for name, value, fixed in store.rows(SETTINGS)}
    tables = store.rows(COUNTS)
    fault = (
        _of_version(version)
        or _of_settings(settings)
        or (_of_table(str(tables[0][0]), str(tables[0][1]), lease_s) if tables else "")
    )
    if fault:
        raise StoreError(f"{store.where}: {fault}, so that counts would not be exact")
    if _numbers(version) != TESTED:
        return [f"{store.where} is version {version}; tested is {TESTED[0]}.{TESTED[1]} (docs/delivery-guarantees.md)"]
    return []


def _of_version(version: str) -> str:
    if _numbers(version) < OLDEST:
        return f"version {version} is older than {OLDEST[0]}.{OLDEST[1]}"
    return ""


def _of_settings(settings: Mapping[str, tuple[str, bool]]) -> str:
    if "insert_deduplication_token" not in settings:
        return "it does not know insert_deduplication_token"
    # These two are said with each INSERT, unless nobody may.
    for name, needed in (("async_insert", "0"), ("insert_deduplicate", "1")):
        value, fixed = settings.get(name, (needed, False))
        if value != needed and fixed:
            return f"the user's profile fixes {name} = {value}; it must be {needed}, or free to be set"
    if settings.get("deduplicate_insert", ("enable", False))[0] == "disable":
        return "the user's profile has deduplicate_insert = disable"
    return ""


def _of_table(engine: str, full: str, lease_s: float) -> str:
    if not engine.endswith("AggregatingMergeTree"):
        return f"the table counts has the engine {engine}: a flush must land in one part of an AggregatingMergeTree"
    window = _DEFAULTS | {name: int(value) for name, value in _WINDOW.findall(full)}
    if engine == "AggregatingMergeTree":
        if not window["non_replicated_deduplication_window"]:
            return "the table counts has non_replicated_deduplication_window = 0"
        return ""
    if not window["replicated_deduplication_window"]:
        return "the table counts has replicated_deduplication_window = 0"
    if (seconds := window["replicated_deduplication_window_seconds"]) < 10 * lease_s:
        return (
            f"the table counts has replicated_deduplication_window_seconds = {seconds}, less than ten times "
            f"ingest.lease_s ({lease_s:g})"
        )
    return ""


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
