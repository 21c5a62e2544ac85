"""When what is counted is on disk."""

from pathlib import Path

from jobs.embedded.durable import DiskSync, set_durable
from streams.io.store import Store
from tests.support.waiting import wait_for

SYNCED = """
SELECT count() FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '%fsync_after_insert = 1%'
"""


def test_tables_wait_for_the_disk_where_that_is_asked_for(store: Store) -> None:
    changed = set_durable(store, durable=True)
    assert {"counts", "events", "negative_ids", "dead_letters"} <= set(changed)
    assert set_durable(store, durable=True) == [], "once is enough"
    assert store.rows(SYNCED) == [(len(changed),)]
    assert set_durable(store, durable=False) == changed
    assert store.rows(SYNCED) == [(0,)]


def test_disk_is_written_again_and_again_and_at_the_end(tmp_path: Path) -> None:
    sync = DiskSync(str(tmp_path), every_s=0.01)
    sync.start()
    wait_for(lambda: sync.rounds >= 2, "two rounds")
    rounds = sync.rounds
    sync.stop()
    assert sync.rounds > rounds
