"""Customers announced to the monitor as changed."""

from schemas import topics
from schemas.settings import Kafka
from streams.io.broker import Publisher
from streams.io.changes import messages

PARTITIONS = topics.load_topics()[topics.REPUTATION_CHANGES].partitions


def announce(kafka: Kafka, *customers: str) -> None:
    publisher = Publisher(kafka)
    for key, value, partition in messages(customers, 0, PARTITIONS):
        publisher.publish(topics.REPUTATION_CHANGES, key, value, partition)
    publisher.flush()
