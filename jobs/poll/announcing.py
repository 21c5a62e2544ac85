"""Whoever is reported of is judged again: the monitor is told as it is of new counts."""

from collections.abc import Collection

from schemas.settings import Kafka
from schemas.topics import REPUTATION_CHANGES
from streams.io.broker import Publisher
from streams.io.changes import messages


def announce(kafka: Kafka, customers: Collection[str], now_ms: int) -> None:
    """Tell the monitor that these customers changed; returns once the broker has it.

    Raises:
        BrokerError: the broker cannot be reached, does not take it, or has no such topic.
    """
    if not customers:
        return
    publisher = Publisher(kafka)
    partitions = publisher.partitions(REPUTATION_CHANGES)
    for each in messages(sorted(customers), now_ms, partitions):
        publisher.publish(REPUTATION_CHANGES, each.key, each.value, each.partition)
    publisher.flush()
