"""Brevo webhooks."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
BASE: dict[str, Any] = {
    "event": "delivered",
    "email": "iris@gmail.com",
    "id": 26224,
    "date": "2025-09-12 13:08:01",
    "ts": 1757682481,
    "ts_event": 1757682481,
    "ts_epoch": 1757675281440,
    "message-id": "<202509121108.1@smtp.brightleaf.example>",
    "subject": "Weekly",
    "sending_ip": "192.0.2.91",
    "tag": '["weekly","sale"]',
    "tags": ["weekly", "sale"],
    "X-Mailin-custom": '{"customer": "brightleaf", "kind": "receipts"}',
}


def adapt(changes: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    body = {key: value for key, value in (BASE | changes).items() if value is not None}
    mapping = {} if options is None else {"brevo": options}
    return adapter("brevo")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt({})
    assert (event.type, event.time_ms) == ("delivered", 1757675281440)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "default", "weekly")
    assert event.message_id == "202509121108.1@smtp.brightleaf.example"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert event.sending_ip == "192.0.2.91"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("delivered", "delivered"),
        ("hard_bounce", "bounced"),
        ("soft_bounce", "bounced"),
        ("invalid_email", "bounced"),
        ("deferred", "deferred"),
        ("blocked", "suppressed"),
        ("error", "rejected"),
        ("spam", "complained"),
        ("complaint", "complained"),
        ("unsubscribed", "unsubscribed"),
        ("unsubscribe", "unsubscribed"),
    ],
)
def test_event_types(name: str, kind: str) -> None:
    (event,) = adapt({"event": name})
    assert event.type == kind
    assert event.feedback_type == ("abuse" if kind == "complained" else "")


@pytest.mark.parametrize(
    "name", ["request", "opened", "unique_opened", "click", "proxy_open", "unique_proxy_open", "list_addition"]
)
def test_events_that_tell_no_fate_are_left_out(name: str) -> None:
    assert adapt({"event": name, "ts": None, "ts_event": None, "ts_epoch": None, "X-Mailin-custom": None}) == []


@pytest.mark.parametrize(
    ("changes", "ms"),
    [
        ({}, 1757675281440),
        ({"ts_epoch": 1757675281}, 1757675281000),
        ({"ts_epoch": None}, 1757682481000),
        ({"ts_epoch": None, "ts_event": None, "ts": 1757682480}, 1757682480000),
    ],
)
def test_time_is_the_one_in_utc_in_seconds_or_milliseconds(changes: dict[str, Any], ms: int) -> None:
    assert adapt(changes)[0].time_ms == ms


@pytest.mark.parametrize(
    ("changes", "code", "status", "kind"),
    [
        ({"event": "hard_bounce", "reason": " RecipientError: 550 5.1.1 mailbox unavailable"}, 550, "5.1.1", "hard"),
        ({"event": "hard_bounce", "reason": None}, 0, "", "hard"),
        ({"event": "invalid_email"}, 0, "", "hard"),
        ({"event": "soft_bounce", "reason": "452 4.2.2 mailbox full"}, 452, "4.2.2", "soft"),
        ({"event": "soft_bounce", "reason": "554 5.7.1 message looks like spam"}, 554, "5.7.1", "block"),
    ],
)
def test_bounce_carries_its_reply(changes: dict[str, Any], code: int, status: str, kind: str) -> None:
    (event,) = adapt(changes)
    assert (event.smtp_code, event.enhanced_status) == (code, status)
    assert load_bounce_classifier()(event).kind == kind


def test_outcome_of_a_campaign_says_when_that_was_sent() -> None:
    campaign = {"ts_epoch": None, "message-id": None, "date_sent": "2025-09-11 10:00:00", "ts_sent": 1757577600}
    (event,) = adapt({"event": "spam", "camp_id": 17} | campaign)
    assert (event.type, event.time_ms, event.sent) == ("complained", 1757682481000, 1757577600000)
    assert adapt({"event": "spam"})[0].sent == 0
    assert adapt({"event": "delivered"} | campaign)[0].sent == 1757577600000


def test_ids_do_not_come_from_the_webhook_whose_number_is_in_each_event() -> None:
    first = adapt({})[0].id
    assert first == adapt({"id": 5})[0].id
    others: list[dict[str, Any]] = [{"event": "spam"}, {"email": "oskar@yahoo.com"}, {"ts_epoch": 1757675282000}]
    assert len({first, *(adapt(each)[0].id for each in others)}) == 4


@pytest.mark.parametrize(
    ("changes", "campaign"),
    [
        ({}, "weekly"),
        ({"tags": None}, "weekly"),
        ({"tags": None, "tag": "sale"}, "sale"),
        ({"tags": [], "tag": "", "camp_id": 17}, "17"),
    ],
)
def test_campaign_is_the_first_tag_or_that_of_marketing_mail(changes: dict[str, Any], campaign: str) -> None:
    assert adapt(changes)[0].campaign == campaign


def test_customer_is_in_the_custom_header_or_where_the_option_says() -> None:
    (event,) = adapt({}, FormatOptions(customer="tags", stream="X-Mailin-custom.kind"))
    assert (event.customer, event.stream) == ("weekly", "receipts")
    assert adapt({"sender_email": "a@larkspur.example"}, FormatOptions(customer="from_domain"))[0].customer == (
        "larkspur.example"
    )
    with pytest.raises(AdaptError, match=r"^no customer at `X-Mailin-custom\.customer`, and no default"):
        adapt({"X-Mailin-custom": "plain"})
    assert adapt({"X-Mailin-custom": "plain"}, FormatOptions(default_customer="house"))[0].customer == "house"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"event": None}, "field `event` is missing"),
        ({"ts": None, "ts_event": None, "ts_epoch": None}, "field `ts_epoch` is missing"),
        ({"email": 5}, "field `email`: expected"),
    ],
)
def test_bad_body_is_a_clear_error(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt(changes)


@pytest.mark.parametrize(
    ("name", "kind"), [("hardBounce", "bounced"), ("uniqueOpened", None), ("Delivered", "delivered")]
)
def test_names_of_events_may_be_written_as_the_api_writes_them(name: str, kind: str | None) -> None:
    assert [event.type for event in adapt({"event": name})] == ([kind] if kind else [])
