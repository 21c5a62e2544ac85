"""Reading a topic to its end: what consumers of alerts and dead letters see."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from schemas import topics
from schemas.alert import AlertEvent
from schemas.dead_letter import DeadLetter
from schemas.settings import Kafka
from streams.io.broker import consumer

READ_S = 10.0
ALERT = msgspec.json.Decoder(AlertEvent)
DEAD_LETTER = msgspec.json.Decoder(DeadLetter)


def messages(kafka: Kafka, topic: str) -> Iterator[bytes]:
    """All messages of a topic up to its present end, partition by partition."""
    source = consumer(kafka, "reader")
    try:
        for partition in range(topics.load_topics()[topic].partitions):
            low, high = source.get_watermark_offsets(TopicPartition(topic, partition), timeout=READ_S)
            source.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
            at = low
            while at < high:
                for message in source.consume(1_000, 0.5):
                    assert message.error() is None, message.error()
                    at = (message.offset() or 0) + 1
                    yield message.value() or b""
    finally:
        source.close()


def dead_letters(kafka: Kafka) -> Counter[bytes]:
    """The payloads of the dead-letter topic, as a consumer sees them that drops repeated ids."""
    letters = {letter.id: letter for letter in map(DEAD_LETTER.decode, messages(kafka, topics.DEAD_LETTERS))}
    return Counter(letter.payload for letter in letters.values())


def alerts(kafka: Kafka) -> list[AlertEvent]:
    """The alerts sent, those of a customer in the order in which they were sent."""
    return [ALERT.decode(each) for each in messages(kafka, topics.REPUTATION_ALERTS)]


def without_repeats(events: Iterable[AlertEvent]) -> list[AlertEvent]:
    """What is left for a consumer that drops repeated ids: of each the first."""
    first: dict[str, AlertEvent] = {}
    for event in events:
        first.setdefault(event.id, event)
    return list(first.values())
