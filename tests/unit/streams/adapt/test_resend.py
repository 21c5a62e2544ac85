"""Resend webhooks."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
DATA: dict[str, Any] = {
    "email_id": "00000000-0000-4000-8000-000000000003",
    "created_at": "2025-09-12T11:07:58.000Z",
    "from": "Brightleaf <news@brightleaf.example>",
    "to": ["iris@gmail.com"],
    "subject": "Weekly",
    "tags": {"customer": "brightleaf", "kind": "receipts"},
    "broadcast_id": "cast-1",
}
TIME = "2025-09-12T11:08:01.440Z"


def adapt(
    kind: str | None = "delivered", options: FormatOptions | None = None, created_at: str | None = TIME, **data: Any
) -> list[MailEvent]:
    inner = {key: value for key, value in (DATA | data).items() if value is not None}
    body = {"type": kind and f"email.{kind}", "created_at": created_at, "data": inner}
    mapping = {} if options is None else {"resend": options}
    return adapter("resend")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt()
    assert (event.type, event.time_ms) == ("delivered", 1757675281440)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "default", "cast-1")
    assert event.message_id == "00000000-0000-4000-8000-000000000003"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert event.from_domain == "brightleaf.example"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("delivered", {}, "delivered"),
        ("bounced", {}, "bounced"),
        ("bounced", {"bounce": {"type": "Permanent", "subType": "Suppressed"}}, "suppressed"),
        ("delivery_delayed", {}, "deferred"),
        ("complained", {}, "complained"),
        ("suppressed", {}, "suppressed"),
        ("failed", {"failed": {"reason": "quota"}}, "rejected"),
    ],
)
def test_event_types(name: str, data: dict[str, Any], kind: str) -> None:
    (event,) = adapt(name, **data)
    assert event.type == kind
    assert event.feedback_type == ("abuse" if kind == "complained" else "")


@pytest.mark.parametrize("name", ["sent", "opened", "clicked", "scheduled", "received", "new"])
def test_events_that_tell_no_fate_are_left_out(name: str) -> None:
    assert adapt(name, created_at=None, tags=None) == []


def test_contacts_and_domains_are_left_out() -> None:
    body = b'{"type": "contact.created", "data": {"to": 5}}'
    assert adapter("resend")(body, Context(b"a key", PROVIDERS)) == []


def test_several_recipients_give_an_event_each_with_its_own_id() -> None:
    both = adapt("bounced", to=["Iris <iris@gmail.com>", "oskar@yahoo.com"])
    assert [event.recipient_domain for event in both] == ["gmail.com", "yahoo.com"]
    assert both[0].recipient_hash == adapt("bounced")[0].recipient_hash
    assert len({event.id for event in both}) == 2


def test_id_is_the_same_when_an_event_is_reported_again_but_each_delay_counts() -> None:
    later = "2025-09-12T12:00:00Z"
    assert adapt()[0].id == adapt(created_at=later)[0].id
    assert adapt()[0].id != adapt("complained")[0].id
    assert adapt("delivery_delayed")[0].id != adapt("delivery_delayed", created_at=later)[0].id


@pytest.mark.parametrize(
    ("bounce", "bounce_class", "kind"),
    [
        ({"type": "Permanent", "subType": "General", "message": "gone"}, "invalid_recipient", "hard"),
        ({"message": "The server bounced it."}, "invalid_recipient", "hard"),
        ({"type": "Transient", "subType": "MailboxFull", "message": "full"}, "quota", "soft"),
        ({"type": "Transient", "subType": "General", "message": "The server bounced it."}, "other", "soft"),
        ({"type": "Permanent", "diagnosticCode": ["smtp; 550 5.2.1 disabled"]}, "inactive_mailbox", "hard"),
    ],
)
def test_class_is_that_of_ses_where_clear_and_of_the_reply_where_there_is_one(
    bounce: dict[str, Any], bounce_class: str, kind: str
) -> None:
    (event,) = adapt("bounced", bounce=bounce)
    verdict = load_bounce_classifier()(event)
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)


def test_customer_is_the_tag_then_the_domain_of_the_sender() -> None:
    assert adapt(tags=None)[0].customer == "brightleaf.example"
    pairs = [{"name": "kind", "value": "receipts"}, {"name": "customer", "value": "larkspur"}]
    (event,) = adapt(tags=pairs, options=FormatOptions(stream="data.tags.kind"))
    assert (event.customer, event.stream) == ("larkspur", "receipts")
    with pytest.raises(AdaptError, match=r"^no customer at `data\.tags\.customer` or `from_domain`"):
        adapt(tags=None, **{"from": None})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kind": None}, "field `type` is missing"),
        ({"created_at": None}, "field `created_at` is missing"),
        ({"to": 5}, "field `data.to`: expected"),
    ],
)
def test_bad_body_is_a_clear_error(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt(**changes)
