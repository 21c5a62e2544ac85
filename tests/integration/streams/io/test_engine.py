"""What the embedded engine may keep to be faster is bounded, whichever handle was the first."""

import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from streams.io.engine import BOUNDS as OURS
from streams.io.handles import MANY
from streams.io.store import Store

BOUNDS = "SELECT name, value FROM system.server_settings WHERE has({names:Array(String)}, name)"
MERGED = "SELECT value FROM system.merge_tree_settings WHERE name = 'max_parts_to_merge_at_once'"
REMOVAL = "SELECT value FROM system.merge_tree_settings WHERE name = 'concurrent_part_removal_threshold'"
HANDLES = """
import resource, sys
from schemas.settings import ClickHouse
from streams.io.store import open_store
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
with open_store(ClickHouse(path=sys.argv[1], database="default")):
    print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""
FILES = "SELECT count() FROM system.schema_inference_cache"
REMEMBERED = "SELECT metric, value FROM system.metrics WHERE metric LIKE 'QueryConditionCache%' AND value > 0"
COMPILED = "SELECT value FROM system.events WHERE event = 'CompileFunction'"
SUMS = "SELECT at % 7 AS day, sum(at) * 2 AS total FROM some_rows WHERE at + day > 3 GROUP BY day ORDER BY day, total"
ROWS = "CREATE TABLE some_rows (at UInt64) ENGINE = MergeTree ORDER BY tuple() AS SELECT number FROM numbers(20000)"


def test_the_engine_keeps_to_our_bounds(store: Store) -> None:
    found = {name: int(value) for name, value in store.rows(BOUNDS, {"names": list(OURS)})}
    assert found == dict(OURS)
    assert int(store.rows(REMOVAL)[0][0]) > 1_000, "no threads of their own that remove parts"


def test_a_merge_opens_files_of_few_parts(store: Store) -> None:
    """Of a hundred parts with all measures it has more files open than many systems allow a process."""
    assert 2 < int(store.rows(MERGED)[0][0]) <= 20


def test_who_opens_an_embedded_store_takes_all_handles_that_are_allowed(tmp_path: Path) -> None:
    """Systems give a process 1,024 unless it asks for more, which it may (getrlimit(2))."""
    found = subprocess.run([sys.executable, "-c", HANDLES, str(tmp_path)], capture_output=True, text=True, check=True)
    soft, hard = map(int, found.stdout.split())
    assert soft == (MANY if hard == resource.RLIM_INFINITY else min(hard, MANY))


def test_conditions_that_never_come_again_are_not_remembered(store: Store) -> None:
    """By default it keeps up to 100 MB of them, as it counts, and takes three times as much."""
    store.run(ROWS)
    try:
        for number in range(3):
            store.rows("SELECT count() FROM some_rows WHERE at > {it:UInt64}", {"it": 30_000 + number})
        assert list(store.rows(REMEMBERED)) == []
    finally:
        store.run("DROP TABLE some_rows")


def test_nothing_is_kept_of_the_files_that_rows_come_in(store: Store) -> None:
    """Each INSERT has one of its own: by default the engine keeps 2 KB of each, of 4,096."""
    store.run("CREATE TABLE some_rows (at UInt64) ENGINE = Memory")
    before = store.rows(FILES)
    try:
        store.insert("some_rows", {"at": [1]})
        store.insert_table("some_rows", pa.table({"at": pa.array([1], pa.uint64())}))
        assert store.rows(FILES) == before
    finally:
        store.run("DROP TABLE some_rows")


def test_no_statement_is_compiled(store: Store) -> None:
    """By default each is that was asked three times, which takes longer than to run it so often."""
    store.run(ROWS)
    before = store.rows(COMPILED)
    try:
        for _ in range(5):
            store.rows(SUMS)
        assert store.rows(COMPILED) == before
    finally:
        store.run("DROP TABLE some_rows")
