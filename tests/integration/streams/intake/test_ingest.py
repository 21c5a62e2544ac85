"""The ingest worker on a broker: what is produced is counted once, bad messages become dead letters."""

import threading
from collections.abc import Callable, Sequence

import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from jobs.setup.topics import remake_topics
from schemas import topics
from schemas.settings import Kafka
from streams.io import topic_identity
from streams.io.broker import BrokerError, Publisher, TopicState, consumer, topic_states
from streams.io.changes import customers_in
from streams.io.store import Store
from tests.support.ingesting import NOW, SETTINGS, dead_letters, delivered, event, running
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("standing_clock")


@pytest.fixture
def producer(kafka: Kafka) -> Publisher:
    return Publisher(kafka, **{"message.max.bytes": 16_000_000})


def test_every_event_is_counted_once(kafka: Kafka, store: Store, producer: Publisher) -> None:
    for number in range(5_000):
        producer.publish(topics.MAIL_EVENTS, b"c%d" % (number % 7), event(number))
    producer.flush()
    with running(kafka, store):
        wait_for(lambda: delivered(store) == 5_000, "5,000 deliveries")
    assert delivered(store) == 5_000


def test_broker_that_comes_back_and_does_not_answer_at_first_is_asked_again(
    kafka: Kafka, store: Store, producer: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that ran already was reached once; a broker under load may be slow to tell which topics it has."""
    answers: list[dict[str, TopicState] | BrokerError] = [
        {},
        BrokerError("topic mail.events: did not answer in time"),
        {},
    ]

    def states(client: AdminClient, names: Sequence[str]) -> dict[str, TopicState]:
        known = topic_states(client, names)
        asked.append(known)
        if len(asked) == 1 or not answers:
            return known
        answer = answers.pop(0)
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    asked: list[dict[str, TopicState]] = []
    monkeypatch.setattr(topic_identity, "topic_states", states)
    for number in range(100):
        producer.publish(topics.MAIL_EVENTS, b"c%d" % number, event(number))
    producer.flush()
    with running(kafka, store):
        wait_for(lambda: delivered(store) == 100, "100 deliveries")
    assert not answers


def test_restarted_worker_goes_on_behind_what_is_stored(kafka: Kafka, store: Store, producer: Publisher) -> None:
    for part in range(3):
        for number in range(500):
            producer.publish(topics.MAIL_EVENTS, b"k%d" % number, event(part * 500 + number))
        producer.flush()
        with running(kafka, store):
            wait_for(lambda part=part: delivered(store) >= 500 * (part + 1), "the part")  # type: ignore[misc]
    assert delivered(store) == 1_500


def test_topic_recreated_is_counted_from_its_beginning(kafka: Kafka, store: Store, producer: Publisher) -> None:
    with running(kafka, store) as worker:
        for generation in range(2):
            # Events of their own: the same ones would be known from the topic before.
            for number in range(200 * generation, 200 * (generation + 1)):
                producer.publish(topics.MAIL_EVENTS, b"k%d" % number, event(number))
            producer.flush()
            wait_for(lambda so_far=200 * (generation + 1): delivered(store) >= so_far, "a generation")  # type: ignore[misc]
            remade = threading.Event()

            def remake(done: threading.Event = remade) -> None:
                remake_topics(kafka, topics.load_topics())
                done.set()

            worker.when_drained(remake)
            wait_for(remade.is_set, "the topics to be remade")
    assert delivered(store) == 400
    assert store.rows("SELECT uniqExact(source) FROM counts WHERE delivered > 0")[0][0] >= 2


def test_drain_is_over_only_when_all_that_was_acknowledged_is_stored(
    kafka: Kafka, store: Store, producer: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is slow nothing is read, so most of it is still in the broker when the drain begins."""
    answers, insert = threading.Event(), Store.insert_table
    monkeypatch.setattr(Store, "insert_table", lambda *args, **named: answers.wait(60) and insert(*args, **named))
    for number in range(3_000):
        producer.publish(topics.MAIL_EVENTS, b"k%d" % number, event(number))
    producer.flush()
    when_over: list[int] = []
    with running(kafka, store, msgspec.structs.replace(SETTINGS, flush_events=100, batch_events=100)) as worker:
        wait_for(lambda: worker.metrics.waiting, "the worker to be held up")
        worker.when_drained(lambda: when_over.append(delivered(store)))
        for number in range(3_000, 4_000):
            producer.publish(topics.MAIL_EVENTS, b"k%d" % number, event(number))
        producer.flush()
        answers.set()
        wait_for(lambda: bool(when_over), "the drain to be over")
    assert when_over == [4_000]


BAD: list[tuple[str, Callable[[], bytes], str]] = [
    ("not text", lambda: b"\xff\x00 not text", "UTF-8"),
    ("not JSON", lambda: b"{this is no JSON", "JSON"),
    ("no customer", lambda: msgspec.json.encode({"id": "x", "type": "delivered", "time": NOW}), "customer"),
    ("empty customer", lambda: event(1, customer=""), "customer"),
    ("long customer", lambda: event(1, customer="é" * 129), "the limit is 256"),
    ("in the future", lambda: event(1, time=NOW + 25 * 3_600_000), "in the future"),
    ("behind", lambda: event(1, time=NOW - 91 * 86_400_000), "90 days"),
    ("too large", lambda: event(1, diagnostic="x" * 1_000_001), "1,000,000"),
]


def test_bad_messages_become_dead_letters_and_the_stream_goes_on(
    kafka: Kafka, store: Store, producer: Publisher
) -> None:
    payloads = [make() for _, make, _ in BAD]
    for number, payload in enumerate(payloads):
        producer.publish(topics.MAIL_EVENTS, b"k", event(number))
        producer.publish(topics.MAIL_EVENTS, b"k", payload)
    producer.flush()
    with running(kafka, store) as worker:
        wait_for(lambda: delivered(store) == len(BAD), "the good events")
        letters = dead_letters(kafka, len(BAD))
        assert worker.metrics.dead_letters == len(BAD)
    assert [letter.payload for letter in letters] == payloads, "the original bytes, in order"
    for letter, (_, _, words) in zip(letters, BAD, strict=True):
        assert words in letter.reason
        assert (letter.topic, letter.offset % 2) == (topics.MAIL_EVENTS, 1)
    kept = store.rows("SELECT payload FROM dead_letters FINAL ORDER BY position")
    assert [bytes(row[0]) if isinstance(row[0], bytes) else row[0].encode() for row in kept][1:] == payloads[1:]


def test_changed_customers_are_announced(kafka: Kafka, store: Store, producer: Publisher) -> None:
    for number in range(50):
        producer.publish(topics.MAIL_EVENTS, b"k", event(number))
    producer.flush()
    source = consumer(kafka, "changes")
    source.subscribe([topics.REPUTATION_CHANGES])
    named: set[str] = set()

    def all_named() -> bool:
        for message in source.consume(100, 0.2):
            if message.error() is None:
                named.update(customers_in(message.value() or b""))
        return len(named) == 7

    with running(kafka, store):
        wait_for(all_named, "seven customers")
    source.close()
