"""Postal webhooks."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
MESSAGE: dict[str, Any] = {
    "id": 12345,
    "token": "0f3a9b",
    "direction": "outgoing",
    "message_id": "20250912.2@rp.brightleaf.example",
    "to": "iris@gmail.com",
    "from": "news@brightleaf.example",
    "subject": "Weekly",
    "timestamp": 1757675278.1,
    "spam_status": "NotChecked",
    "tag": "weekly",
}
PAYLOAD: dict[str, Any] = {
    "status": "Sent",
    "details": "Message sent by SMTP to mx.gmail.example (203.0.113.5) (from 2001:db8::15)",
    "output": "250 2.0.0 OK 1757675281\n",
    "time": 0.22,
    "sent_with_ssl": True,
    "timestamp": 1757675281.3,
    "message": MESSAGE,
}
BOUNCE: dict[str, Any] = {
    "original_message": MESSAGE,
    "bounce": MESSAGE | {"direction": "incoming", "to": "x@psrp.brightleaf.example", "from": None},
}


def adapt(
    name: str | None = "MessageSent",
    payload: object = PAYLOAD,
    options: FormatOptions | None = None,
    uuid: str | None = "00000000-0000-4000-8000-000000000004",
    timestamp: object = 1757675281.440526,
) -> list[MailEvent]:
    body = {"event": name, "timestamp": timestamp, "payload": payload, "uuid": uuid}
    mapping = {} if options is None else {"postal": options}
    return adapter("postal")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt()
    assert (event.id, event.type) == ("00000000-0000-4000-8000-000000000004", "delivered")
    assert event.time_ms == 1757675281300
    assert (event.customer, event.stream, event.campaign) == ("brightleaf.example", "default", "weekly")
    assert event.message_id == "20250912.2@rp.brightleaf.example"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert (event.sending_ip, event.from_domain) == ("2001:db8::15", "brightleaf.example")
    assert event.mx_host == "mx.gmail.example"
    assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (250, "2.0.0", "250 2.0.0 OK 1757675281")
    assert not event.asynchronous


@pytest.mark.parametrize(
    ("name", "changes", "kind"),
    [
        ("MessageSent", {}, "delivered"),
        ("MessageDelayed", {"status": "SoftFail"}, "deferred"),
        ("MessageDeliveryFailed", {"status": "HardFail"}, "bounced"),
        (
            "MessageDeliveryFailed",
            {"details": "Maximum number of delivery attempts (18) has been reached."},
            "expired",
        ),
        ("MessageHeld", {"details": "Recipient (iris@gmail.com) is on the suppression list"}, "suppressed"),
    ],
)
def test_event_types(name: str, changes: dict[str, Any], kind: str) -> None:
    (event,) = adapt(name, PAYLOAD | changes)
    assert event.type == kind


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("MessageLoaded", {}),
        ("MessageLinkClicked", {"url": "https://example.com"}),
        ("DomainDNSError", {"domain": "brightleaf.example"}),
        ("MessageHeld", PAYLOAD | {"details": "Credential is configured to hold all messages"}),
        ("MessageDeliveryFailed", PAYLOAD | {"message": MESSAGE | {"direction": "incoming"}}),
    ],
)
def test_what_tells_no_fate_is_left_out(name: str, payload: dict[str, Any]) -> None:
    assert adapt(name, payload) == []


@pytest.mark.parametrize("name", ["MessageBounced", "MessageDelayed"])
def test_mail_that_came_back_is_a_late_bounce_of_the_original_message(name: str) -> None:
    (event,) = adapt(name, BOUNCE)
    assert (event.type, event.asynchronous, event.provider) == ("bounced", True, "gmail")
    assert (event.message_id, event.bounce_class) == ("20250912.2@rp.brightleaf.example", "invalid_recipient")


@pytest.mark.parametrize(
    ("output", "bounce_class", "kind"),
    [
        ("550 5.1.1 no such user\n", "invalid_recipient", "hard"),
        ("554 5.7.1 message looks like spam", "spam_content", "block"),
        (None, "invalid_recipient", "hard"),
    ],
)
def test_failure_carries_the_reply(output: str | None, bounce_class: str, kind: str) -> None:
    (event,) = adapt("MessageDeliveryFailed", PAYLOAD | {"output": output, "details": "Hard failed"})
    verdict = load_bounce_classifier()(event)
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)


def test_time_of_the_request_counts_only_where_the_payload_has_none() -> None:
    assert adapt(payload=PAYLOAD | {"timestamp": None})[0].time_ms == 1757675281441


def test_event_without_uuid_gets_a_stable_id() -> None:
    assert adapt(uuid=None)[0].id == adapt(uuid=None)[0].id
    assert adapt(uuid=None)[0].id != adapt("MessageDelayed", uuid=None)[0].id


def test_customer_is_the_senders_domain_or_where_the_option_says() -> None:
    options = FormatOptions(customer="payload.message.tag", stream="payload.message.spam_status")
    (event,) = adapt(options=options)
    assert (event.customer, event.stream) == ("weekly", "NotChecked")
    with pytest.raises(AdaptError, match=r"^no customer at `from_domain`, and no default"):
        adapt(payload=PAYLOAD | {"message": MESSAGE | {"from": None}})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": None}, "field `event` is missing"),
        ({"payload": {}}, "field `message` is missing in `payload`"),
        ({"payload": 5}, "field `payload`: expected"),
        ({"timestamp": "noon", "payload": PAYLOAD | {"timestamp": None}}, "the time 'noon' is neither"),
        ({"timestamp": None, "payload": PAYLOAD | {"timestamp": None}}, "field `timestamp` is missing"),
    ],
)
def test_bad_body_is_a_clear_error(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt(**changes)


def test_every_outcome_says_when_its_message_was_sent() -> None:
    assert [adapt()[0].sent, adapt("MessageBounced", BOUNCE)[0].sent] == [1757675278100] * 2
    assert adapt(payload=PAYLOAD | {"message": MESSAGE | {"timestamp": None}})[0].sent == 0
