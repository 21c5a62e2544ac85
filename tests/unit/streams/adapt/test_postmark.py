"""Postmark webhooks."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
BASE: dict[str, Any] = {
    "RecordType": "Bounce",
    "ID": 7001,
    "Type": "HardBounce",
    "TypeCode": 1,
    "MessageID": "00000000-0000-4000-8000-000000000001",
    "MessageStream": "broadcast",
    "ServerID": 4711,
    "Email": "iris@gmail.com",
    "From": "news@brightleaf.example",
    "Tag": "weekly",
    "Description": "The server was unable to deliver your message.",
    "Details": "smtp;550 5.1.1 no such account",
    "BouncedAt": "2025-09-12T07:08:01.4405263-04:00",
    "Metadata": {"customer": "brightleaf"},
}
DELIVERY: dict[str, Any] = {
    "RecordType": "Delivery",
    "Type": None,
    "ID": None,
    "Email": None,
    "BouncedAt": None,
    "Recipient": "iris@gmail.com",
    "DeliveredAt": "2025-09-12T11:08:01Z",
    "Details": "smtp;250 2.0.0 OK",
}
CHANGE: dict[str, Any] = {
    "RecordType": "SubscriptionChange",
    "Type": None,
    "ID": None,
    "Email": None,
    "BouncedAt": None,
    "Recipient": "iris@gmail.com",
    "ChangedAt": "2025-09-12T11:08:01Z",
    "Origin": "Recipient",
    "SuppressSending": True,
    "SuppressionReason": "ManualSuppression",
}


def adapt(changes: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    body = {key: value for key, value in (BASE | changes).items() if value is not None}
    mapping = {} if options is None else {"postmark": options}
    return adapter("postmark")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def test_bounce_with_all_its_fields() -> None:
    (event,) = adapt({})
    assert (event.type, event.time_ms) == ("bounced", 1757675281441)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "broadcast", "weekly")
    assert event.message_id == "00000000-0000-4000-8000-000000000001"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert event.from_domain == "brightleaf.example"
    assert (event.smtp_code, event.enhanced_status) == (550, "5.1.1")
    assert event.diagnostic == "smtp;550 5.1.1 no such account"


def test_delivery() -> None:
    (event,) = adapt(DELIVERY)
    assert (event.type, event.time_ms, event.provider) == ("delivered", 1757675281000, "gmail")
    assert (event.smtp_code, event.bounce_class) == (250, "")


def test_record_without_its_type_is_known_by_its_fields() -> None:
    """As webhooks sent it before there were modular ones."""
    bounce = {"ID": 42, "Type": "HardBounce", "MessageID": "m-1", "ServerID": 23, "Email": "iris@gmail.com",
              "BouncedAt": "2025-09-12T11:08:01Z", "Details": "550 5.1.1 none"}  # fmt: skip
    delivery = {
        "ServerId": 23,
        "MessageID": "m-1",
        "Recipient": "iris@gmail.com",
        "DeliveredAt": "2025-09-12T11:08:01Z",
    }
    context = Context(b"a key", load_providers())
    found = [event for each in (bounce, delivery) for event in adapter("postmark")(json.dumps(each).encode(), context)]
    assert [(event.type, event.customer) for event in found] == [("bounced", "23"), ("delivered", "23")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("HardBounce", "bounced"),
        ("SoftBounce", "bounced"),
        ("DnsError", "bounced"),
        ("Blocked", "bounced"),
        ("Unknown", "bounced"),
        ("Transient", "deferred"),
        ("Unsubscribe", "unsubscribed"),
        ("SpamComplaint", "complained"),
        ("ManuallyDeactivated", "suppressed"),
        ("SMTPApiError", "rejected"),
        ("TemplateRenderingFailed", "rejected"),
    ],
)
def test_what_a_bounce_is_depends_on_its_type(name: str, kind: str) -> None:
    (event,) = adapt({"Type": name})
    assert event.type == kind


@pytest.mark.parametrize(
    "changes",
    [
        {"Type": "AutoResponder"},
        {"Type": "AddressChange"},
        {"Type": "Subscribe"},
        {"Type": "ChallengeVerification"},
        {"Type": "InboundError"},
        {"RecordType": "Open", "BouncedAt": None},
        {"RecordType": "Click", "BouncedAt": None},
        {"RecordType": "Inbound", "BouncedAt": None},
        CHANGE | {"SuppressSending": False, "SuppressionReason": None},
        CHANGE | {"SuppressionReason": "HardBounce"},
        CHANGE | {"SuppressionReason": "SpamComplaint"},
        CHANGE | {"Origin": "Customer"},
        CHANGE | {"Origin": "Admin"},
    ],
)
def test_what_tells_no_fate_or_tells_it_again_is_left_out(changes: dict[str, Any]) -> None:
    assert adapt(changes) == []


def test_mail_that_came_in_has_no_type_and_no_event() -> None:
    body = b"""{"FromFull": {"Email": "iris@yahoo.com"}, "OriginalRecipient": "7f@inbound.example", "MessageStream":
    "inbound", "MessageID": "7", "Date": "Sun, 29 Nov 2026 06:01:00 +0000"}"""
    assert adapter("postmark")(body, Context(b"a key", PROVIDERS)) == []


def test_complaint_and_unsubscription() -> None:
    (complaint,) = adapt({"RecordType": "SpamComplaint", "Type": "SpamComplaint", "Details": ""})
    assert (complaint.type, complaint.feedback_type) == ("complained", "abuse")
    (change,) = adapt(CHANGE)
    assert (change.type, change.provider, change.time_ms) == ("unsubscribed", "gmail", 1757675281000)


@pytest.mark.parametrize(
    ("changes", "bounce_class", "kind"),
    [
        ({}, "invalid_recipient", "hard"),
        ({"Details": "", "Description": ""}, "invalid_recipient", "hard"),
        ({"Details": "smtp;550 5.2.1 disabled"}, "inactive_mailbox", "hard"),
        ({"Type": "SoftBounce", "Details": "smtp;452 4.2.2 mailbox full"}, "quota", "soft"),
        ({"Type": "SpamNotification"}, "spam_content", "block"),
        ({"Type": "VirusNotification"}, "virus", "block"),
        ({"Type": "DMARCPolicy"}, "auth_failure", "block"),
        ({"Type": "Blocked"}, "blocked", "block"),
        ({"Type": "BadEmailAddress"}, "invalid_recipient", "hard"),
    ],
)
def test_class_is_postmarks_where_clear(changes: dict[str, Any], bounce_class: str, kind: str) -> None:
    (event,) = adapt(changes)
    verdict = load_bounce_classifier()(event)
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)


def test_ids_are_stable_and_a_complaint_with_the_number_of_a_bounce_is_another_event() -> None:
    bounce, complaint = adapt({})[0], adapt({"RecordType": "SpamComplaint"})[0]
    assert bounce.id == adapt({"Tag": "other"})[0].id
    assert bounce.id != complaint.id
    assert adapt(DELIVERY)[0].id == adapt(DELIVERY)[0].id
    assert adapt(DELIVERY)[0].id != adapt(DELIVERY | {"Recipient": "oskar@yahoo.com"})[0].id


def test_customer_is_the_metadata_then_the_server_or_where_the_option_says() -> None:
    assert adapt({"Metadata": None})[0].customer == "4711"
    assert adapt({"Metadata": None, "ServerID": None, "ServerId": 12})[0].customer == "12"
    (event,) = adapt({}, FormatOptions(customer="MessageStream", stream="Tag"))
    assert (event.customer, event.stream) == ("broadcast", "weekly")
    with pytest.raises(AdaptError, match=r"^no customer at `Metadata\.customer` or `ServerID`, and no default"):
        adapt({"Metadata": None, "ServerID": None})
    assert adapt({"MessageStream": None})[0].stream == "default"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"RecordType": None, "BouncedAt": None}, "field `RecordType` is missing"),
        ({"BouncedAt": None}, "field `BouncedAt` is missing"),
        ({"BouncedAt": "noon"}, "the time 'noon' is neither"),
        (DELIVERY | {"DeliveredAt": None}, "field `DeliveredAt` is missing"),
        ({"Email": 5}, "field `Email`: expected"),
    ],
)
def test_bad_body_is_a_clear_error(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt(changes)
