"""SendGrid event webhooks."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

CONTEXT = Context(hash_key=b"a key", providers=load_providers())
BASE: dict[str, Any] = {
    "email": "iris@gmail.com",
    "timestamp": 1757675281,
    "smtp-id": "<abc.1@mail.brightleaf.example>",
    "sg_event_id": "ev-1",
    "sg_message_id": "14c5d75ce93.recvd",
    "event": "delivered",
    "customer": "brightleaf",
    "ip": "192.0.2.31",
    "response": "250 2.0.0 OK",
    "category": ["weekly", "sale"],
    "pool": {"name": "shared-b", "id": 210},
}


def adapt(*changes: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    body = [{key: value for key, value in (BASE | each).items() if value is not None} for each in changes]
    mapping = {} if options is None else {"sendgrid": options}
    return adapter("sendgrid")(json.dumps(body).encode(), Context(b"a key", CONTEXT.providers, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt({})
    assert (event.id, event.type, event.time_ms) == ("ev-1", "delivered", 1757675281000)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "default", "weekly")
    assert event.message_id == "abc.1@mail.brightleaf.example"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert (event.sending_ip, event.ip_pool) == ("192.0.2.31", "shared-b")
    assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (250, "2.0.0", "250 2.0.0 OK")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("delivered", "delivered"),
        ("bounce", "bounced"),
        ("dropped", "suppressed"),
        ("deferred", "deferred"),
        ("spamreport", "complained"),
        ("unsubscribe", "unsubscribed"),
        ("group_unsubscribe", "unsubscribed"),
    ],
)
def test_event_types(name: str, kind: str) -> None:
    (event,) = adapt({"event": name})
    assert event.type == kind


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Bounced Address", "suppressed"),
        ("Unsubscribed Address", "suppressed"),
        ("Spam Reporting Address", "suppressed"),
        ("Invalid", "suppressed"),
        (None, "suppressed"),
        ("Spam Content (if Spam Checker app is enabled)", "rejected"),
        ("Invalid SMTPAPI header", "rejected"),
        ("Recipient List over Package Quota", "rejected"),
    ],
)
def test_drop_is_a_refusal_where_the_message_is_at_fault(reason: str | None, kind: str) -> None:
    assert adapt({"event": "dropped", "reason": reason})[0].type == kind


@pytest.mark.parametrize("name", ["processed", "open", "click", "group_resubscribe", "account_status_change"])
def test_events_that_tell_no_fate_are_left_out(name: str) -> None:
    assert adapt({"event": name, "timestamp": None, "customer": None}) == []


def test_complaint_is_abuse_and_the_address_in_it_is_not_a_sending_one() -> None:
    (event,) = adapt({"event": "spamreport", "ip": "203.0.113.9"})
    assert (event.feedback_type, event.sending_ip) == ("abuse", "")


@pytest.mark.parametrize(
    ("changes", "bounce_class", "kind"),
    [
        ({"bounce_classification": "Invalid Address"}, "invalid_recipient", "hard"),
        ({"bounce_classification": "Reputation"}, "blocked", "block"),
        ({"bounce_classification": "Frequency or Volume Too High"}, "rate_limited", "soft"),
        ({"bounce_classification": "Mailbox Unavailable"}, "inactive_mailbox", "hard"),
        ({"bounce_classification": "Unclassified"}, "inactive_mailbox", "hard"),
        ({}, "inactive_mailbox", "hard"),
        ({"type": "blocked"}, "blocked", "block"),
        ({"type": "blocked", "bounce_classification": "Content"}, "spam_content", "block"),
        ({"type": "blocked", "bounce_classification": "Invalid Address"}, "blocked", "block"),
        ({"type": "blocked", "bounce_classification": "Technical Failure"}, "connection", "soft"),
    ],
)
def test_bounce_class_is_sendgrids_where_clear_and_a_block_is_never_hard(
    changes: dict[str, Any], bounce_class: str, kind: str
) -> None:
    bounce = {"event": "bounce", "type": "bounce", "status": "5.2.1", "reason": "550 5.2.1 disabled"}
    (event,) = adapt(bounce | changes)
    verdict = load_bounce_classifier()(event)
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)
    assert (event.smtp_code, event.enhanced_status) == (550, "5.2.1")


def test_customer_from_another_argument_then_subuser_then_default() -> None:
    options = FormatOptions(customer="account", default_customer="house", stream="kind")
    found = adapt(
        {"account": 4711, "kind": "receipts"},
        {"subuser": "sub"},
        {},
        options=options,
    )
    assert [(event.customer, event.stream) for event in found] == [
        ("4711", "receipts"),
        ("sub", "default"),
        ("house", "default"),
    ]


def test_customer_may_be_the_subuser_whatever_the_arguments_say() -> None:
    (event,) = adapt({"subuser": "sub"}, options=FormatOptions(customer="subuser"))
    assert event.customer == "sub"


def test_stream_and_pool_from_nested_arguments() -> None:
    options = FormatOptions(stream="unique_args.kind", pool="unique_args.pool")
    first, second = adapt({"unique_args": {"kind": "receipts", "pool": "own"}}, {}, options=options)
    assert (first.stream, first.ip_pool) == ("receipts", "own")
    assert (second.stream, second.ip_pool) == ("default", "shared-b")


def test_event_without_id_gets_a_stable_one() -> None:
    first, second = adapt({"sg_event_id": None}, {"sg_event_id": None, "email": "oskar@yahoo.com"})
    assert first.id == adapt({"sg_event_id": None})[0].id
    assert first.id != second.id


def test_category_may_be_one_text_and_time_may_be_text() -> None:
    (event,) = adapt({"category": "weekly", "timestamp": "1757675281"})
    assert (event.campaign, event.time_ms) == ("weekly", 1757675281000)


def test_single_object_is_read_as_a_body_of_one() -> None:
    (event,) = adapter("sendgrid")(json.dumps(BASE).encode(), CONTEXT)
    assert event.id == "ev-1"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"customer": None}, "record 2: no custom argument `customer`, no `subuser`"),
        ({"timestamp": None}, "record 2: field `timestamp` is missing"),
        ({"timestamp": "soon"}, "record 2: the time 'soon' is neither"),
        ({"event": None}, "record 2: field `event` is missing"),
        ({"email": 5}, "record 2: field `email`: expected"),
    ],
)
def test_bad_record_is_named_by_its_place(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError) as caught:
        adapt({}, changes)
    assert str(caught.value).startswith(complaint)
