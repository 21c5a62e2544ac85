"""SocketLabs event webhooks."""

import json
from typing import Any

import msgspec
import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter

PROVIDERS = load_providers()
BASE: dict[str, Any] = {
    "Type": "Delivered",
    "DateTime": "2025-09-12T11:08:01.4405260Z",
    "ServerId": 4711,
    "SubaccountId": 12,
    "IPPoolId": 7,
    "SecretKey": "hush-hush",
    "Address": "iris@gmail.com",
    "FromAddress": "news@brightleaf.example",
    "MailingId": "weekly-44",
    "MessageId": "m-1",
    "Data": {"Meta": [{"Key": "Account", "Value": "brightleaf"}], "Tags": ["Newsletter"]},
    "Response": "250 2.0.0 OK",
    "LocalIp": "192.0.2.51",
}


def adapt(changes: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    body = {key: value for key, value in (BASE | changes).items() if value is not None}
    mapping = {} if options is None else {"socketlabs": options}
    return adapter("socketlabs")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt({})
    assert (event.type, event.time_ms) == ("delivered", 1757675281441)
    assert (event.customer, event.stream, event.campaign) == ("4711", "default", "weekly-44")
    assert (event.message_id, event.recipient, event.provider) == ("m-1", "", "gmail")
    assert (event.sending_ip, event.ip_pool) == ("192.0.2.51", "7")
    assert event.from_domain == "brightleaf.example"
    assert (event.smtp_code, event.enhanced_status) == (250, "2.0.0")


def test_secret_key_is_never_kept() -> None:
    (event,) = adapt({})
    assert b"hush" not in msgspec.json.encode(event)
    with pytest.raises(AdaptError) as caught:
        adapt({"DateTime": "noon"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"Type": "Sent"}, "delivered"),
        ({"Type": "Deferred"}, "deferred"),
        ({"Type": "Failed", "FailureType": "Permanent"}, "bounced"),
        ({"Type": "Failed", "FailureType": 0}, "bounced"),
        ({"Type": "Failed", "FailureType": "Suppressed", "FailureCode": 9999}, "suppressed"),
        ({"Type": "Failed", "FailureType": 2}, "suppressed"),
        ({"Type": "Complaint"}, "complained"),
        ({"Type": "Tracking", "TrackingType": "Unsubscribe"}, "unsubscribed"),
        ({"Type": "Tracking", "TrackingType": 2}, "unsubscribed"),
    ],
)
def test_event_types(changes: dict[str, Any], kind: str) -> None:
    (event,) = adapt(changes)
    assert event.type == kind


@pytest.mark.parametrize(
    "changes",
    [
        {"Type": "Queued"},
        {"Type": "Tracking", "TrackingType": "Open"},
        {"Type": "Tracking", "TrackingType": 0},
        {"Type": "SomethingNew"},
    ],
)
def test_events_that_tell_no_fate_are_left_out(changes: dict[str, Any]) -> None:
    assert adapt(changes) == []


def test_failure_carries_status_and_diagnostic() -> None:
    (event,) = adapt(
        {
            "Type": "Failed",
            "BounceStatus": "5.1.1",
            "DiagnosticCode": "smtp;550 no",
            "Reason": "r",
            "Response": None,
        }
    )
    assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (550, "5.1.1", "smtp;550 no")
    assert (event.sending_ip, event.bounce_class) == ("", "")


@pytest.mark.parametrize(
    ("code", "kind", "bounce_class"),
    [
        (1003, "bounced", "blocked"),
        (1004, "bounced", "spam_content"),
        (1999, "bounced", ""),
        ("2001", "bounced", "invalid_recipient"),
        (2002, "bounced", "bad_domain"),
        (3001, "bounced", "quota"),
        (3003, "expired", ""),
        (4003, "expired", ""),
        (8000, "bounced", ""),
    ],
)
def test_failure_without_a_reply_is_what_the_vendors_code_says(code: object, kind: str, bounce_class: str) -> None:
    failed = {"Type": "Failed", "FailureCode": code, "FailureType": 1, "DiagnosticCode": None, "BounceStatus": None}
    (event,) = adapt(failed | {"Reason": "No server could be reached", "Response": None})
    assert (event.type, event.bounce_class) == (kind, bounce_class)


def test_reply_counts_before_the_vendors_code() -> None:
    (event,) = adapt({"Type": "Failed", "FailureCode": 2001, "FailureType": 1, "DiagnosticCode": "smtp;554 5.7.1 spam"})
    assert (event.type, event.smtp_code, event.bounce_class) == ("bounced", 554, "")


def test_question_whether_the_sender_is_a_person_is_no_bounce() -> None:
    assert adapt({"Type": "Failed", "FailureCode": 1011, "FailureType": 0}) == []


@pytest.mark.parametrize(
    ("given", "kept"), [("abuse", "abuse"), ("Not-Spam", "not-spam"), (None, "abuse"), ("x", "other")]
)
def test_complaint_keeps_its_feedback_type(given: str | None, kept: str) -> None:
    (event,) = adapt({"Type": "Complaint", "FblType": given, "FromAddress": None, "From": "news@shop.example"})
    assert (event.feedback_type, event.from_domain) == (kept, "shop.example")


def test_letter_case_of_field_names_does_not_count() -> None:
    (event,) = adapt({"ServerId": None, "ServerID": 99})
    assert event.customer == "99"


def test_customer_from_another_field_or_from_meta() -> None:
    assert adapt({}, FormatOptions(customer="SubaccountId"))[0].customer == "12"
    (event,) = adapt({}, FormatOptions(customer="meta.Account", stream="meta.Account", pool="SubaccountId"))
    assert (event.customer, event.stream, event.ip_pool) == ("brightleaf", "brightleaf", "12")


def test_record_without_a_customer_is_an_error_unless_there_is_a_default() -> None:
    with pytest.raises(AdaptError, match=r"^no value at `meta\.Account`"):
        adapt({"Type": "Complaint", "Data": None}, FormatOptions(customer="meta.Account"))
    options = FormatOptions(customer="meta.Account", default_customer="house")
    assert adapt({"Type": "Complaint", "Data": None}, options)[0].customer == "house"


def test_ids_are_stable_and_tell_the_events_of_a_message_apart() -> None:
    assert adapt({})[0].id == adapt({})[0].id
    assert adapt({})[0].id != adapt({"Type": "Failed"})[0].id


def test_array_of_records_and_the_place_of_a_bad_one() -> None:
    context = Context(b"a key", PROVIDERS)
    good = adapter("socketlabs")(json.dumps([BASE, BASE | {"Type": "Queued"}, BASE]).encode(), context)
    assert len(good) == 2
    with pytest.raises(AdaptError, match="record 2: field `Type` is missing"):
        adapter("socketlabs")(json.dumps([BASE, {}]).encode(), context)
    with pytest.raises(AdaptError, match=r"^field `datetime` is missing"):
        adapter("socketlabs")(b'{"Type": "Sent"}', context)
