"""For tests whose clock stands still: one day their rows are older than tables keep them."""

from streams.io.store import Store

WITH_TTL = """
SELECT name FROM system.tables WHERE database = currentDatabase() AND position(create_table_query, ' TTL ') > 0
"""


def keep_for_ever(store: Store) -> None:
    """Let no table of this database forget anything."""
    for (table,) in store.rows(WITH_TTL):
        store.run(f"ALTER TABLE {table} REMOVE TTL")
