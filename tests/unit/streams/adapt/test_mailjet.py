"""Mailjet events."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
BASE: dict[str, Any] = {
    "event": "sent",
    "time": 1757675281,
    "MessageID": 19421777835146490,
    "Message_GUID": "00000000-0000-4000-8000-000000000002",
    "email": "iris@gmail.com",
    "mj_campaign_id": 7257,
    "mj_contact_id": 4,
    "customcampaign": "weekly",
    "smtp_reply": "sent (250 2.0.0 OK 1757675281 x - gsmtp)",
    "CustomID": "order-17",
    "Payload": '{"customer": "brightleaf", "kind": "receipts"}',
}


def adapt(*changes: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    body = [{key: value for key, value in (BASE | each).items() if value is not None} for each in changes]
    mapping = {} if options is None else {"mailjet": options}
    return adapter("mailjet")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def bounce(error: str | None, *, hard: object = True, **more: Any) -> dict[str, Any]:
    return {"event": "bounce", "smtp_reply": None, "hard_bounce": hard, "blocked": hard, "error": error} | more


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt({})
    assert (event.type, event.time_ms) == ("delivered", 1757675281000)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "default", "weekly")
    assert event.message_id == "19421777835146490"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert (event.smtp_code, event.enhanced_status) == (250, "2.0.0")
    assert event.diagnostic == "sent (250 2.0.0 OK 1757675281 x - gsmtp)"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"event": "sent"}, "delivered"),
        (bounce("user unknown"), "bounced"),
        ({"event": "blocked", "error_related_to": "recipient", "error": "preblocked"}, "suppressed"),
        ({"event": "blocked", "error_related_to": "domain", "error": "typofix"}, "suppressed"),
        ({"event": "blocked", "error_related_to": "content", "error": "bad or empty template"}, "rejected"),
        ({"event": "blocked", "error_related_to": "mailjet", "error": "duplicate in campaign"}, "rejected"),
        ({"event": "blocked", "error_related_to": "mailjet", "error": "preblocked"}, "suppressed"),
        ({"event": "blocked", "error_related_to": "spam", "error": "preblocked"}, "rejected"),
        ({"event": "spam", "source": "JMRPP"}, "complained"),
        ({"event": "unsub", "mj_list_id": 1, "ip": "203.0.113.9"}, "unsubscribed"),
    ],
)
def test_event_types(changes: dict[str, Any], kind: str) -> None:
    (event,) = adapt(changes)
    assert event.type == kind
    assert event.feedback_type == ("abuse" if kind == "complained" else "")
    assert event.sending_ip == ""


@pytest.mark.parametrize(
    ("email", "source", "provider"),
    [
        ("oskar@shop.example", "JMRPP", "microsoft"),
        ("oskar@shop.example", "Yahoo", "yahoo"),
        ("oskar@yahoo.com", "JMRPP", "yahoo"),
        ("redacted@example.invalid", "AOL", "yahoo"),
        ("oskar@shop.example", "some loop", "other"),
        ("oskar@shop.example", None, "other"),
    ],
)
def test_complaint_of_a_companys_mailbox_is_at_the_provider_whose_loop_reports_it(
    email: str, source: str | None, provider: str
) -> None:
    (event,) = adapt({"event": "spam", "email": email, "source": source})
    assert event.provider == provider


@pytest.mark.parametrize("name", ["open", "click", "something new"])
def test_events_that_tell_no_fate_are_left_out(name: str) -> None:
    assert adapt({"event": name, "time": None, "Payload": ""}) == []


@pytest.mark.parametrize(
    ("changes", "bounce_class", "kind"),
    [
        (bounce("user unknown"), "invalid_recipient", "hard"),
        (bounce("mailbox inactive"), "inactive_mailbox", "hard"),
        (bounce("invalid domain"), "bad_domain", "hard"),
        (bounce("quota exceeded", hard=False), "quota", "soft"),
        (bounce("greylisted", hard=False), "rate_limited", "soft"),
        (bounce("sender blocked", hard=False), "blocked", "block"),
        (bounce("spam content", hard=False, comment="554 5.7.1 message looks like spam"), "spam_content", "block"),
        (bounce("", hard=True), "invalid_recipient", "hard"),
        (bounce("", hard=1), "invalid_recipient", "hard"),
        (bounce("", hard=False), "other", "soft"),
        (bounce("", hard=True, comment="550 5.2.1 disabled"), "inactive_mailbox", "hard"),
    ],
)
def test_class_is_mailjets_where_clear(changes: dict[str, Any], bounce_class: str, kind: str) -> None:
    (event,) = adapt(changes)
    verdict = load_bounce_classifier()(event)
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)


def test_ids_are_stable_and_tell_the_events_of_a_message_apart() -> None:
    first = adapt({})[0].id
    assert first == adapt({"Payload": '{"customer": "other"}'})[0].id
    others: list[dict[str, Any]] = [
        {"event": "spam"},
        {"time": 1757675282},
        {"email": "oskar@yahoo.com"},
        {"MessageID": 1},
    ]
    assert len({first, *(event.id for event in adapt(*others))}) == 5


@pytest.mark.parametrize(
    ("changes", "campaign"),
    [({}, "weekly"), ({"customcampaign": ""}, "7257"), ({"customcampaign": "", "mj_campaign_id": 0}, "")],
)
def test_campaign_is_the_senders_then_mailjets(changes: dict[str, Any], campaign: str) -> None:
    assert adapt(changes)[0].campaign == campaign


def test_single_object_is_read_as_a_body_of_one() -> None:
    (event,) = adapter("mailjet")(json.dumps(BASE).encode(), Context(b"a key", PROVIDERS))
    assert event == adapt({})[0]


def test_customer_is_in_the_payload_or_where_the_option_says() -> None:
    (event,) = adapt({}, options=FormatOptions(customer="CustomID", stream="Payload.kind"))
    assert (event.customer, event.stream) == ("order-17", "receipts")
    assert adapt({"Payload": "plain"}, options=FormatOptions(default_customer="house"))[0].customer == "house"
    with pytest.raises(AdaptError, match=r"^record 1: no customer at `Payload\.customer`, and no default"):
        adapt({"Payload": "plain"})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"event": None}, "record 2: field `event` is missing"),
        ({"time": None}, "record 2: field `time` is missing"),
        ({"email": 5}, "record 2: field `email`: expected"),
    ],
)
def test_bad_record_is_named_by_its_place(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt({}, changes)
