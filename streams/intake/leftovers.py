"""Evidence of flushes that never counted: it is stored before the counts, so a worker killed in between leaves it.

Of a partition that is read on, its messages come again and write the same rows, but for events that meanwhile came over
another partition: those rows are taken out once what they stand for is counted by another flush. Of a topic that is no
more, which is each one of the embedded broker, nothing comes again: whatever lies behind what was counted is taken out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from streams.io.store import Store

#: Each row of these stands for something that is counted.
TABLES = ("events", "unwanted_mail")

BEHIND = """
SELECT source, groupUniqArray(position) FROM events
WHERE has({sources:Array(String)}, source)
    AND position > {stored:Array(Int64)}[indexOf({sources:Array(String)}, source)]
GROUP BY source
"""
LAST = "SELECT source, max(position) FROM {table:Identifier} GROUP BY source"
FORGET = "DELETE FROM {table:Identifier} WHERE source = {source:String} AND position IN {positions:Array(Int64)}"
FORGET_BEHIND = "DELETE FROM {table:Identifier} WHERE source = {source:String} AND position > {stored:Int64}"


def find_leftovers(store: Store, stored: Mapping[str, int]) -> dict[str, set[int]]:
    """By source the positions of evidence behind its last counted offset; absent where there is none.

    Raises:
        StoreError: the store failed.
    """
    asked = {"sources": list(stored), "stored": list(stored.values())}
    return {str(source): set(map(int, positions)) for source, positions in store.rows(BEHIND, asked)}


def forget(store: Store, source: str, positions: Collection[int]) -> None:
    """Take these rows of a source out.

    Raises:
        StoreError: the store failed.
    """
    for table in TABLES:
        store.run(FORGET, {"table": table, "source": source, "positions": sorted(positions)})


def forget_of_former_topics(
    store: Store, ids: Mapping[str, str], counted: Callable[[Store, Sequence[str]], Mapping[str, int]]
) -> list[str]:
    """Take out what was never counted of topics that had the names of these, whose ids are given, before; returns the
    sources. `counted` gives the last counted offset of each source.

    Raises:
        StoreError: the store failed.
    """
    changed = set()
    for table in TABLES:
        last = {str(source): int(position) for source, position in store.rows(LAST, {"table": table})}
        former = [source for source in last if _is_former(source, ids)]
        offsets = counted(store, former) if former else {}
        for source in former:
            if last[source] > (stored := offsets.get(source, -1)):
                store.run(FORGET_BEHIND, {"table": table, "source": source, "stored": stored})
                changed.add(source)
    return sorted(changed)


def _is_former(source: str, ids: Mapping[str, str]) -> bool:
    topic, topic_id, _ = source.rsplit(":", 2)
    return topic in ids and ids[topic] != topic_id
