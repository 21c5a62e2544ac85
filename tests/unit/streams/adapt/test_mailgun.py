"""Mailgun webhooks, today's and the older ones in forms."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.mailgun import parts
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
BASE: dict[str, Any] = {
    "id": "Ase7i2zsRYeDXztHGENqRA",
    "event": "delivered",
    "timestamp": 1757675281.440526,
    "recipient": "iris@gmail.com",
    "domain": {"name": "mg.brightleaf.example"},
    "account": {"id": "acc-9"},
    "envelope": {
        "sender": "bounce@mg.brightleaf.example",
        "sending-ip": "192.0.2.71",
        "targets": "iris@gmail.com",
    },
    "message": {
        "headers": {
            "message-id": "20250912.1@mg.brightleaf.example",
            "from": "Brightleaf <news@brightleaf.example>",
        }
    },
    "delivery-status": {"code": 250, "message": "OK", "attempt-no": 1, "mx-host": "mx.example.net"},
    "tags": ["weekly", "sale"],
    "user-variables": {"customer": "brightleaf", "kind": "bulk"},
}
FORM: dict[str, Any] = {
    "event": "bounced",
    "recipient": "iris@gmail.com",
    "domain": "mg.brightleaf.example",
    "Message-Id": "<20250912.1@mg.brightleaf.example>",
    "code": "5.1.1",
    "error": "smtp;550 5.1.1 no such user",
    "timestamp": "1757675281",
    "token": "0f3a",
    "signature": "9b",
}


def adapt(changes: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    event = {key: value for key, value in (BASE | changes).items() if value is not None}
    body = {"signature": {"timestamp": "1757675281", "token": "0f3a", "signature": "9b"}, "event-data": event}
    mapping = {} if options is None else {"mailgun": options}
    return adapter("mailgun")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def form(changes: dict[str, Any]) -> list[MailEvent]:
    fields = {key: value for key, value in (FORM | changes).items() if value is not None}
    return adapter("mailgun")(urlencode(fields, doseq=True).encode(), Context(b"a key", PROVIDERS))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt({})
    assert (event.type, event.time_ms) == ("delivered", 1757675281441)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "default", "weekly")
    assert event.message_id == "20250912.1@mg.brightleaf.example"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert (event.sending_ip, event.from_domain) == ("192.0.2.71", "brightleaf.example")
    assert (event.smtp_code, event.diagnostic, event.mx_host) == (250, "OK", "mx.example.net")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"event": "delivered"}, "delivered"),
        ({"event": "failed", "severity": "permanent", "reason": "bounce"}, "bounced"),
        ({"event": "failed", "severity": "permanent", "reason": "generic"}, "bounced"),
        ({"event": "failed", "severity": "temporary", "reason": "generic"}, "deferred"),
        ({"event": "failed", "severity": "permanent", "reason": "suppress-bounce"}, "suppressed"),
        ({"event": "failed", "severity": "permanent", "reason": "suppress-complaint"}, "suppressed"),
        ({"event": "failed", "severity": "permanent", "reason": "suppress-unsubscribe"}, "suppressed"),
        ({"event": "failed", "severity": "permanent", "reason": "old"}, "expired"),
        ({"event": "failed", "severity": "temporary", "reason": "old"}, "expired"),
        ({"event": "rejected", "reject": {"reason": "spam"}}, "rejected"),
        ({"event": "complained"}, "complained"),
        ({"event": "unsubscribed"}, "unsubscribed"),
    ],
)
def test_event_types(changes: dict[str, Any], kind: str) -> None:
    (event,) = adapt(changes)
    assert event.type == kind
    assert event.feedback_type == ("abuse" if kind == "complained" else "")


@pytest.mark.parametrize("name", ["accepted", "opened", "clicked", "stored", "list_uploaded"])
def test_events_that_tell_no_fate_are_left_out(name: str) -> None:
    assert adapt({"event": name, "timestamp": None, "domain": None, "user-variables": None, "account": None}) == []


@pytest.mark.parametrize(
    ("status", "code", "enhanced", "kind"),
    [
        ({"code": 550, "message": "5.1.1 no such user"}, 550, "5.1.1", "hard"),
        ({"code": 550, "enhanced-code": "5.2.1", "message": "disabled"}, 550, "5.2.1", "hard"),
        ({"code": 550, "bounce-code": "5.2.1", "message": "disabled"}, 550, "5.2.1", "hard"),
        ({"code": 554, "message": "", "description": "554 5.7.1 blocked using a block list"}, 554, "5.7.1", "block"),
        ({"code": 612, "message": ""}, 0, "", "hard"),
        ({"code": 498, "message": "No MX for gmial.example"}, 0, "", "hard"),
        (None, 0, "", "hard"),
    ],
)
def test_failure_carries_the_reply(status: dict[str, Any] | None, code: int, enhanced: str, kind: str) -> None:
    (event,) = adapt({"event": "failed", "severity": "permanent", "delivery-status": status})
    assert (event.smtp_code, event.enhanced_status) == (code, enhanced)
    assert load_bounce_classifier()(event).kind == kind


@pytest.mark.parametrize(
    ("changes", "late"),
    [
        ({"severity": "permanent", "flags": {"is-delayed-bounce": True}}, True),
        ({"severity": "permanent", "flags": {"is-delayed-bounce": False}}, False),
        ({"severity": "permanent", "flags": {}}, False),
        ({"severity": "permanent"}, False),
        ({"severity": "temporary", "flags": {"is-delayed-bounce": True}}, False),
    ],
)
def test_bounce_that_came_after_the_delivery_is_marked(changes: dict[str, Any], late: bool) -> None:
    assert adapt({"event": "failed", "reason": "bounce"} | changes)[0].asynchronous == late


def test_id_is_mailguns_and_the_time_since_mailguns_is_unique_within_a_day() -> None:
    assert adapt({})[0].id == adapt({"tags": []})[0].id
    assert adapt({})[0].id != adapt({"timestamp": 1757761681.0})[0].id
    assert adapt({"id": None})[0].id == adapt({"id": None})[0].id
    assert adapt({"id": None})[0].id != adapt({"id": None, "recipient": "oskar@yahoo.com"})[0].id


def test_customer_is_the_variable_then_the_domain_then_the_account() -> None:
    assert adapt({"user-variables": None})[0].customer == "mg.brightleaf.example"
    assert adapt({"user-variables": None, "domain": None})[0].customer == "acc-9"
    (event,) = adapt({}, FormatOptions(customer="domain.name", stream="user-variables.kind"))
    assert (event.customer, event.stream) == ("mg.brightleaf.example", "bulk")
    with pytest.raises(AdaptError, match=r"^no customer at `user-variables\.customer` or"):
        adapt({"user-variables": None, "domain": None, "account": None})


def test_event_without_the_envelope_is_read_too() -> None:
    (event,) = adapter("mailgun")(json.dumps(BASE).encode(), Context(b"a key", PROVIDERS))
    assert event == adapt({})[0]


def test_form_with_all_its_fields() -> None:
    (event,) = form({"X-Mailgun-Tag": ["weekly", "sale"]})
    assert (event.type, event.time_ms, event.customer) == ("bounced", 1757675281000, "mg.brightleaf.example")
    assert (event.message_id, event.provider) == ("20250912.1@mg.brightleaf.example", "gmail")
    assert (event.smtp_code, event.enhanced_status, event.campaign) == (550, "5.1.1", "weekly")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"event": "delivered"}, "delivered"),
        ({"event": "bounced"}, "bounced"),
        ({"event": "dropped", "reason": "hardfail", "code": "605"}, "suppressed"),
        ({"event": "dropped", "reason": "old", "code": "499"}, "expired"),
        ({"event": "complained"}, "complained"),
        ({"event": "unsubscribed"}, "unsubscribed"),
    ],
)
def test_form_event_types(changes: dict[str, Any], kind: str) -> None:
    (event,) = form(changes)
    assert event.type == kind


@pytest.mark.parametrize("name", ["opened", "clicked"])
def test_forms_about_opens_and_clicks_are_left_out(name: str) -> None:
    assert form({"event": name, "timestamp": None}) == []


@pytest.mark.parametrize("turned", [False, True])
def test_senders_variables_of_the_same_name_do_not_displace_the_fields(turned: bool) -> None:
    pairs = {"event": ["bounced", "party"], "timestamp": ["1757675281", "noon"], "recipient": ["iris@gmail.com", "x"]}
    order = {name: values[::-1] if turned else values for name, values in pairs.items()}
    (event,) = form(order)
    assert (event.type, event.time_ms, event.provider) == ("bounced", 1757675281000, "gmail")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"event": None}, "field `event` is missing"),
        ({"timestamp": None}, "field `timestamp` is missing"),
        ({"recipient": 5}, "field `recipient`: expected"),
        ({"delivery-status": "late"}, "field `delivery-status`: expected"),
    ],
)
def test_bad_event_is_a_clear_error(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt(changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"event": "party"}, "form field `event` is missing: 'party' is none of Mailgun"),
        ({"event": None}, "form field `event` is missing$"),
        ({"timestamp": "noon"}, "field `timestamp` is missing"),
        ({"domain": None}, "no customer at"),
    ],
)
def test_bad_form_is_a_clear_error(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        form(changes)


def test_envelope_of_another_shape() -> None:
    with pytest.raises(AdaptError, match=r"^field `event-data`: expected an object"):
        adapter("mailgun")(b'{"event-data": 5}', Context(b"a key", PROVIDERS))


def test_page_of_the_events_api_is_read_event_by_event() -> None:
    page = {
        "items": [_event("delivered"), {"event": "failed"}, _event("complained")],
        "paging": {"next": "https://a.example"},
    }
    raw = json.dumps(page).encode()
    assert [part.count(b'"event"') for part in parts(raw)] == [1, 1, 1]
    with pytest.raises(AdaptError, match=r"^record 2: field `timestamp` is missing"):
        adapter("mailgun")(raw, Context(b"a key", PROVIDERS))
    page["items"] = [_event("delivered"), _event("complained")]
    events = adapter("mailgun")(json.dumps(page).encode(), Context(b"a key", PROVIDERS))
    assert [event.type for event in events] == ["delivered", "complained"]


def _event(name: str) -> dict[str, Any]:
    return {"event": name, "timestamp": 1757675281.5, "recipient": "iris@yahoo.com", "domain": {"name": "acme.example"}}
