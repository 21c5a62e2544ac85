"""Bounces of formats that do not say whether they came after the delivery: the recipient counts once, as failed."""

import json
import time

import pytest

from api.stack.reading import batch_readers
from schemas.counts import finished_sql
from schemas.settings import Ingest, Settings
from schemas.times import DAY_MS, utc_now_ms
from streams.adapt import FORMATS, NO_LATE_MARK
from streams.intake.batch import Batch, SourcePartition
from streams.intake.flush import flush
from streams.intake.seen import SeenIds
from streams.intake.sent import BOUNCE_DAYS
from streams.io.store import Store

NOW_MS = utc_now_ms()
COUNTS = """
SELECT toInt64(sum(delivered)), toInt64(sum(hard)), toInt64(sum(late_hard)) FROM counts WHERE dimension = 'provider'
"""
#: Expired, and finished: those who were delivered to, once each.
EXPIRED = f"""
SELECT toInt64(sum(expired)), toInt64({finished_sql("sum({})")}) FROM counts WHERE dimension = 'provider'
"""  # noqa: S608 - made of names from this project only
SETTINGS = Settings(ingest=Ingest(formats={"hooks": "postmark"}))


class Worker:
    """Takes Postmark's webhooks in and stores them, as one does that was started with these settings."""

    def __init__(self, store: Store, settings: Settings = SETTINGS) -> None:
        self.store = store
        self.take = batch_readers(settings)["hooks"]
        self.batch = Batch(SourcePartition("hooks:x:0", "hooks", 0, SeenIds(1_000_000), time.monotonic()), 0, 0)

    def webhook(self, fields: dict[str, object]) -> None:
        raw = json.dumps({"ServerID": 7, "MessageID": "m1", **fields}).encode()
        self.take(self.batch, [raw], [self.batch.next_offset], NOW_MS)

    def delivered(self, days_ago: float, recipient: str = "iris@yahoo.com", **fields: object) -> None:
        reported = {"RecordType": "Delivery", "Recipient": recipient, "DeliveredAt": moment(days_ago)}
        self.webhook(reported | fields)

    def bounced(self, days_ago: float, number: int, recipient: str = "iris@yahoo.com", **fields: object) -> None:
        reported = {"RecordType": "Bounce", "ID": number, "Type": "HardBounce", "Email": recipient}
        self.webhook(reported | {"Details": "550 5.1.1 unknown", "BouncedAt": moment(days_ago)} | fields)

    def flush(self) -> None:
        flush(self.store, [self.batch], NOW_MS)
        self.batch = self.batch.next()

    def counts(self) -> tuple[int, int, int]:
        """(delivered, hard, late_hard)"""
        delivered, hard, late = self.store.rows(COUNTS)[0]
        return int(delivered), int(hard), int(late)


def moment(days_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((NOW_MS - days_ago * DAY_MS) / 1000))


@pytest.fixture
def worker(store: Store) -> Worker:
    return Worker(store)


def test_recipient_first_delivered_and_days_later_bounced_counts_once_as_failed(worker: Worker) -> None:
    worker.delivered(3)
    worker.flush()
    worker.bounced(0, 1)
    worker.flush()
    assert worker.counts() == (1, 1, 1)
    assert worker.store.rows("SELECT asynchronous FROM events FINAL") == [(True,)]


def test_recipient_first_delivered_and_days_later_expired_finishes_once(worker: Worker) -> None:
    """A host that forwards mail gave up: a late bounce with a temporary reply."""
    worker.delivered(3)
    worker.delivered(3, "ann@yahoo.com")
    worker.flush()
    worker.bounced(0, 1, Type="SoftBounce", Details="451 4.4.1 try again later")
    worker.bounced(0, 2, "max@yahoo.com", Type="SoftBounce", Details="451 4.4.1 try again later", MessageID="m2")
    worker.flush()
    assert worker.store.rows(EXPIRED) == [(2, 2)]
    rows = worker.store.rows("SELECT recipient_hash != '', asynchronous FROM events FINAL ORDER BY asynchronous")
    assert rows == [(True, False), (True, True)]


def test_both_may_come_together(worker: Worker) -> None:
    worker.delivered(0)
    worker.bounced(0, 1)
    worker.flush()
    assert worker.counts() == (1, 1, 1)


def test_bounce_counts_as_late_after_a_try_that_stored_no_counts(worker: Worker) -> None:
    worker.delivered(1)
    worker.bounced(0, 1)

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flush(worker.store, [worker.batch], NOW_MS, before_counts=killed)
    again = Worker(worker.store)
    again.delivered(1)
    again.flush()
    again.bounced(0, 1)
    again.flush()
    assert again.counts() == (1, 1, 1)


def test_bounce_of_what_was_not_delivered_is_no_late_one(worker: Worker) -> None:
    worker.delivered(1)
    worker.delivered(BOUNCE_DAYS + 1, "long@ago.example")
    worker.delivered(1, "", MessageID="m9")
    worker.bounced(0, 1, "ann@yahoo.com")
    worker.bounced(0, 2, MessageID="m2")
    worker.bounced(0, 3, ServerID=8)
    worker.bounced(0, 4, "", MessageID="m9")
    worker.flush()
    worker.bounced(0, 5, "long@ago.example")
    worker.flush()
    assert worker.counts() == (3, 5, 0)


@pytest.mark.parametrize(
    ("ingest", "kept"),
    [
        (Ingest(formats={"hooks": "postmark"}), 1),
        (Ingest(formats={"hooks": "postmark"}, late_bounces=False), 0),
        (Ingest(formats={"hooks": "canonical"}), 0),
    ],
)
def test_deliveries_are_kept_of_silent_formats_only_unless_the_settings_say_no(ingest: Ingest, kept: int) -> None:
    at_gmail = {"message_id": "m1", "recipient": "iris@gmail.com"}
    reported = {
        "postmark": {"RecordType": "Delivery", "DeliveredAt": moment(0), "ServerID": 7, "MessageID": "m1"}
        | {"Recipient": "iris@gmail.com"},
        "canonical": {"id": "e1", "type": "delivered", "time": NOW_MS, "customer": "acme", **at_gmail},
    }
    batch = Batch(SourcePartition("hooks:x:0", "hooks", 0, SeenIds(1_000_000), time.monotonic()), 0, 0)
    raw = json.dumps(reported[ingest.formats["hooks"]]).encode()
    batch_readers(Settings(ingest=ingest))["hooks"](batch, [raw], [0], NOW_MS)
    assert batch.dead == []
    assert len(batch.delivered.hashes) == len(batch.delivered.times) == kept


def test_formats_that_are_silent_are_formats() -> None:
    assert set(FORMATS) >= NO_LATE_MARK
