"""Batches of one source partition, flushed, and what is stored of them."""

import time

from schemas.event import MailEvent
from schemas.times import utc_now_ms
from streams.intake.batch import Batch, NegativeEvent, SourcePartition
from streams.intake.count import count_direct
from streams.intake.flush import Flushed, flush, stored_offsets
from streams.intake.remembered import load_earlier, load_seen
from streams.intake.seen import SeenIds
from streams.io.store import Store

#: The real time: ids are forgotten by the clock of the store.
NOW = utc_now_ms()
NAME = "mail.events:topic-id:0"


def source(name: str = NAME, partitions: int = 1) -> SourcePartition:
    topic, _, partition = name.split(":")
    return SourcePartition(name, topic, int(partition), SeenIds(1_000_000), time.monotonic(), partitions)


def batch(position: int, messages: int, name: str = NAME, partitions: int = 1) -> Batch:
    made = Batch(source(name, partitions), position, position)
    take(made, messages)
    return made


def taken_up(store: Store, position: int, name: str = NAME, now_ms: int = NOW, partitions: int = 1) -> Batch:
    """What a worker begins with that is given the partition."""
    made = Batch(source(name, partitions), position, position)
    load_seen(store, made.source, now_ms)
    made.source.earlier = load_earlier(store, made.source.topic, partitions, 1_000_000, now_ms)
    return made


def take(into: Batch, messages: int, **changes: object) -> None:
    for _ in range(messages):
        put(into, f"e{into.next_offset}", **changes)


def put(into: Batch, event_id: str, **changes: object) -> None:
    fields = {"id": event_id, "type": "delivered", "time": NOW, "customer": "acme", "provider": "yahoo", **changes}
    event = MailEvent(**fields)  # type: ignore[arg-type]
    if event.type in ("bounced", "complained", "expired", "unsubscribed"):
        into.negatives.append(NegativeEvent(into.next_offset, NOW, event, None))
    else:
        count_direct(into.tally, [event], [NOW])
    into.messages += 1
    into.next_offset += 1


def flushed(store: Store, made: Batch, now_ms: int = NOW) -> Flushed:
    (found,) = flush(store, [made], now_ms)
    return found


def stored(store: Store) -> int | None:
    return stored_offsets(store, [NAME]).get(NAME)


def counted(store: Store, measure: str = "delivered") -> int:
    return int(store.rows(f"SELECT sum({measure}) FROM counts WHERE dimension = 'provider'")[0][0])  # noqa: S608
