"""One flush of one source partition: stored exactly once, whoever else may be trying.

The order is the argument. Evidence and dead letters go first and may be repeated harmlessly: their rows are
known by source and position. The counts go last, in one block that lands whole or not at all and carries the
offset, so counts and offset cannot disagree. The block's token is the source and the offset it begins at: of
two workers that hold the same offsets only the first is taken. Reading the stored offset back tells a worker
whether that was itself; if not, it forgets its batch and goes on behind the stored offset.
"""

from collections.abc import Callable

from streams.count import rows
from streams.intake import Batch, dead_letter_columns, detail_columns, listing_columns
from streams.store import Store, StoreError

STORED_OFFSET = "SELECT max(last_offset), count() FROM counts WHERE source = {source:String}"

#: The driver sends several blocks where there are many rows. These make the server put them together again
#: before it writes, since a flush in several parts could land in part.
ONE_BLOCK = {
    "max_insert_block_size": 1 << 30,
    "min_insert_block_size_rows": 1 << 30,
    "min_insert_block_size_bytes": 1 << 40,
    "max_insert_threads": 1,
}


def stored_offset(store: Store, source: str) -> int | None:
    """The last offset of the source that is counted, or None where nothing is.

    Raises:
        StoreError: the store failed.
    """
    ((offset, count),) = store.rows(STORED_OFFSET, {"source": source})
    return int(offset) if count else None


def flush(store: Store, batch: Batch, now_ms: int, before_counts: Callable[[], None] | None = None) -> bool:
    """Store a batch. True: it is stored, and the batch is empty and goes on behind it. False: another worker
    got there first; the batch is empty and goes on behind what that one stored.

    Safe to repeat after a failure, since nothing is forgotten before the read-back. `before_counts` runs
    between evidence and counts (tests stop the worker there).

    Raises:
        StoreError: the store failed; whether the counts were taken will show at the next try.
    """
    source, last = batch.source, batch.next_offset - 1
    if batch.dead:
        store.insert("dead_letters", dead_letter_columns(batch.dead))
    if batch.details:
        store.insert("events", detail_columns(batch.details, source))
    if batch.listings:
        store.insert("listing_events", listing_columns(batch.listings, source))
    if before_counts is not None:
        before_counts()
    token = f"{source}@{batch.position}"
    counts = rows(batch.tallies, source, last, now_ms)
    store.insert("counts", counts, {"insert_deduplication_token": token, **ONE_BLOCK})
    stored = stored_offset(store, source)
    if stored is None:
        raise StoreError(f"{store.where}: took the counts of {source} but does not show them")
    batch.restart(stored + 1)
    return stored == last
