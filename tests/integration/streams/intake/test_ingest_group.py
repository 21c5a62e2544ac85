"""Ingest workers as a consumer group of Apache Kafka: partitions move, the broker goes and comes back."""

import threading
from collections.abc import Callable, Iterator

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.cimpl import NewPartitions

from schemas import topics
from schemas.providers import load_providers
from schemas.settings import ClickHouse, Ingest, Kafka
from streams.adapt import Context, adapter
from streams.bounces.classify import load_bounce_classifier
from streams.intake.batch import MailReader
from streams.intake.bounds import time_bounds
from streams.intake.ingest import IngestWorker
from streams.intake.partitions import Partitions
from streams.io.broker import BrokerError, Publisher, admin
from streams.io.store import Store, open_store
from tests.support.ingesting import SETTINGS, dead_letters, delivered, event, running
from tests.support.real_kafka import RealKafka
from tests.support.waiting import wait_for

pytestmark = pytest.mark.kafka

#: Nothing is flushed but what must be.
UNFLUSHED = Ingest(flush_seconds=3600, flush_events=1_000_000)


@pytest.fixture
def kafka(apache_kafka: Kafka) -> Kafka:
    """Only here are there groups that several workers share."""
    return apache_kafka


@pytest.fixture
def send(kafka: Kafka) -> Callable[[range], None]:
    """Sends the events of these numbers, spread over all partitions; each tenth is bad."""
    publisher = Publisher(kafka)

    def send(numbers: range) -> None:
        for number in numbers:
            value = b"bad %d" % number if number % 10 == 0 else event(number)
            publisher.publish(topics.MAIL_EVENTS, b"k%d" % number, value)
        publisher.flush(60)

    return send


@pytest.fixture
def other_store(store_settings: ClickHouse) -> Iterator[Store]:
    """A second worker's connection to the same database."""
    opened = open_store(store_settings)
    yield opened
    opened.close()


def bad_of(kafka: Kafka, count: int) -> list[bytes]:
    return sorted(letter.payload for letter in dead_letters(kafka, count))


def bad_in(numbers: range) -> list[bytes]:
    return sorted(b"bad %d" % number for number in numbers if number % 10 == 0)


def test_partition_that_is_taken_away_leaves_its_counts_and_dead_letters_behind(
    kafka: Kafka, store: Store, other_store: Store, send: Callable[[range], None]
) -> None:
    sent = range(200)
    send(sent)
    with running(kafka, store, UNFLUSHED) as first:
        wait_for(lambda: first.metrics.messages == 200, "the events to be taken")
        assert delivered(store) == 0
        with running(kafka, other_store, UNFLUSHED):
            wait_for(lambda: delivered(store) == 180, "what the first worker had taken")
            assert bad_of(kafka, 20) == bad_in(sent)


@pytest.mark.parametrize(
    "options",
    [{}, {"partition.assignment.strategy": "cooperative-sticky"}, {"group.protocol": "consumer"}],
    ids=["all at once", "one by one", "by the broker"],
)
def test_workers_that_come_and_go_count_every_event_once(
    kafka: Kafka, store: Store, other_store: Store, send: Callable[[range], None], options: dict[str, str]
) -> None:
    """However the group shares partitions out: all are taken back and given again, or only those that move."""
    kafka = msgspec.structs.replace(kafka, options=options)
    sent = 0

    def send_more() -> None:
        nonlocal sent
        send(range(sent, sent + 100))
        sent += 100

    def taken_after_more_by(worker: IngestWorker) -> bool:
        send_more()
        return worker.metrics.messages > 0

    with running(kafka, store) as first:
        wait_for(lambda: taken_after_more_by(first), "the first worker to take events")
        with running(kafka, other_store) as second:
            wait_for(lambda: taken_after_more_by(second), "the second worker to take events")
        send_more()
        wait_for(lambda: delivered(store) >= sent * 9 // 10, "all events")
    assert delivered(store) == sent * 9 // 10
    assert bad_of(kafka, sent // 10) == bad_in(range(sent))


def test_error_in_a_callback_of_the_group_ends_the_worker_with_it(
    kafka: Kafka, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KafkaException raised there leaves the client as what no `except BaseException` catches: the thread ended, and
    nobody knew."""

    def refused(*_: object) -> None:
        raise KafkaException(KafkaError(KafkaError._STATE, "it cannot be assigned"))

    monkeypatch.setattr(Partitions, "_start_partitions", refused)
    context = Context(b"key", load_providers())
    reader = MailReader(adapter("canonical"), context, load_bounce_classifier(), time_bounds(SETTINGS))
    with pytest.raises(BrokerError, match="consuming: it cannot be assigned"):
        IngestWorker(kafka, SETTINGS, store, {topics.MAIL_EVENTS: reader}).run(threading.Event())


def test_broker_that_is_killed_and_comes_back_costs_no_event(
    kafka: Kafka, store: Store, real_kafka: RealKafka, send: Callable[[range], None]
) -> None:
    with running(kafka, store, Ingest(flush_seconds=3)) as worker:
        send(range(100))
        wait_for(lambda: worker.metrics.messages >= 100, "the events to be taken")
        real_kafka.kill()
        wait_for(lambda: worker.metrics.paused or delivered(store) == 90, "a flush without the broker")
        real_kafka.start()
        send(range(100, 200))
        wait_for(lambda: delivered(store) >= 180, "all events")
    assert delivered(store) == 180
    assert bad_of(kafka, 20) == bad_in(range(200))


def test_partition_that_is_added_is_read_soon_and_repeats_over_it_count_once(
    kafka: Kafka, store: Store, send: Callable[[range], None]
) -> None:
    before = Publisher(kafka).partitions(topics.MAIL_EVENTS)
    store.run("ALTER TABLE remembered_ids REMOVE TTL")  # by the clock of these tests ids are long forgotten
    with running(kafka, store):
        send(range(100))
        wait_for(lambda: delivered(store) == 90, "what was sent before")
        client = admin(kafka)
        (grown,) = client.create_partitions([NewPartitions(topics.MAIL_EVENTS, before + 1)]).values()
        grown.result(30)
        wait_for(lambda: Publisher(kafka).partitions(topics.MAIL_EVENTS) > before, "the partition to be known")
        sender = Producer({"bootstrap.servers": kafka.bootstrap})
        for number in range(150):
            if number % 10 == 0 and number < 100:
                continue
            sender.produce(topics.MAIL_EVENTS, event(number), partition=before)
        assert sender.flush(30) == 0
        wait_for(lambda: delivered(store) == 140, "what was sent to the new partition", deadline_s=60)
