"""Whether what is stored is what its offsets promise.

A server that finds a part broken when it starts sets it aside and goes on without it, and says so in its own log alone.
Each flush stores from which offset on it counts and how many offsets, in the one part in which its counts are: of a
source all of them must add up to what lies between its first and its last.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.settings import Ingest
from streams.intake import incidents
from streams.io.store import Store, StoreError

#: How long a replica may take to fetch the parts that it does not have yet, in s, and how often it is asked.
FETCHED_S = 30.0
ASK_S = 1.0

OFFSETS = """
SELECT source, toInt64(sum(offsets)) AS counted, max(last_offset) - min(first_offset) + 1 AS promised
FROM counts WHERE dimension = 'offset' AND first_offset != 9223372036854775807
GROUP BY source HAVING counted != promised ORDER BY source
"""
#: Parts of our tables that the server set aside as broken, and what it reads of the same table. Where it still had the
#: parts that a broken one was merged from, these are read again, and nothing is missing.
BROKEN = """
SELECT table, name, bytes_on_disk, path, min_block_number, max_block_number
FROM system.detached_parts
WHERE database = currentDatabase() AND startsWith(reason, 'broken') AND min_block_number IS NOT NULL
ORDER BY table, name
"""
ACTIVE = """
SELECT min_block_number, max_block_number FROM system.parts
WHERE database = currentDatabase() AND table = {table:String} AND active ORDER BY min_block_number
"""


@dataclass(frozen=True, slots=True)
class StoredFault:
    """Something that is not as it should be: of which source or table, and what, for people."""

    source: str
    detail: str


def check_stored(store: Store, settings: Ingest, now_ms: int) -> list[StoredFault]:
    """What is missing, or counted twice; recorded at `now_ms` (epoch ms).

    Raises:
        StoreError: something is, and `ingest.missing_counts` is `stop`; or the store failed.
    """
    found = [*_offsets(store), *_broken_parts(store)]
    deadline = time.monotonic() + FETCHED_S
    while found and store.settings.cluster and time.monotonic() < deadline:
        time.sleep(ASK_S)
        found = [*_offsets(store), *_broken_parts(store)]
    for each in found:
        incidents.record(store, "missing", each.source, 0, each.detail, now_ms)
    if found and settings.missing_counts == "stop":
        said = "; ".join(each.detail for each in found)
        raise StoreError(
            f"{store.where}: {said}. Bring back what is gone (a copy, or "
            'ALTER TABLE ... ATTACH PART of a part that is whole), or set ingest.missing_counts = "continue" to go on '
            "without it"
        )
    return found


def _offsets(store: Store) -> Iterator[StoredFault]:
    for source, counted, promised in store.rows(OFFSETS):
        if counted < promised:
            yield StoredFault(
                source, f"{source}: the counts of {promised - counted:,} of {promised:,} messages are gone"
            )
        else:
            yield StoredFault(source, f"{source}: {counted - promised:,} of {promised:,} messages are counted twice")


def _broken_parts(store: Store) -> Iterator[StoredFault]:
    for table, name, size, path, first, last in store.rows(BROKEN):
        if not _covered(first, last, store.rows(ACTIVE, {"table": table})):
            yield StoredFault(table, f"{table}: the part {name} ({size:,} bytes) is broken and set aside in {path}")


def _covered(first: int, last: int, active: Sequence[Sequence[int]]) -> bool:
    """Whether the blocks `first` to `last` are in parts that are read, given in order of their first blocks."""
    for begin, end in active:
        if begin <= first <= end:
            first = end + 1
    return first > last
