"""What was remembered of event ids, read back by whoever takes over a partition.

A source's memory (streams/intake/seen.py) holds what its partition brought, under this topic and earlier ones of its
name. While a topic keeps its number of partitions, what is sent again comes over the same partition. Where the number
changes it may come over any other: for a day after, ids that were remembered under another number are known to all.

An id counts as known only where its flush was counted, that is, up to the stored offset of its source. Where there are
more than the memory holds, the latest flushes are read back: most repetitions come soon.
"""

from collections.abc import Mapping

import numpy as np

from schemas.times import HOUR_S
from streams.intake.batch import SourcePartition
from streams.intake.seen import SEEN_HOURS, SeenIds
from streams.io.store import Store

#: A flush's ids are one row: few rows are a large block.
_SETTINGS = "SETTINGS max_block_size = 64"


def _remembered(columns: str, table: str, chosen: str) -> str:
    """What flushes remembered that were counted; `chosen` says of which sources."""
    where = f"topic = {{topic:String}} AND {chosen} AND came >= toDateTime({{since:UInt32}})"
    return f"""
SELECT toUInt32(intDiv(toUnixTimestamp(came), 3600)) AS hour, {columns}
FROM {table}
INNER JOIN
(
    SELECT source, max(last_offset) AS counted FROM counts
    WHERE dimension = 'offset' AND source IN (SELECT DISTINCT source FROM {table} WHERE {where})
    GROUP BY source
) AS stored USING source
WHERE {where} AND last_offset <= counted
"""  # noqa: S608 - made of constants


#: Read in their order, so that what came first is forgotten first.
_FROM = """
AND (hour, last_offset) >= ({from_hour:UInt32}, {from_offset:Int64}) ORDER BY hour, last_offset
"""
_OF_PARTITION = "partition = {partition:UInt32} AND partitions = {partitions:UInt32}"
_OF_OTHERS = "partitions != {partitions:UInt32}"
OWN = _remembered("hashes", "remembered_ids", _OF_PARTITION)
EARLIER = _remembered("hashes", "remembered_ids", _OF_OTHERS)


def _reaches_room(remembered: str) -> str:
    """Hour and offset of the latest flush with which, and all after it, there are more ids than `room`. It is read too,
    since it may be a large one with small ones after it: what does not fit of it is what came first."""
    return f"""
SELECT hour, last_offset FROM
(
    SELECT hour, last_offset, sum(ids) OVER (ORDER BY hour DESC, last_offset DESC) AS so_far FROM ({remembered})
)
WHERE so_far > {{room:UInt64}} ORDER BY hour DESC, last_offset DESC LIMIT 1
"""  # noqa: S608 - made of constants


_SIZES = "last_offset, length(hashes) AS ids"
OWN_FULL = _reaches_room(_remembered(_SIZES, "remembered_ids", _OF_PARTITION))
EARLIER_FULL = _reaches_room(_remembered(_SIZES, "remembered_ids", _OF_OTHERS))
#: As versions before 0029 wrote it: a row an id.
OWN_BY_ID = _remembered("hash", "seen_ids", "partition = {partition:UInt32}")


def load_seen(store: Store, source: SourcePartition, now_ms: int) -> None:
    """Fill the memory of a source that was just started.

    Raises:
        StoreError: the store failed.
    """
    hour = now_ms // 1000 // HOUR_S
    asked = _asked(source.topic, source.partitions, hour) | {"partition": source.partition}
    _load(source.seen, store, (OWN, OWN_FULL), asked, hour)
    for hours, hashes in store.blocks(OWN_BY_ID, asked):
        source.seen.load(hashes, hours, hour)


def load_earlier(store: Store, topic: str, partitions: int, most_bytes: int, now_ms: int) -> SeenIds | None:
    """What the topic brought lately while it had another number of partitions; None if nothing.

    Raises:
        StoreError: the store failed.
    """
    hour = now_ms // 1000 // HOUR_S
    found = SeenIds(most_bytes)
    _load(found, store, (EARLIER, EARLIER_FULL), _asked(topic, partitions, hour), hour)
    return found if found.known else None


def _asked(topic: str, partitions: int, hour: int) -> dict[str, str | int]:
    return {"topic": topic, "partitions": partitions, "since": max(0, hour - SEEN_HOURS) * HOUR_S}


def _load(seen: SeenIds, store: Store, sql: tuple[str, str], asked: Mapping[str, str | int], hour: int) -> None:
    """`sql` reads the ids, and says with which flush there is no more room."""
    ids, reached = sql
    too_many = store.rows(reached, {**asked, "room": seen.room})
    first = too_many[0] if too_many else (0, -1)
    asked = {**asked, "from_hour": int(first[0]), "from_offset": int(first[1])}
    for hours, lists in store.blocks(ids + _FROM + _SETTINGS, asked):
        if len(lists):
            seen.load(np.concatenate(lists), np.repeat(hours, [len(each) for each in lists]), hour)
