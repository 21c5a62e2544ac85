"""Mail to people who wanted none: whose refusal is about what, and when it counts."""

import numpy as np
import pytest

from schemas.event import MailEvent
from streams.intake.refusals import GRACE_MS, Refused, refusal_columns
from streams.intake.stored_refusals import refresh

AT_MS = 1_790_000_000_000


class Stored:
    """A store that has the refusals of some events."""

    def __init__(self, *events: MailEvent) -> None:
        self.columns = refusal_columns(events, AT_MS)
        self.asked = 0

    def blocks(self, _sql: str, _parameters: object) -> list[tuple[object, object]]:
        self.asked += 1
        times = [round(each.timestamp() * 1000) for each in self.columns["time"]]
        return [(np.array(self.columns["hash"], np.uint64), np.array(times, np.int64))] if times else []


def event(kind: str = "delivered", time: int = AT_MS, **changes: str) -> MailEvent:
    fields = {"id": "e", "customer": "acme", "stream": "news", "recipient_hash": "jo", **changes}
    stream_class = fields.pop("stream_class", "bulk")
    return MailEvent(type=kind, time=time, stream_class=stream_class, **fields)  # type: ignore[arg-type]


def unwanted(refusal: MailEvent, mail: MailEvent) -> bool:
    refused = Refused()
    refresh(refused, Stored(refusal), AT_MS)  # type: ignore[arg-type]
    found = refused.unwanted([event(recipient_hash="other"), mail], [7, 8], [AT_MS, mail.time_ms])
    assert all((each.position, each.event, each.refused_ms) == (8, mail, AT_MS) for each in found)
    return bool(found)


LATE = AT_MS + GRACE_MS + 1


@pytest.mark.parametrize("kind", ["unsubscribed", "complained"])
def test_mail_more_than_48_hours_after_a_refusal_is_unwanted(kind: str) -> None:
    assert unwanted(event(kind), event(time=LATE))
    assert not unwanted(event(kind), event(time=LATE - 1)), "the sender has 48 hours"


def test_unsubscription_is_about_its_stream_and_a_complaint_about_all_bulk_mail() -> None:
    assert not unwanted(event("unsubscribed"), event(time=LATE, stream="offers"))
    assert unwanted(event("complained"), event(time=LATE, stream="offers"))


def test_refusal_is_about_one_customer_and_one_mailbox() -> None:
    assert not unwanted(event("complained"), event(time=LATE, customer="other"))
    assert not unwanted(event("complained"), event(time=LATE, recipient_hash="ann"))


def test_transactional_mail_and_mail_that_did_not_arrive_is_no_matter() -> None:
    assert not unwanted(event("complained"), event(time=LATE, stream_class="transactional"))
    assert not unwanted(event("complained"), event("suppressed", time=LATE))


@pytest.mark.parametrize("feedback", ["not-spam", "auth-failure", "dmarc"])
def test_report_that_is_no_complaint_refuses_nothing(feedback: str) -> None:
    assert not unwanted(event("complained", feedback_type=feedback), event(time=LATE))


def test_event_without_a_mailbox_refuses_nothing() -> None:
    assert refusal_columns([event("complained", recipient_hash="")], AT_MS)["hash"] == []
    assert not unwanted(event("complained", recipient_hash=""), event(time=LATE, recipient_hash=""))


def test_the_earliest_refusal_counts_whatever_comes_later() -> None:
    refused = Refused()
    later = event("complained", time=AT_MS + GRACE_MS)
    refresh(refused, Stored(later), AT_MS)  # type: ignore[arg-type]
    mail = event(time=LATE)
    assert refused.unwanted([mail], [8], [LATE]) == []
    refresh(refused, Stored(event("complained"), later), AT_MS + 600_000)  # type: ignore[arg-type]
    assert [each.refused_ms for each in refused.unwanted([mail], [8], [LATE])] == [AT_MS]
    assert len(refused) == 1


def test_refusals_are_read_now_and_then_only() -> None:
    store, refused = Stored(event("complained")), Refused()
    for after_ms in (0, 1_000, 299_999, 300_000):
        refresh(refused, store, AT_MS + after_ms)  # type: ignore[arg-type]
    assert store.asked == 2


def test_refusal_of_more_than_a_year_ago_is_not_trusted_any_more() -> None:
    refused = Refused()
    refresh(refused, Stored(event("complained", time=AT_MS - 366 * 86_400_000)), AT_MS)  # type: ignore[arg-type]
    assert len(refused) == 0
