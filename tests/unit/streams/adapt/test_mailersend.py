"""MailerSend webhooks."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
MAIL: dict[str, Any] = {
    "object": "email",
    "id": "mail-1",
    "from": "news@brightleaf.example",
    "status": "delivered",
    "tags": ["weekly", "sale"],
    "headers": [{"name": "X-Account", "value": "larkspur"}],
    "message": {"object": "message", "id": "message-1"},
    "recipient": {"object": "recipient", "id": "r-1", "email": "iris@gmail.com"},
}


def adapt(
    kind: object = "delivered", options: FormatOptions | None = None, domain: str | None = "dom-9", **data: Any
) -> list[MailEvent]:
    inner = {
        "object": "activity",
        "id": "activity-1",
        "type": kind,
        "created_at": "2025-09-12T11:08:01.440526Z",
        "email": MAIL,
        "morph": None,
    } | data
    body = {"type": f"activity.{kind}", "domain_id": domain, "data": inner}
    mapping = {} if options is None else {"mailersend": options}
    return adapter("mailersend")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt()
    assert (event.id, event.type, event.time_ms) == ("activity-1", "delivered", 1757675281441)
    assert (event.customer, event.stream, event.campaign) == ("dom-9", "default", "weekly")
    assert (event.message_id, event.from_domain) == ("message-1", "brightleaf.example")
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("delivered", "delivered"),
        ("hard_bounced", "bounced"),
        ("soft_bounced", "bounced"),
        ("deferred", "deferred"),
        ("spam_complaint", "complained"),
        ("unsubscribed", "unsubscribed"),
    ],
)
def test_event_types(name: str, kind: str) -> None:
    (event,) = adapt(name)
    assert event.type == kind
    assert event.feedback_type == ("abuse" if kind == "complained" else "")


@pytest.mark.parametrize("name", ["sent", "opened", "clicked", "opened_unique", "survey_opened", None, 5])
def test_events_that_tell_no_fate_are_left_out(name: object) -> None:
    assert adapt(name, domain=None, created_at=None) == []


@pytest.mark.parametrize(
    ("name", "reason", "bounce_class", "kind"),
    [
        ("hard_bounced", "550 5.1.1 no such user", "invalid_recipient", "hard"),
        ("hard_bounced", "Host or domain name not found", "invalid_recipient", "hard"),
        ("hard_bounced", None, "invalid_recipient", "hard"),
        ("hard_bounced", "550 5.2.1 disabled", "inactive_mailbox", "hard"),
        ("soft_bounced", "452 4.2.2 mailbox full", "quota", "soft"),
        ("soft_bounced", None, "other", "soft"),
    ],
)
def test_bounce_carries_its_reason(name: str, reason: str | None, bounce_class: str, kind: str) -> None:
    (event,) = adapt(name, morph={"object": "recipient_bounce", "reason": reason})
    verdict = load_bounce_classifier()(event)
    assert event.diagnostic == (reason or "")
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)


def test_event_without_id_gets_a_stable_one() -> None:
    first = adapt(id=None)[0].id
    assert first == adapt(id=None)[0].id
    assert first != adapt("spam_complaint", id=None)[0].id


def test_customer_is_the_sending_domain_or_where_the_option_says() -> None:
    assert adapt(domain=None)[0].customer == "brightleaf.example"
    options = FormatOptions(customer="data.email.headers.x-account", stream="data.email.tags")
    (event,) = adapt(options=options)
    assert (event.customer, event.stream) == ("larkspur", "weekly")
    with pytest.raises(AdaptError, match=r"^no customer at `domain_id` or `from_domain`, and no default"):
        adapt(domain=None, email={"recipient": {"email": "iris@gmail.com"}})


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"created_at": None}, "field `created_at` is missing"),
        ({"created_at": "noon"}, "the time 'noon' is neither"),
        ({"email": 5}, "field `email`: expected"),
    ],
)
def test_bad_body_is_a_clear_error(data: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt(**data)


@pytest.mark.parametrize("body", [b"{}", b'{"type": "activity.sent", "data": 5}'])
def test_body_without_data_is_an_error(body: bytes) -> None:
    with pytest.raises(AdaptError, match=r"^field `data` is missing or not an object"):
        adapter("mailersend")(body, Context(b"a key", PROVIDERS))


def test_ping_that_tries_an_address_gives_no_event() -> None:
    assert adapter("mailersend")(b'{"type":"webhook.test","message":"ping"}', Context(b"a key", PROVIDERS)) == []


@pytest.mark.parametrize("morph", [[{"reason": "550 5.2.2 full"}], {"reason": "550 5.2.2 full"}])
def test_reason_in_a_list_of_one_is_the_reason(morph: object) -> None:
    assert adapt("hard_bounced", morph=morph)[0].diagnostic == "550 5.2.2 full"


@pytest.mark.parametrize("morph", [[], None, "x", 7, [{}, {}]])
def test_event_is_not_lost_with_what_is_no_reason(morph: object) -> None:
    assert adapt("hard_bounced", morph=morph)[0].diagnostic == ""
