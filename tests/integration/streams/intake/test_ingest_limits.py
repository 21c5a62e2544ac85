"""What the intake does when something is in its way: a store that fails, a log that lost messages, a wrong format."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from jobs.setup.topics import remake_topics
from schemas import providers, topics
from schemas.settings import ClickHouse, Ingest, Kafka
from streams.adapt import Context, adapter
from streams.bounces.classify import load_bounce_classifier
from streams.intake import deleted, ingest, partitions
from streams.intake.batch import MailReader
from streams.intake.bounds import time_bounds
from streams.intake.deleted import DeletedTopics
from streams.intake.ingest import IngestWorker
from streams.intake.metrics import IngestMetrics
from streams.io.broker import BrokerError, Publisher, admin
from streams.io.store import Store, StoreError, open_store
from tests.support.ingesting import NOW, delivered, event, running
from tests.support.waiting import wait_for

CONTEXT = Context(b"key", providers.load_providers())


class FailingStore(Store):
    """A store that refuses inserts while `down` is set."""

    down = threading.Event()

    def insert_table(self, *args: Any, **options: Any) -> None:
        if self.down.is_set():
            raise StoreError("the store is down")
        super().insert_table(*args, **options)


@contextmanager
def opened(settings: ClickHouse, kind: type[Store] = Store) -> Iterator[Store]:
    plain = open_store(settings)
    yield kind(plain._client, settings, plain.where)
    plain.close()


def produce(kafka: Kafka, numbers: range, make: Callable[[int], bytes] = event) -> None:
    publisher = Publisher(kafka)
    for number in numbers:
        publisher.publish(topics.MAIL_EVENTS, b"c%d" % (number % 7), make(number))
    publisher.flush()


def test_reading_pauses_while_the_store_is_down_and_goes_on_with_exact_counts(
    kafka: Kafka, store: Store, store_settings: ClickHouse
) -> None:
    most = 500
    settings = Ingest(flush_seconds=0.1, flush_events=most, batch_events=100)
    with opened(store_settings, FailingStore) as failing, running(kafka, failing, settings) as worker:
        FailingStore.down.set()
        try:
            produce(kafka, range(8_000))
            wait_for(lambda: worker.metrics.waiting, "reading to be paused")
            assert worker.metrics.trouble == "the store is down"
            # One full batch is being stored and one is waiting; each may be a read longer than full.
            assert worker.metrics.messages <= 2 * (most + 100)
        finally:
            FailingStore.down.clear()
        wait_for(lambda: delivered(store) == 8_000, "8,000 deliveries", 60)
        wait_for(lambda: not worker.metrics.paused, "reading to go on")
        assert worker.metrics.pauses >= 1
        assert worker.metrics.store_failures >= 1
    assert delivered(store) == 8_000


def test_worker_that_is_abandoned_ends_at_once(kafka: Kafka, store: Store, store_settings: ClickHouse) -> None:
    """It leaves to the next what is not stored, and topics that were to be remade once all is stored are not."""
    remade = threading.Event()
    reader = MailReader(adapter("canonical"), CONTEXT, load_bounce_classifier(), time_bounds(Ingest()))
    stop = threading.Event()
    with opened(store_settings, FailingStore) as failing:
        worker = IngestWorker(
            kafka, Ingest(flush_seconds=0.1), failing, {topics.MAIL_EVENTS: reader}, clock=lambda: NOW
        )

        def run() -> None:
            with suppress(StoreError):  # of the flush under way
                worker.run(stop)

        thread = threading.Thread(target=run)
        FailingStore.down.set()
        try:
            thread.start()
            produce(kafka, range(1_000))
            wait_for(lambda: worker.metrics.trouble == "the store is down", "a flush to fail")
            worker.when_drained(remade.set)
            stop.set()
            worker.abandon()
            thread.join(30)
            assert not thread.is_alive()
        finally:
            FailingStore.down.clear()
    assert not remade.is_set()
    assert delivered(store) == 0
    with opened(store_settings) as mine, running(kafka, mine):
        wait_for(lambda: delivered(store) == 1_000, "1,000 deliveries")


def test_messages_deleted_before_they_were_read_are_reported_and_the_rest_is_counted(
    apache_kafka: Kafka, store: Store, store_settings: ClickHouse
) -> None:
    one_partition = Publisher(apache_kafka)

    def send(numbers: range) -> None:
        for number in numbers:
            one_partition.publish(topics.MAIL_EVENTS, b"k", event(number), partition=0)
        one_partition.flush()

    send(range(100))
    with opened(store_settings) as mine, running(apache_kafka, mine):
        wait_for(lambda: delivered(store) == 100, "the first part")
    send(range(100, 200))
    client = admin(apache_kafka)
    for future in client.delete_records([TopicPartition(topics.MAIL_EVENTS, 0, 150)]).values():
        future.result()
    with opened(store_settings) as mine, running(apache_kafka, mine) as worker:
        wait_for(lambda: delivered(store) == 150, "what is left")
        assert (worker.metrics.gaps, worker.metrics.lost_messages) == (1, 50)
    ((kind, lost, detail),) = store.rows("SELECT kind, lost, detail FROM incidents FINAL")
    assert (kind, lost) == ("gap", 50)
    assert "offsets 100 to 149" in detail


def made_topic(kafka: Kafka) -> str:
    """A second source of events, new and empty."""
    name = "mail.other"
    remake_topics(kafka, [topics.with_sources([name])[name]])
    return name


WINDOW = 200
NARROW = Ingest(flush_seconds=0.2, dead_letter_window=WINDOW)
SET_ASIDE = "SELECT count(), max(position) FROM dead_letters FINAL WHERE topic = 'mail.events'"
UNREADABLE = "SELECT kind, source, detail FROM incidents FINAL WHERE kind = 'unreadable'"


def send_unreadable(kafka: Kafka, messages: int) -> None:
    publisher = Publisher(kafka)
    for number in range(messages):
        publisher.publish(topics.MAIL_EVENTS, b"k", b"no event at all %d" % number, partition=0)
    publisher.flush()


def send_readable(kafka: Kafka, topic: str, numbers: range) -> None:
    publisher = Publisher(kafka)
    for number in numbers:
        publisher.publish(topic, b"k", event(number))
    publisher.flush()


def test_topic_that_cannot_be_read_is_read_no_more_and_others_are(
    kafka: Kafka, store: Store, store_settings: ClickHouse
) -> None:
    """It is not set aside as a whole. What was taken of it is stored, and operators are told."""
    send_unreadable(kafka, 2_000)
    other_topic = made_topic(kafka)
    sources = [topics.MAIL_EVENTS, other_topic]
    with opened(store_settings) as mine, running(kafka, mine, NARROW, sources) as worker:
        wait_for(lambda: list(worker.metrics.stopped) == [topics.MAIL_EVENTS], "the topic to be stopped")
        assert worker.metrics.stopped_topics == 1
        assert "mail.events, partition 0: " in worker.metrics.stopped[topics.MAIL_EVENTS]
        send_readable(kafka, other_topic, range(100))
        wait_for(lambda: delivered(store) == 100, "the other topic to be read")
        taken = worker.metrics.messages - 100
        assert worker.behind() == 0, "nobody waits for what is not going to be read"
    assert store.rows(SET_ASIDE) == [(taken, taken - 1)]
    assert WINDOW <= taken < 2_000
    ((kind, source, detail),) = store.rows(UNREADABLE)
    assert (kind, source) == ("unreadable", topics.MAIL_EVENTS)
    assert "is read no more until the next start" in detail
    # Once the format is right, what was not set aside is read.
    assert store.rows("SELECT max(last_offset) FROM counts WHERE source LIKE 'mail.events:%'") == [(taken - 1,)]


def test_what_is_about_to_be_lost_is_set_aside_though_it_cannot_be_read(
    embedded_kafka: Kafka, store: Store, store_settings: ClickHouse
) -> None:
    """The embedded broker forgets its messages when memory is given back, and when it ends."""
    send_unreadable(embedded_kafka, 2_000)
    drained = threading.Event()
    with opened(store_settings) as mine, running(embedded_kafka, mine, NARROW) as worker:
        wait_for(lambda: bool(worker.metrics.stopped), "the topic to be stopped")
        worker.when_drained(drained.set)
        assert drained.wait(30)
        assert store.rows(SET_ASIDE) == [(2_000, 1_999)]


def test_few_bad_messages_stop_nobody(kafka: Kafka, store: Store, store_settings: ClickHouse) -> None:
    settings = Ingest(flush_seconds=0.2, dead_letter_window=200)
    every = 10
    with opened(store_settings) as mine, running(kafka, mine, settings) as worker:
        produce(kafka, range(3_000), lambda number: b"bad" if number % every == 0 else event(number))
        wait_for(lambda: worker.metrics.stored == 3_000, "all of it")
    assert delivered(store) == 2_700


class SilentStore(Store):
    """A store that answers no question while `away` is set."""

    away = threading.Event()

    def rows(self, *args: Any, **options: Any) -> Any:
        if self.away.is_set():
            raise StoreError("the store is away")
        return super().rows(*args, **options)


def test_worker_asked_to_stop_ends_although_the_store_answers_no_question(
    kafka: Kafka, store_settings: ClickHouse
) -> None:
    stop, errors = threading.Event(), list[Exception]()
    reader = MailReader(adapter("canonical"), CONTEXT, load_bounce_classifier(), time_bounds(Ingest()))
    with opened(store_settings, SilentStore) as silent:
        worker = IngestWorker(kafka, Ingest(flush_seconds=0.1), silent, {topics.MAIL_EVENTS: reader}, clock=lambda: NOW)

        def run() -> None:
            try:
                worker.run(stop)
            except StoreError as error:
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            wait_for(lambda: bool(worker.metrics.last_stored_ms or worker._partitions.batches), "the worker to run")
            # A drained worker resubscribes, and asks the store where to continue.
            worker.when_drained(SilentStore.away.set)
            wait_for(lambda: worker.metrics.trouble == "the store is away", "a question without an answer")
            stop.set()
            thread.join(30)
            assert not thread.is_alive()
        finally:
            SilentStore.away.clear()
    assert [str(each) for each in errors] == ["the store is away"]


DELETED = "SELECT source, lost, detail FROM incidents FINAL WHERE kind = 'deleted' ORDER BY detail"


def stopped_with_unread(worker: IngestWorker, kafka: Kafka) -> int:
    """Let a topic be read no more, so that its messages stay with the broker; returns how many of them do."""
    send_unreadable(kafka, 2_000)
    wait_for(lambda: bool(worker.metrics.stopped and worker.metrics.messages), "the topic to be stopped")
    wait_for(lambda: 2_000 in worker._partitions._deleted._ends.values(), "it to be known what is there")
    return 2_000 - worker.metrics.messages


def test_deleted_topic_is_named_with_what_was_not_read_and_others_are_read_on(
    apache_kafka: Kafka, store: Store, store_settings: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took acknowledged events along, and nothing of the client says so. The group is told that it is gone, and
    shares out the others, before anybody gives it up."""
    monkeypatch.setattr(ingest, "IDS_S", 0.2)
    monkeypatch.setattr(deleted, "AWAY_S", 3.0)
    monkeypatch.setattr(partitions, "METADATA", {"topic.metadata.refresh.interval.ms": 200})
    other_topic = made_topic(apache_kafka)
    sources = [topics.MAIL_EVENTS, other_topic]
    settings = Ingest(flush_seconds=0.2, deleted_topic="continue", dead_letter_window=WINDOW)
    with opened(store_settings) as mine, running(apache_kafka, mine, settings, sources) as worker:
        unread = stopped_with_unread(worker, apache_kafka)
        client = admin(apache_kafka)  # its answers come for as long as it is there
        for future in client.delete_topics([topics.MAIL_EVENTS]).values():
            future.result(30)
        assigned = worker._partitions.batches
        wait_for(lambda: topics.MAIL_EVENTS not in {topic for topic, _ in assigned}, "the group to be told")
        send_readable(apache_kafka, other_topic, range(100))
        wait_for(lambda: delivered(store) == 100, "the other topic to be read")
        wait_for(lambda: "was deleted while it was read; at least" in worker.metrics.fault, "the worker to say so")
        assert worker.metrics.lost_messages == unread > 0
        # One that is made again is not missed for one that is gone for good.
        made_topic(apache_kafka)
        send_readable(apache_kafka, other_topic, range(100, 200))
        wait_for(lambda: delivered(store) == 200, "the other topic, made again, to be read", 60)
        assert worker.metrics.lost_messages == unread
    what = "was deleted while it was read"
    assert store.rows(DELETED) == [
        (topics.MAIL_EVENTS, unread, f"the topic mail.events {what}; at least {unread:,} of its messages were not read "
        "(partition 0)"),
        (other_topic, 0, f"the topic mail.other {what}, and made again; as far as known all of it was read"),
    ]  # fmt: skip


def test_topic_that_is_made_again_at_once_is_named_with_what_was_not_read(
    apache_kafka: Kafka, store: Store, store_settings: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "IDS_S", 0.2)
    with opened(store_settings) as mine, running(apache_kafka, mine, NARROW) as worker:
        unread = stopped_with_unread(worker, apache_kafka)
        remake_topics(apache_kafka, topics.load_topics())
        produce(apache_kafka, range(100))
        wait_for(lambda: delivered(store) == 100, "the new topic to be read", 60)
        assert (worker.metrics.lost_messages, worker.metrics.deleted_topics) == (unread, 0)
    (_, (source, lost, detail)) = store.rows(DELETED)  # and mail.blocklistings
    assert (source, lost) == (topics.MAIL_EVENTS, unread)
    assert "was deleted while it was read, and made again; at least" in detail


class _Told:
    """Stands in for a store in which offset 2 is the last that is counted of partition 0."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, question: Callable[[Any], Any]) -> Any:
        return question(self)

    def rows(self, _sql: str, asked: dict[str, list[str]]) -> list[tuple[str, int]]:
        return [(source, 2) for source in asked["sources"] if source.endswith(":0")]

    def insert(self, _table: str, row: dict[str, list[str]]) -> None:
        self.said += row["detail"]


def test_topic_that_is_deleted_ends_the_worker_unless_it_is_to_go_on() -> None:
    metrics, told = IngestMetrics(), _Told()
    watch = DeletedTopics(metrics, told, stop=True)
    watch.note({"mail.events:x:0": 8, "mail.events:x:1": 4, "mail.events:x:2": 3, "mail.other:z:0": 9})
    gone, taken = {"mail.events": "x"}, {"mail.events:x:1": 3, "mail.events:x:2": 3}
    watch.look(gone, taken, NOW)
    assert metrics.fault == "the topic mail.events is not there any more"
    watch.look({}, taken, NOW)
    assert (metrics.fault, metrics.deleted_topics, told.said) == ("", 0, []), "it was made again"
    watch.look(gone, taken, NOW)
    watch._since["mail.events"] -= deleted.AWAY_S
    text = "was deleted while it was read; at least 6 of its messages were not read (partition 0, 1)"
    with pytest.raises(BrokerError, match=re.escape(text)):
        watch.look(gone, taken, NOW)
    assert (metrics.deleted_topics, metrics.lost_messages, len(told.said)) == (1, 6, 1)
    assert watch.given_up == {"mail.events"}
    watch.made_again(gone, NOW, by_us=False)
    assert len(told.said) == 1, "it was told"


def test_what_another_worker_reads_now_of_a_deleted_topic_is_not_told_twice() -> None:
    told = _Told()
    watch = DeletedTopics(IngestMetrics(), told, stop=False)
    watch.note({"mail.events:x:0": 8, "mail.events:x:1": 4, "mail.other:z:0": 9})
    watch.keep(["mail.events:x:1"], {"mail.events": "x"})  # mail.other is gone
    watch.made_again({"mail.events": "x", "mail.other": "z"}, NOW, by_us=False)
    assert [text.rpartition("; ")[2] for text in told.said] == [
        "at least 4 of its messages were not read (partition 1)",
        "at least 6 of its messages were not read (partition 0)",
    ]
    watch.note({"mail.events:y:0": 8})
    watch.made_again({"mail.events": "y"}, NOW, by_us=True)
    assert len(told.said) == 2, "what we make again was read before"


def test_topic_recreated_and_shorter_is_another_source_and_no_log_that_was_cut(
    apache_kafka: Kafka, store: Store, store_settings: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker says that the position is not there long before the ids are looked at again."""
    monkeypatch.setattr(ingest, "IDS_S", 3_600.0)
    with opened(store_settings) as mine, running(apache_kafka, mine):
        produce(apache_kafka, range(500))
        wait_for(lambda: delivered(store) == 500, "the former topic")
        remake_topics(apache_kafka, topics.load_topics())
        produce(apache_kafka, range(500, 600))
        wait_for(lambda: delivered(store) == 600, "the new topic", 60)
    # Nothing is missing of a log, and it is said that the former topics were deleted.
    assert set(store.rows("SELECT kind, lost FROM incidents")) == {("deleted", 0)}
