"""A flush: batches of several sources stored, each exactly once, even if several workers try.

The order is the argument. Evidence, dead letters and event ids go first and may be repeated harmlessly: their rows are
known by source and position. The counts go last, one block a source that lands whole or not at all and carries the
offset, so counts and offset cannot disagree. The block's token is the source and the offset it begins at: of
two workers that hold the same offsets only the first is taken. Reading the stored offset back tells a worker
whether that was itself; if not, it forgets its batch and continues behind the stored offset. The store remembers tokens
for a while only, so a worker that did not read the offset for longer than a lease reads it before it inserts: it may
have been frozen.

Which events came before is found out once for each batch, before anything of it is stored: deliveries from the
source's memory of ids, negative events from the ids in the store.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.times import DAY_S, HOUR_MS
from streams.intake import count, evidence, leftovers
from streams.intake.batch import Batch, NegativeEvent, Unseen
from streams.intake.count import counts_table
from streams.intake.message_senders import senders_table
from streams.intake.outcomes import counted_one_by_one
from streams.intake.seen import NewIds, remembered_table
from streams.intake.sent import find_sent
from streams.io.store import NumberParameter, Store, StoreError

#: The default of `ingest.lease_s`: far less than the store takes to forget a token, 10,000 inserts into a table.
LEASE_S = 30.0
NEGATIVE_DAYS = 30

STORED_OFFSETS = """
SELECT source, max(last_offset) FROM counts
WHERE dimension = 'offset' AND source IN {sources:Array(String)}
GROUP BY source
"""

#: A row says "came before" only where its source is counted up to it.
KNOWN_NEGATIVES = """
SELECT hash, source, position FROM negative_ids
WHERE hash IN {hashes:Array(UInt64)} AND came >= toDateTime({since:UInt32})
"""

#: A long insert may reach the server in several blocks. These make it put them together again before it writes,
#: since a flush in several parts could land in part.
ONE_BLOCK = {
    "max_insert_block_size": 1 << 30,
    "min_insert_block_size_rows": 1 << 30,
    "min_insert_block_size_bytes": 1 << 40,
    "max_insert_threads": 1,
}

#: Each row of a flush has a key of its own, and they are in order. Merging them before they are written, for the table
#: and its projection, changes nothing and takes a third of the time of a large INSERT.
AS_THEY_ARE = {"optimize_on_insert": 0}

#: Tokens are looked at, whatever the user's profile says.
ONCE = {"insert_deduplicate": 1}


@dataclass(frozen=True, slots=True)
class Flushed:
    """What became of a batch. Not `ours`: another worker stored first, and the batch counts for nothing.
    `stored` is the source's last counted offset."""

    batch: Batch
    ours: bool
    stored: int


def stored_offsets(store: Store, sources: Sequence[str]) -> dict[str, int]:
    """The last counted offset of each source; absent where nothing is.

    Raises:
        StoreError: the store failed.
    """
    return {str(source): int(last) for source, last in store.rows(STORED_OFFSETS, {"sources": list(sources)})}


def flush(
    store: Store,
    batches: Sequence[Batch],
    now_ms: int,
    before_counts: Callable[[], None] | None = None,
    *,
    lease_s: float = LEASE_S,
) -> list[Flushed]:
    """Store batches, at most one of each source, and say for each whether it was ours to store.

    Safe to repeat with the same batches after a failure. `before_counts` runs between evidence and counts (tests
    stop the worker there). A batch whose stored offset was read more than `lease_s` ago is not inserted before it is
    read again.

    Raises:
        StoreError: the store failed; whether some counts were taken will show at the next try.
    """
    _find_unseen(store, batches, now_ms)
    _store_before_counts(store, batches, now_ms)
    if before_counts is not None:
        before_counts()
    for batch in batches:
        counted, senders = _unseen(batch).counted, batch.tally.senders
        rows = counts_table(senders, counted, batch.source.name, batch.position, batch.next_offset - 1)
        if not _overtaken(store, batch, lease_s):
            settings = {"insert_deduplication_token": batch.token, **ONCE, **ONE_BLOCK, **AS_THEY_ARE}
            store.insert_table("counts", rows, settings)
    began_s = time.monotonic()
    stored = stored_offsets(store, [batch.source.name for batch in batches])
    for batch in batches:
        batch.source.verified_s = began_s
    flushed = [_flushed(store, batch, stored) for batch in batches]
    for each in flushed:
        if each.batch.source.leftovers:
            _forget_leftovers(store, each)
    return flushed


def _forget_leftovers(store: Store, flushed: Flushed) -> None:
    """Take out evidence of an earlier flush that never counted, where this one counted its messages without it."""
    batch = flushed.batch
    counted = {position for position in batch.source.leftovers if position < batch.next_offset}
    batch.source.leftovers -= counted
    stale = counted - {each.position for each in _unseen(batch).negatives} - {each.position for each in batch.unwanted}
    if flushed.ours and stale:
        leftovers.forget(store, batch.source.name, stale)


def _overtaken(store: Store, batch: Batch, lease_s: float) -> bool:
    """Whether the source is counted beyond the beginning of the batch; asked only after the lease is over."""
    began_s = time.monotonic()
    if began_s - batch.source.verified_s <= lease_s:
        return False
    stored = stored_offsets(store, [batch.source.name]).get(batch.source.name, -1)
    batch.source.verified_s = began_s
    return stored >= batch.position


def _flushed(store: Store, batch: Batch, stored: dict[str, int]) -> Flushed:
    last = stored.get(batch.source.name)
    if last is None or last < batch.position:
        # A server notes the token before the part. Killed in between it drops every repeat, of anybody, for ever; so
        # all who hold this batch continue with the same next token. Replicas note both at once, but may lag: there we
        # wait.
        if not store.settings.cluster:
            batch.lost_tokens += 1
        raise StoreError(f"{store.where}: took the counts of {batch.source.name} but does not show them")
    return Flushed(batch, last == batch.next_offset - 1, last)


def _find_unseen(store: Store, batches: Sequence[Batch], now_ms: int) -> None:
    """Set `unseen` of each batch that has none yet. A source's memory takes each id once, so this is done once."""
    new = [batch for batch in batches if batch.unseen is None]
    if any(batch.listings for batch in new):
        evidence.reconcile_listings(store, new)
    negatives = _new_negatives(store, new, now_ms)
    if any(negatives):
        find_sent(store, new, negatives)
    for batch, kept in zip(new, negatives, strict=True):
        tally = batch.tally
        ids, direct = count.identities(tally), tally.counted()
        is_new = batch.source.is_new(ids, now_ms // HOUR_MS)
        counted = direct.some(is_new)
        if kept:
            found = ((each.event, each.minute, each.classified) for each in kept)
            counted = counted.and_these(counted_one_by_one(tally.senders, found))
        batch.unseen = Unseen(
            counted=counted,
            ids=ids[is_new],
            negatives=kept,
            duplicates=int(ids.size - is_new.sum()),
            negative_duplicates=len(batch.negatives) - len(kept),
        )


def _new_negatives(store: Store, batches: Sequence[Batch], now_ms: int) -> list[list[NegativeEvent]]:
    """Of each batch the negative events that did not come before, in the store or earlier in these batches."""
    hashes = [[count.identity(each.event) for each in batch.negatives] for batch in batches]
    known = _counted_before(store, batches, sorted({each for some in hashes for each in some}), now_ms)
    found: list[list[NegativeEvent]] = []
    for batch, ids in zip(batches, hashes, strict=True):
        kept = []
        for each, identity in zip(batch.negatives, ids, strict=True):
            if identity not in known:
                known.add(identity)
                kept.append(each)
        found.append(kept)
    return found


def _counted_before(store: Store, batches: Sequence[Batch], hashes: list[int], now_ms: int) -> set[int]:
    if not hashes:
        return set()
    since = max(0, now_ms // 1000 - NEGATIVE_DAYS * DAY_S)
    rows = store.rows(KNOWN_NEGATIVES, {"hashes": NumberParameter(hashes), "since": since})
    positions = {batch.source.name: batch.position for batch in batches}
    others = sorted({source for _, source, _ in rows} - positions.keys())
    # Of our own sources what lies before the batch is counted; at or behind its beginning are earlier tries.
    upto = {name: position - 1 for name, position in positions.items()}
    if others:
        upto |= stored_offsets(store, others)
    return {int(identity) for identity, source, position in rows if position <= upto.get(source, -1)}


def _unseen(batch: Batch) -> Unseen:
    if batch.unseen is None:
        raise AssertionError("a batch is looked through before it is stored")
    return batch.unseen


def _has_evidence(batch: Batch) -> bool:
    return bool(batch.dead or batch.unwanted or batch.listings or _unseen(batch).negatives)


def _store_before_counts(store: Store, batches: Sequence[Batch], now_ms: int) -> None:
    if any(batch.delivered.hashes for batch in batches):
        store.insert_table("sent_messages", count.sent_messages_table(batch.delivered for batch in batches))
    if senders := [batch.senders for batch in batches if batch.senders is not None and batch.senders.hashes]:
        store.insert_table("message_senders", senders_table(senders))
    if some := [batch for batch in batches if _has_evidence(batch)]:
        evidence.store_evidence(store, [(batch, _unseen(batch).negatives) for batch in some], now_ms)
    hour = now_ms // HOUR_MS
    if new := [_new_ids(batch) for batch in batches if _unseen(batch).ids.size]:
        store.insert_table("remembered_ids", remembered_table(new, hour))


def _new_ids(batch: Batch) -> NewIds:
    source = batch.source
    return NewIds(
        source.topic, source.partition, source.partitions, source.name, batch.next_offset - 1, _unseen(batch).ids
    )
