"""The broker that everything is measured on: Apache Kafka, with topics that are filled once and then only read."""

import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.traffic import Message
from jobs.setup.topics import create_topics
from schemas.settings import Kafka
from schemas.topics import MAIL_EVENTS, load_topics
from streams.io.broker import admin, client_config, client_log, consumer
from tests.support.real_kafka import JVM, RealKafka

#: Members of a group that start together are given their partitions together, as Kafka does by default.
PROPERTIES = "\ngroup.initial.rebalance.delay.ms=1000\n"
ANSWER_S = 10.0
ACKNOWLEDGED_S = 120.0


class BenchmarkError(RuntimeError):
    """A contender failed, did not end, or came to another result than it must."""


@contextmanager
def kafka() -> Iterator[RealKafka]:
    """A broker with the product's topics, which ends with the block.

    Raises:
        KafkaUnavailableError: this machine cannot run it.
    """
    with tempfile.TemporaryDirectory(prefix="repmon-kafka-", ignore_cleanup_errors=True) as folder:
        broker = RealKafka(Path(folder), JVM)
        broker.start()
        try:
            with (Path(folder) / "server.properties").open("a") as properties:
                properties.write(PROPERTIES)
            broker.restart()
            create_topics(broker.settings, load_topics())
            yield broker
        finally:
            broker.stop()


def fill(settings: Kafka, topic: str, messages: Iterable[Message]) -> float:
    """Make a topic like `mail.events`, if it is missing, and produce the messages to it; returns seconds.

    Raises:
        BrokerError: the broker refuses the topic.
        BenchmarkError: the topic does not hold what was produced.
    """
    create_topic(settings, topic)
    began, produced = time.monotonic(), 0
    producer = Producer(
        {**client_config(settings), "compression.type": "lz4", "linger.ms": 50, "acks": "all"}, logger=client_log
    )
    for message in messages:
        while True:
            try:
                producer.produce(topic, message.value, message.key, timestamp=message.time_ms)
                break
            except BufferError:
                producer.poll(0.1)
        produced += 1
        if produced % 1000 == 0:
            producer.poll(0)
    producer.flush(ACKNOWLEDGED_S)
    if (held := sum(ends(settings, topic))) != produced:
        raise BenchmarkError(f"{topic} holds {held:,} messages, {produced:,} were produced")
    return time.monotonic() - began


def create_topic(settings: Kafka, topic: str) -> None:
    """Make a topic like `mail.events`, if it is missing.

    Raises:
        BrokerError: the broker refuses it.
    """
    create_topics(settings, [msgspec.structs.replace(load_topics()[MAIL_EVENTS], topic=topic)])


def ends(settings: Kafka, topic: str) -> list[int]:
    """The end offset of each partition of a topic."""
    client = consumer(settings, "ends")
    try:
        partitions = sorted(client.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions)
        found = (client.get_watermark_offsets(TopicPartition(topic, each), timeout=ANSWER_S) for each in partitions)
        return [high for _, high in found]
    finally:
        client.close()


class Committed:
    """What a consumer group has committed, looked at from outside. It only ever holds what is stored already."""

    def __init__(self, settings: Kafka, group: str, topic: str) -> None:
        self._client: AdminClient = admin(settings)
        self._group = group
        self._ends = {(topic, partition): end for partition, end in enumerate(ends(settings, topic))}

    def left(self) -> int:
        """How many messages of the topic lie behind what is committed."""
        request = [ConsumerGroupTopicPartitions(self._group, [TopicPartition(*where) for where in self._ends])]
        (future,) = self._client.list_consumer_group_offsets(request, request_timeout=ANSWER_S).values()
        found = future.result().topic_partitions or []
        return sum(max(0, self._ends[each.topic, each.partition] - max(0, each.offset)) for each in found)
