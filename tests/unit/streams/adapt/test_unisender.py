"""Unisender Go webhooks."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
BASE: dict[str, Any] = {
    "job_id": "1uxA1B-0001Cd-Ef",
    "email": "iris@gmail.com",
    "status": "delivered",
    "event_time": "2025-09-12 11:08:01",
    "metadata": {"customer": "brightleaf", "kind": "receipts"},
}


def one(**changes: Any) -> dict[str, Any]:
    data = {key: value for key, value in (BASE | changes).items() if value is not None}
    return {"event_name": "transactional_email_status", "event_data": data}


def bounced(verdict: str | None, response: str | None = None, status: str = "hard_bounced") -> dict[str, Any]:
    return one(status=status, delivery_info={"delivery_status": verdict, "destination_response": response})


def adapt(*events: dict[str, Any], options: FormatOptions | None = None, **user: Any) -> list[MailEvent]:
    body = {"auth": "0f3a", "events_by_user": [{"user_id": 456, "events": list(events)} | user]}
    mapping = {} if options is None else {"unisender": options}
    return adapter("unisender")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt(one())
    assert (event.type, event.time_ms) == ("delivered", 1757675281000)
    assert (event.customer, event.stream) == ("brightleaf", "default")
    assert event.message_id == "1uxA1B-0001Cd-Ef"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (one(), "delivered"),
        (bounced("err_user_unknown"), "bounced"),
        (bounced("err_mailbox_full", status="soft_bounced"), "deferred"),
        (bounced("err_will_retry", status="soft_bounced"), "deferred"),
        (bounced("err_unsubscribed"), "suppressed"),
        (bounced("err_unreachable"), "suppressed"),
        (bounced("err_skip_letter", status="soft_bounced"), "suppressed"),
        (bounced("err_spam_skipped"), "suppressed"),
        (one(status="spam"), "complained"),
        (one(status="unsubscribed"), "unsubscribed"),
    ],
)
def test_event_types(event: dict[str, Any], kind: str) -> None:
    (found,) = adapt(event)
    assert found.type == kind
    assert found.feedback_type == ("abuse" if kind == "complained" else "")


@pytest.mark.parametrize(
    "event",
    [
        *(one(status=name, event_time=None) for name in ("sent", "opened", "clicked", "subscribed", "new")),
        {"event_name": "transactional_spam_block", "event_data": {"domain": "gmail.com"}},
    ],
)
def test_what_tells_no_fate_is_left_out(event: dict[str, Any]) -> None:
    assert adapt(event) == []


@pytest.mark.parametrize(
    ("event", "bounce_class", "kind"),
    [
        (bounced("err_user_unknown", "555 5.7.1 User unknown"), "invalid_recipient", "hard"),
        (bounced("err_user_inactive", "550 5.7.1 no"), "inactive_mailbox", "hard"),
        (bounced("err_domain_inactive"), "bad_domain", "hard"),
        (bounced("err_mailbox_full", "554 5.2.2 full"), "quota", "soft"),
        (bounced("err_spam_rejected", "550 Spam rejected"), "spam_content", "block"),
        (bounced("err_blacklisted", "550 no"), "blocked", "block"),
        (bounced("err_delivery_failed", "550 5.2.1 disabled"), "inactive_mailbox", "hard"),
        (bounced("err_delivery_failed"), "invalid_recipient", "hard"),
        (bounced(None), "invalid_recipient", "hard"),
    ],
)
def test_class_is_that_of_the_delivery_status_where_clear(event: dict[str, Any], bounce_class: str, kind: str) -> None:
    verdict = load_bounce_classifier()(adapt(event)[0])
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)


def test_single_event_is_read_as_one_of_many() -> None:
    body = {"event_name": "transactional_email_status", "auth": "0f3a"} | BASE
    (event,) = adapter("unisender")(json.dumps(body).encode(), Context(b"a key", PROVIDERS))
    assert event == adapt(one())[0]


def test_ids_are_stable_and_tell_the_events_of_a_message_apart() -> None:
    first = adapt(one())[0].id
    assert first == adapt(one(metadata={"customer": "other"}))[0].id
    others = [one(status="spam"), one(email="oskar@yahoo.com"), one(event_time="2025-09-12 11:08:02")]
    assert len({first, *(event.id for event in adapt(*others))}) == 4


def test_customer_is_the_metadata_then_the_project_then_the_user() -> None:
    assert adapt(one(metadata=None), project_id="p-1")[0].customer == "p-1"
    assert adapt(one(metadata=None))[0].customer == "456"
    options = FormatOptions(customer="project_name", stream="metadata.kind")
    (event,) = adapt(one(), options=options, project_name="larkspur")
    assert (event.customer, event.stream) == ("larkspur", "receipts")
    with pytest.raises(AdaptError, match=r"^record 1: no customer at `metadata\.customer` or"):
        adapt(one(metadata=[]), user_id=None)


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        ({"event_data": BASE}, "record 2: field `event_name` is missing"),
        (one(event_time=None), "record 2: field `event_time` is missing"),
        (one(event_time="noon"), "record 2: the time 'noon' is neither"),
        (one(email=5), "record 2: field `email`: expected"),
    ],
)
def test_bad_record_is_named_by_its_place(event: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt(one(), event)


@pytest.mark.parametrize(
    ("body", "field"), [(b'{"events_by_user": 5}', "events_by_user"), (b'{"events_by_user": [{}]}', "events")]
)
def test_body_of_another_shape(body: bytes, field: str) -> None:
    with pytest.raises(AdaptError, match=f"^field `{field}`: expected an array of objects"):
        adapter("unisender")(body, Context(b"a key", PROVIDERS))
