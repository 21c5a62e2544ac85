"""Mailtrap webhooks of sent mail."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
BASE: dict[str, Any] = {
    "event": "delivery",
    "event_id": "00000000-0000-4000-8000-000000000005",
    "timestamp": 1757675281,
    "message_id": "00000000-0000-4000-8000-000000000006",
    "sending_stream": "transactional",
    "sending_domain_name": "brightleaf.example",
    "email": "iris@gmail.com",
    "category": "weekly",
    "custom_variables": {"customer": "brightleaf", "kind": "receipts"},
}


def adapt(*changes: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    events = [{key: value for key, value in (BASE | each).items() if value is not None} for each in changes]
    mapping = {} if options is None else {"mailtrap": options}
    return adapter("mailtrap")(json.dumps({"events": events}).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt({})
    assert (event.id, event.type) == ("00000000-0000-4000-8000-000000000005", "delivered")
    assert event.time_ms == 1757675281000
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "transactional", "weekly")
    assert event.message_id == "00000000-0000-4000-8000-000000000006"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert event.from_domain == "brightleaf.example"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"event": "delivery"}, "delivered"),
        ({"event": "bounce"}, "bounced"),
        ({"event": "soft bounce"}, "deferred"),
        ({"event": "suspension"}, "deferred"),
        ({"event": "reject", "reason": "Recipient in suppression list"}, "suppressed"),
        ({"event": "reject", "reason": "unsubscribed"}, "suppressed"),
        ({"event": "reject", "reason": "banned content"}, "rejected"),
        ({"event": "spam"}, "complained"),
        ({"event": "unsubscribe", "ip": "203.0.113.9"}, "unsubscribed"),
    ],
)
def test_event_types(changes: dict[str, Any], kind: str) -> None:
    (event,) = adapt(changes)
    assert event.type == kind
    assert event.feedback_type == ("abuse" if kind == "complained" else "")
    assert event.sending_ip == ""


@pytest.mark.parametrize("name", ["open", "click", "new"])
def test_events_that_tell_no_fate_are_left_out(name: str) -> None:
    empty = {"timestamp": None, "custom_variables": None, "sending_domain_name": None}
    assert adapt({"event": name} | empty) == []


@pytest.mark.parametrize(("stream", "kind"), [("transactional", "transactional"), ("bulk", "bulk"), (None, "bulk")])
def test_sending_stream_tells_transactional_from_bulk_mail(stream: str | None, kind: str) -> None:
    (event,) = adapt({"sending_stream": stream})
    assert (event.stream, event.stream_class) == (stream or "default", kind)


@pytest.mark.parametrize(
    ("changes", "code", "status", "kind"),
    [
        ({"response": "bounced (550 5.1.1 no such user)", "response_code": 550}, 550, "5.1.1", "hard"),
        ({"response": "bounced (550 5.1.1 no such user)"}, 550, "5.1.1", "hard"),
        ({"response": "554 5.7.1 message looks like spam", "response_code": "554"}, 554, "5.7.1", "block"),
        ({}, 0, "", "hard"),
    ],
)
def test_bounce_carries_its_reply(changes: dict[str, Any], code: int, status: str, kind: str) -> None:
    (event,) = adapt({"event": "bounce", "bounce_category": "hard"} | changes)
    assert (event.smtp_code, event.enhanced_status) == (code, status)
    assert load_bounce_classifier()(event).kind == kind


def test_event_without_id_gets_a_stable_one() -> None:
    first, second = adapt({"event_id": None}, {"event_id": None, "email": "oskar@yahoo.com"})
    assert first.id == adapt({"event_id": None})[0].id
    assert first.id != second.id


def test_customer_is_the_variable_then_the_sending_domain() -> None:
    assert adapt({"custom_variables": None})[0].customer == "brightleaf.example"
    options = FormatOptions(customer="category", stream="custom_variables.kind")
    (event,) = adapt({}, options=options)
    assert (event.customer, event.stream) == ("weekly", "receipts")
    with pytest.raises(AdaptError, match=r"^record 1: no customer at `custom_variables\.customer` or"):
        adapt({"custom_variables": None, "sending_domain_name": None})


def test_event_by_itself_is_read_too() -> None:
    (event,) = adapter("mailtrap")(json.dumps(BASE).encode(), Context(b"a key", PROVIDERS))
    assert event == adapt({})[0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"event": None}, "record 2: field `event` is missing"),
        ({"timestamp": None}, "record 2: field `timestamp` is missing"),
        ({"email": 5}, "record 2: field `email`: expected"),
    ],
)
def test_bad_record_is_named_by_its_place(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt({}, changes)


@pytest.mark.parametrize("body", [b"{}", b'{"events": {}}', b'{"events": [5]}'])
def test_body_without_events_is_an_error(body: bytes) -> None:
    with pytest.raises(
        AdaptError, match=r"^(field `events`: expected an array of events|record 1: expected an object)"
    ):
        adapter("mailtrap")(body, Context(b"a key", PROVIDERS))
