"""Outcomes that come long after their mail, from events to verdicts, while the mail slides out of the windows."""

import json
import time
from collections.abc import Iterable, Iterator
from itertools import count

import pytest

from api.stack.reading import batch_readers
from schemas.counts import WindowCounts
from schemas.policy import load_policy
from schemas.policy_metric import window_ms
from schemas.settings import Ingest, Settings
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, utc_now_ms
from streams.intake.batch import Batch, SourcePartition
from streams.intake.flush import flush
from streams.intake.seen import SeenIds
from streams.io.store import Store
from streams.judge.verdict import judge
from streams.windows.current import window_counts
from tests.support.judging import LOOP

#: A day after the last hour that is judged, so that nothing is of the future.
START_MS = (utc_now_ms() - 10 * DAY_MS) // HOUR_MS * HOUR_MS
POLICY = load_policy()
WINDOWS = {name: window_ms(name) for name in POLICY.windows}
SETTINGS = Settings(ingest=Ingest(formats={"events": "canonical"}))


class Sender:
    """One customer's events, taken in and stored as a worker does, and what is said of it at any moment."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._take = batch_readers(SETTINGS)["events"]
        self._batch = Batch(SourcePartition("events:x:0", "events", 0, SeenIds(1_000_000), time.monotonic()), 0, 0)
        self._ids = count()

    def events(self, kind: str, times_ms: Iterable[int], **fields: object) -> None:
        for time_ms in times_ms:
            number = next(self._ids)
            event = {
                "id": f"e{number}",
                "type": kind,
                "time": time_ms,
                "customer": "acme",
                "recipient_domain": "yahoo.com",
            }
            self._take(self._batch, [json.dumps(event | fields).encode()], [number], time_ms)

    def store_all(self, now_ms: int) -> None:
        flush(self.store, [self._batch], now_ms)
        assert not self._batch.dead
        self._batch = self._batch.next()

    def windows(self, now_ms: int) -> dict[str, WindowCounts]:
        (found,) = window_counts(self.store, ["acme"], WINDOWS, LOOP, now_ms, POLICY)
        return dict(found.windows)

    def levels(self, now_ms: int) -> set[str]:
        """The levels of the rules on complaints, failures and refusals."""
        found = window_counts(self.store, ["acme"], WINDOWS, LOOP, now_ms, POLICY)
        said = [each for subject in found for each in judge(subject, POLICY, now_ms).verdicts]
        return {str(each.level) for each in said if each.metric != "volume_spike"} - {"good"}


def evenly(number: int, begin_ms: int, length_ms: int) -> Iterator[int]:
    return (begin_ms + place * length_ms // number for place in range(number))


@pytest.fixture
def sender(store: Store) -> Sender:
    return Sender(store)


@pytest.mark.parametrize("stated", [True, False], ids=["with sent", "without"])
def test_newsletter_given_up_in_part_after_three_days_accuses_nobody(sender: Sender, stated: bool) -> None:
    sender.events("delivered", evenly(39_600, START_MS, HOUR_MS))
    sender.events("bounced", evenly(160, START_MS, HOUR_MS), smtp_code=550, enhanced_status="5.1.1")
    sender.store_all(START_MS + HOUR_MS)
    for hours in (1, 23, 48, 71):
        assert sender.levels(START_MS + hours * HOUR_MS) == set()
    given_up = START_MS + 72 * HOUR_MS
    for time_ms in evenly(240, given_up, HOUR_MS):
        sender.events("expired", [time_ms], **({"sent": time_ms - 72 * HOUR_MS} if stated else {}))
    sender.store_all(given_up + HOUR_MS)
    for hours in (73, 75, 90, 97, 120):
        assert sender.levels(START_MS + hours * HOUR_MS) == set()
    found = sender.windows(START_MS + 75 * HOUR_MS)
    assert (found["24h"].expired, found["24h"].finished) == (0, 0)
    assert found["24h"].outside_expired == (0 if stated else 240)
    assert (found["7d"].hard, found["7d"].expired) == (160, 240)
    assert found["7d"].finished == (40_000 if stated else 39_760)


def test_complaints_about_a_mailing_that_slides_out_of_the_day_accuse_nobody(sender: Sender) -> None:
    sender.events("delivered", evenly(40_000, START_MS, HOUR_MS))
    sender.events("complained", evenly(18, START_MS + HOUR_MS, 23 * HOUR_MS), feedback_type="abuse")
    sender.store_all(START_MS + DAY_MS)
    for minutes in range(0, 70, 5):
        assert sender.levels(START_MS + DAY_MS + minutes * MINUTE_MS) == set(), minutes
    left = sender.windows(START_MS + DAY_MS + 55 * MINUTE_MS)["24h"]
    assert 2_000 < left.fbl_delivered < 5_000
    assert (left.fbl_complained, left.outside_complained) == (
        18 * left.fbl_delivered // 40_000,
        18 - left.fbl_complained,
    )


def test_complaint_with_the_id_of_a_delivery_counts_in_its_minute(sender: Sender) -> None:
    sender.events("delivered", [START_MS], message_id="m1")
    sender.events("complained", [START_MS + 30 * HOUR_MS], message_id="m1", feedback_type="abuse")
    sender.store_all(START_MS + 30 * HOUR_MS)
    rows = sender.store.rows(
        "SELECT toUnixTimestamp(bucket), sum(delivered), sum(complained), sum(undated_complained) FROM counts "
        "WHERE dimension = 'provider' GROUP BY bucket"
    )
    assert [tuple(map(int, row)) for row in rows] == [(START_MS // 1000, 1, 1, 0)]
    assert sender.store.rows("SELECT toUnixTimestamp(sent) FROM events FINAL") == [(START_MS // 1000,)]


def test_steady_sender_with_many_undated_complaints_is_found(sender: Sender) -> None:
    for day in range(9):
        sender.events("delivered", evenly(1_500, START_MS + day * DAY_MS, DAY_MS))
        sender.events("complained", evenly(15, START_MS + day * DAY_MS, DAY_MS), feedback_type="abuse")
    sender.store_all(START_MS + 9 * DAY_MS)
    assert sender.levels(START_MS + 9 * DAY_MS) & {"excessive", "critical"}


def test_new_sender_whose_only_mailing_expires_by_a_tenth_is_found(sender: Sender) -> None:
    sender.events("delivered", evenly(1_800, START_MS, HOUR_MS))
    sender.events("expired", evenly(200, START_MS + 20 * HOUR_MS, HOUR_MS))
    sender.store_all(START_MS + 21 * HOUR_MS)
    assert sender.levels(START_MS + 21 * HOUR_MS) & {"excessive", "critical"}
