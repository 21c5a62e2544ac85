"""How a receiver knows a CloudEvent: Kafka protocol binding for CloudEvents 1.0.2, section 3."""

from confluent_kafka import TopicPartition

from schemas.settings import Kafka
from schemas.topics import load_topics
from streams.io.broker import Publisher, consumer
from tests.support.waiting import wait_for


def test_messages_of_topics_of_cloud_events_and_no_others_say_that_they_are_such(embedded_kafka: Kafka) -> None:
    declared = load_topics()
    publisher = Publisher(embedded_kafka)
    for name in declared:
        publisher.publish(name, b"acme", b"{}", 0)
    publisher.flush()

    said: dict[str | None, object] = {}
    reader = consumer(embedded_kafka, "headers")
    reader.assign([TopicPartition(name, 0, 0) for name in declared])

    def all_came() -> bool:
        said.update({each.topic(): each.headers() for each in reader.consume(100, 0.2) if each.error() is None})
        return said.keys() == declared.keys()

    try:
        wait_for(all_came, "a message of each topic")
    finally:
        reader.close()
    structured = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    assert said == {
        name: structured if "specversion" in topic.message_type().__struct_fields__ else None
        for name, topic in declared.items()
    }
