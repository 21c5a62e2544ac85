"""What is stored is compared with what its offsets promise: a flush that is gone shows, and one that counted twice."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from schemas.settings import Ingest
from streams.intake.count import Counted, Senders, counts_table
from streams.intake.flush import ONE_BLOCK, stored_offsets
from streams.intake.stored import check_stored
from streams.io.store import Store, StoreError
from tests.support.ingesting import NOW

SOURCE = "mail.events:id:0"
GO_ON = Ingest(missing_counts="continue")
#: In the order of their flushes; by their names the tenth would come before the ninth.
PARTS = """
SELECT name FROM system.parts WHERE database = currentDatabase() AND table = 'counts' AND active
ORDER BY min_block_number
"""


def flushed(store: Store, first: int, last: int, source: str = SOURCE, token: str = "") -> None:
    """A flush that counted nothing of these offsets."""
    rows = counts_table(Senders(), Counted(np.array([], np.int64), np.array([], np.int64)), source, first, last)
    store.insert_table("counts", rows, {"insert_deduplication_token": token or f"{source}@{first}", **ONE_BLOCK})


def found(store: Store) -> list[str]:
    return [each.detail for each in check_stored(store, GO_ON, NOW)]


@pytest.fixture
def three_flushes(store: Store) -> Iterator[list[str]]:
    """The names of their parts, which nothing merges."""
    store.run("SYSTEM STOP MERGES counts")
    for first in (0, 10, 20):
        flushed(store, first, first + 9)
    yield [str(name) for (name,) in store.rows(PARTS)]
    # The tables are those of the tests that follow, some of which wait for a mutation.
    store.run("SYSTEM START MERGES counts")


def test_whole_flushes_are_what_they_promise_also_when_merged(store: Store, three_flushes: list[str]) -> None:
    flushed(store, 1_000, 1_999, "mail.events:id:1")
    assert found(store) == []
    store.run("SYSTEM START MERGES counts")
    store.run("OPTIMIZE TABLE counts FINAL")
    assert found(store) == []
    assert stored_offsets(store, [SOURCE]) == {SOURCE: 29}


def test_flush_that_is_gone_is_named_and_stops_a_worker_or_is_gone_on_without(
    store: Store, three_flushes: list[str]
) -> None:
    store.run(f"ALTER TABLE counts DETACH PART '{three_flushes[1]}'")
    said = f"{SOURCE}: the counts of 10 of 30 messages are gone"
    with pytest.raises(StoreError, match=f"{said}.*or set ingest.missing_counts = .continue."):
        check_stored(store, Ingest(), NOW)
    assert found(store) == [said]
    assert store.rows("SELECT kind, source, detail FROM incidents FINAL") == [("missing", SOURCE, said)]
    store.run(f"ALTER TABLE counts ATTACH PART '{three_flushes[1]}'")
    assert found(store) == []


def test_flush_that_counted_twice_is_named(store: Store, three_flushes: list[str]) -> None:
    flushed(store, 10, 19)
    assert found(store) == [], "its token is known"
    flushed(store, 10, 19, token="another")
    assert found(store) == [f"{SOURCE}: 10 of 30 messages are counted twice"]


def test_sums_begin_with_the_first_flush_that_says_its_offsets(store: Store) -> None:
    """Rows from before that are taken as they are."""
    old: dict[str, list[object]] = {
        "dimension": ["offset"],
        "class": ["bulk"],
        "source": [SOURCE],
        "last_offset": [499],
    }
    store.insert("counts", {**old, "bucket": [datetime(2100, 1, 1, tzinfo=UTC)]})
    flushed(store, 500, 599)
    assert found(store) == []
