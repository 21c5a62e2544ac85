"""Complaints by the day of sending: from events on the broker to what a customer sees."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from schemas import topics
from schemas.event import FeedbackType
from schemas.settings import ClickHouse, Kafka
from streams.intake import outcomes
from streams.io.broker import Publisher
from streams.io.store import Store
from tests.support import ingesting
from tests.support.api_client import DAY, NOW, Api, Row, running
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("standing_clock")

TODAY = NOW // DAY * DAY


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    with running(store_settings, store) as interface:
        yield interface


def reported(api: Api, **parameters: Any) -> dict[str, tuple[int, int]]:
    """Numerator and denominator of the days that have any."""
    answer = api.get("/v1/cohorts", **parameters)
    assert answer.status_code == 200, answer.text
    days = answer.json()["days"]
    return {
        day["day"]: (day["numerator"], day["denominator"]) for day in days if day["denominator"] or day["numerator"]
    }


def test_complaint_counts_on_the_day_its_message_was_sent(api: Api) -> None:
    api.put([Row(TODAY - 3 * DAY, 1_000), Row(TODAY, 500)])
    api.complained(NOW, 4, TODAY - 3 * DAY + 60)
    api.complained(NOW, 1, TODAY)
    assert reported(api) == {"2026-03-09": (4, 1_000), "2026-03-12": (1, 500)}


def test_only_complaints_that_rates_are_made_of_count(api: Api) -> None:
    api.put([Row(TODAY, 1_000), Row(TODAY, 5_000, provider="gmail"), Row(TODAY, 70, customer="rival")])
    api.complained(NOW, 3, TODAY, provider="gmail")
    for kind in ("", *get_args(FeedbackType)):
        api.complained(NOW, 1, TODAY, kind=kind)
    counted = sum(kind in outcomes._COMPLAINTS for kind in ("", *get_args(FeedbackType)))
    assert reported(api) == {"2026-03-12": (counted, 1_000)}


def test_complaint_that_nobody_can_date_is_in_no_day_and_reported(api: Api) -> None:
    api.complained(NOW, 2)
    api.complained(NOW - 40 * DAY, 5)
    answer = api.get("/v1/cohorts").json()
    assert answer["undated"] == 2
    assert api.get("/v1/cohorts", days=45).json()["undated"] == 7
    assert not reported(api)


def test_days_without_mail_are_there_up_to_today(api: Api) -> None:
    answer = api.get("/v1/cohorts", days=3).json()
    assert [day["day"] for day in answer["days"]] == ["2026-03-10", "2026-03-11", "2026-03-12"]
    assert {day["rate"] for day in answer["days"]} == {None}
    assert api.get("/v1/cohorts", days=46).status_code == 422


def test_day_comes_from_the_report_or_from_the_delivery_of_the_message(kafka: Kafka, store: Store) -> None:
    now = ingesting.NOW
    day_ms = DAY * 1000
    sent = [
        ingesting.event(1, id="a", message_id="known", time=now - 2 * day_ms),
        ingesting.event(1, id="b", message_id="at-gmail", recipient="r@gmail.com", time=now - 2 * day_ms),
    ]
    complaints: dict[str, dict[str, object]] = {
        "stated": {"sent": now - 3 * day_ms, "message_id": "known"},
        "stated-as-text": {"sent": datetime.fromtimestamp((now - 3 * day_ms) / 1000, UTC).isoformat()},
        "found": {"message_id": "known"},
        "of-another-customer": {"message_id": "known", "customer": "rival"},
        "not-known": {"message_id": "at-gmail"},
        "in-the-future": {"sent": now + 2 * day_ms, "message_id": ""},
        "too-long-ago": {"sent": now - 60 * day_ms, "message_id": ""},
    }
    publisher = Publisher(kafka)
    for payload in sent:
        publisher.publish(topics.MAIL_EVENTS, b"k", payload)
    publisher.flush()
    with ingesting.running(kafka, store):
        wait_for(lambda: ingesting.delivered(store) == len(sent), "the deliveries")
        for name, changes in complaints.items():
            fields = {"id": name, "type": "complained", "time": now, "stream": name, **changes}
            publisher.publish(topics.MAIL_EVENTS, b"k", ingesting.event(1, **fields))
        publisher.flush()
        wait_for(lambda: store.rows("SELECT count() FROM events")[0][0] == len(complaints), "the complaints")
    days = store.rows("SELECT stream, toInt32(toUInt16(sent_day)) FROM events FINAL")
    today = now // day_ms
    assert {name: day - today if day else None for name, day in days} == {
        "stated": -3,
        "stated-as-text": -3,
        "found": -2,
        "of-another-customer": None,
        "not-known": None,
        "in-the-future": None,
        "too-long-ago": None,
    }
