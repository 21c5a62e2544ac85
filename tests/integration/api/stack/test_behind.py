"""Whether something that came a while ago is not counted is asked of broker and store."""

import pytest

from api.stack import behind
from api.stack.behind import LATE_MS, IntakeDelay, topics_with_mail
from schemas import topics
from schemas.settings import Kafka
from schemas.times import MINUTE_MS, utc_now_ms
from streams.io.broker import BrokerError, Publisher
from streams.io.store import Store
from streams.monitor.half_counted import LateTopic
from tests.support.ingesting import delivered, event, running
from tests.support.waiting import wait_for

#: A broker under load may be slow: who asks then goes by what was known last, which is another test.
PATIENT_S = 60.0

pytestmark = pytest.mark.usefixtures("standing_clock")


def test_intake_is_behind_while_an_old_message_is_not_counted(kafka: Kafka, store: Store) -> None:
    delay = IntakeDelay(kafka, [topics.MAIL_EVENTS], store, PATIENT_S)
    now_ms = utc_now_ms()
    assert not delay(now_ms), "nothing came"
    send(kafka, 20)
    assert not delay(now_ms + MINUTE_MS), "it came just now"
    assert delay(now_ms + MINUTE_MS + LATE_MS)
    with running(kafka, store):
        wait_for(lambda: delivered(store) == 20, "20 deliveries")
    assert not delay(now_ms + 2 * MINUTE_MS + LATE_MS)


def test_all_that_there_is_at_a_start_counts_as_old(kafka: Kafka, store: Store) -> None:
    send(kafka, 20)
    assert IntakeDelay(kafka, [topics.MAIL_EVENTS], store, PATIENT_S)(utc_now_ms())
    with running(kafka, store):
        wait_for(lambda: delivered(store) == 20, "20 deliveries")
    assert not IntakeDelay(kafka, [topics.MAIL_EVENTS], store, PATIENT_S)(utc_now_ms())


def test_broker_that_cannot_be_asked_keeps_nobody_waiting(store: Store) -> None:
    assert not IntakeDelay(Kafka(bootstrap="127.0.0.1:1"), [topics.MAIL_EVENTS], store, 1.0)(utc_now_ms())


def test_broker_that_does_not_answer_changes_nothing(
    embedded_kafka: Kafka, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be slow for the same reason for which the intake is."""
    send(embedded_kafka, 20)
    delay, now_ms = IntakeDelay(embedded_kafka, [topics.MAIL_EVENTS], store, PATIENT_S), utc_now_ms()
    assert delay(now_ms)

    def silent(*_: object) -> None:
        raise BrokerError("did not answer in time")

    monkeypatch.setattr(behind, "topic_states", silent)
    assert delay(now_ms + MINUTE_MS)


def test_topic_is_known_to_stand_still_and_to_go_on(kafka: Kafka, store: Store) -> None:
    send(kafka, 20)
    delay, now_ms = IntakeDelay(kafka, [topics.MAIL_EVENTS], store, PATIENT_S), utc_now_ms()
    for later_s in range(0, 360, 30):
        assert delay(now_ms + later_s * 1000) == [LateTopic(topics.MAIL_EVENTS, later_s * 1000)]
    with running(kafka, store):
        wait_for(lambda: delivered(store) == 20, "20 deliveries")
    send(kafka, 20)
    # What came a while ago is counted; that this waits is late two minutes later, and it has stood still since then.
    assert delay(now_ms + 331_000) == []
    assert delay(now_ms + 331_000 + LATE_MS) == [LateTopic(topics.MAIL_EVENTS, 0)]


def test_topics_with_listings_bring_no_mail() -> None:
    formats = {"mail.events": "canonical", "mail.looks": "hetrixtools", "mail.log": "postfix"}
    assert topics_with_mail(formats) == ["mail.events", "mail.log"]


def send(kafka: Kafka, count: int) -> None:
    producer = Publisher(kafka)
    for number in range(count):
        producer.publish(topics.MAIL_EVENTS, b"c%d" % (number % 7), event(number))
    producer.flush()
