"""The messages of topics from a time on, up to offsets that were counted, to be counted again."""

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from jobs.data.fault import StoredDataError
from jobs.data.recount import Messages
from schemas.settings import Kafka
from schemas.times import HOUR_MS
from schemas.wording import rfc3339
from streams.intake.seen import SEEN_HOURS
from streams.io.broker import BrokerError, admin, begins, consumer, ends, runs_by_partition, topic_states

#: Messages taken at a time, and how long they are waited for, in s. The events of so many, with what is made of them,
#: stay in a processor's second cache: of a thousand each step finds them in memory, and takes a third longer.
AT_ONCE, POLL_S = 250, 0.1
#: How long the broker may say nothing while messages are left, in s.
SILENT_S = 30.0
LOOKUP_S = 20.0


class Stretch(NamedTuple):
    """A stretch of a partition: read from `ids_from`, counted from `first` until before `end` (offsets)."""

    topic: str
    partition: int
    source: str
    ids_from: int
    first: int
    end: int


class Partition(NamedTuple):
    """A partition of a topic as the broker has it: its source, its first offset that is still there, and the offset
    that its next message will have."""

    topic: str
    partition: int
    source: str
    begin: int
    end: int
    partitions: int


def read_partitions(kafka: Kafka, topics: Sequence[str]) -> list[Partition]:
    """The partitions of these topics, of those that are there.

    Raises:
        BrokerError: the broker did not answer.
    """
    client = admin(kafka)
    states = topic_states(client, topics)
    places = [(topic, number) for topic, state in states.items() for number in range(state.partitions)]
    first, last = begins(client, places), ends(client, places)
    return [
        Partition(
            topic,
            number,
            f"{topic}:{states[topic].id}:{number}",
            first[topic, number],
            last[topic, number],
            states[topic].partitions,
        )
        for topic, number in places
    ]


def stretches(
    kafka: Kafka, partitions: Sequence[Partition], counted: Mapping[str, int], since_ms: int
) -> list[Stretch]:
    """What is to be read so that everything is counted again that was sent to the broker since `since_ms` (epoch ms)
    and is counted, up to the last offset of each source. A day more is read for the ids of deliveries.

    Raises:
        StoredDataError: a topic has not everything any more.
        BrokerError: the broker did not answer.
    """
    asked = [each for each in partitions if each.source in counted]
    at = _offsets_at(kafka, asked, since_ms)
    ids_at = _offsets_at(kafka, asked, since_ms - SEEN_HOURS * HOUR_MS)
    return planned(asked, counted, at, ids_at, since_ms)


def planned(
    partitions: Sequence[Partition],
    counted: Mapping[str, int],
    at: Mapping[str, int],
    ids_at: Mapping[str, int],
    since_ms: int,
) -> list[Stretch]:
    """The same from the offsets (`at`, `ids_at`) that the broker names for both times. Pure.

    Raises:
        StoredDataError: a topic has not everything any more.
    """
    found = []
    for each in partitions:
        end = counted[each.source] + 1
        first = min(end, at[each.source])
        # What is gone is older than what is left: nothing of the time is, if something older is left.
        if each.begin > 0 and (at[each.source] <= each.begin or each.begin == each.end):
            raise StoredDataError(
                f"topic {each.topic}, partition {each.partition}: its messages of {rfc3339(since_ms)} are gone (it "
                f"begins with offset {each.begin:,}); count a later time again, or from files"
            )
        found.append(Stretch(each.topic, each.partition, each.source, min(first, ids_at[each.source]), first, end))
    return found


def read_messages(kafka: Kafka, wanted: Sequence[Stretch]) -> Iterator[Messages]:
    """The messages of all stretches, each in order.

    Raises:
        BrokerError: the broker fails, or says nothing for 30 s.
    """
    left = {(each.topic, each.partition): each for each in wanted if each.ids_from < each.end}
    reading = consumer(kafka, "recount", **{"enable.partition.eof": False})
    heard_s = time.monotonic()
    try:
        reading.assign([TopicPartition(each.topic, each.partition, each.ids_from) for each in left.values()])
        while left:
            # A full number is waited for until the time is over: the last messages are fewer.
            taken = reading.consume(AT_ONCE, POLL_S)
            for error in filter(None, map(Message.error, taken)):
                raise BrokerError(f"Kafka at {kafka.bootstrap}: {error.str()}")
            for place, run in runs_by_partition(taken):
                if (each := left.get(place)) is not None:
                    yield from _within(each, run)
            if taken:
                heard_s = time.monotonic()
            if not _all_read(reading, left) and time.monotonic() - heard_s > SILENT_S:
                raise BrokerError(
                    f"Kafka at {kafka.bootstrap}: nothing came for {SILENT_S:g} s while messages are left"
                )
    except KafkaException as error:
        raise BrokerError(f"Kafka at {kafka.bootstrap}: {error}") from error
    finally:
        reading.close()


def _within(stretch: Stretch, run: Sequence[Message]) -> Iterator[Messages]:
    """What of a run of messages lies in a stretch: first what is read for the ids, then what counts."""
    offsets = cast(list[int], list(map(Message.offset, run)))
    first, end = bisect_left(offsets, stretch.first), bisect_left(offsets, stretch.end)
    for start, stop, counts in ((0, min(first, end), False), (first, end, True)):
        if start < stop:
            some = run[start:stop]
            payloads = [value or b"" for value in map(Message.value, some)]
            time_ms = max(map(Message.timestamp, some))[1]
            yield Messages(stretch.source, payloads, offsets[start:stop], time_ms, counts)


def _all_read(reading: Consumer, left: dict[tuple[str, int], Stretch]) -> bool:
    """Take out what is read to its end; whether all is."""
    for where in reading.position([TopicPartition(*place) for place in left]):
        if where.offset >= left[where.topic, where.partition].end:
            del left[where.topic, where.partition]
            reading.incremental_unassign([TopicPartition(where.topic, where.partition)])
    return not left


def _offsets_at(kafka: Kafka, partitions: Sequence[Partition], time_ms: int) -> dict[str, int]:
    """By source the offset of the first message of that time or later; far behind everything where there is none."""
    if kafka.static_assignment:  # the embedded broker knows no times, and has little
        return {each.source: each.begin for each in partitions}
    asking = consumer(kafka, "recount")
    try:
        asked = [TopicPartition(each.topic, each.partition, max(0, time_ms)) for each in partitions]
        found = {(each.topic, each.partition): each for each in asking.offsets_for_times(asked, LOOKUP_S)}
    except KafkaException as error:
        raise BrokerError(f"Kafka at {kafka.bootstrap}: {error}") from error
    finally:
        asking.close()
    offsets = {}
    for each in partitions:
        there = found[each.topic, each.partition]
        if there.error is not None:
            raise BrokerError(f"Kafka at {kafka.bootstrap}: {each.topic}: {there.error.str()}")
        offsets[each.source] = there.offset if there.offset >= 0 else 1 << 62
    return offsets
