"""What the embedded engine may keep to be faster is bounded, whichever handle was the first."""

from streams.io.engine import BOUNDS as OURS
from streams.io.store import Store

BOUNDS = "SELECT name, value FROM system.server_settings WHERE has({names:Array(String)}, name)"
REMOVAL = "SELECT value FROM system.merge_tree_settings WHERE name = 'concurrent_part_removal_threshold'"
REMEMBERED = "SELECT metric, value FROM system.metrics WHERE metric LIKE 'QueryConditionCache%' AND value > 0"
ROWS = "CREATE TABLE some_rows (at UInt64) ENGINE = MergeTree ORDER BY tuple() AS SELECT number FROM numbers(20000)"


def test_the_engine_keeps_to_our_bounds(store: Store) -> None:
    found = {name: int(value) for name, value in store.rows(BOUNDS, {"names": list(OURS)})}
    assert found == dict(OURS)
    assert int(store.rows(REMOVAL)[0][0]) > 1_000, "no threads of their own that remove parts"


def test_conditions_that_never_come_again_are_not_remembered(store: Store) -> None:
    """By default it keeps up to 100 MB of them, as it counts, and takes three times as much."""
    store.run(ROWS)
    try:
        for number in range(3):
            store.rows("SELECT count() FROM some_rows WHERE at > {it:UInt64}", {"it": 30_000 + number})
        assert list(store.rows(REMEMBERED)) == []
    finally:
        store.run("DROP TABLE some_rows")
