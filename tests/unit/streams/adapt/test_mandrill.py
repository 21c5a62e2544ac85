"""Mailchimp Transactional (Mandrill) webhooks."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
MESSAGE: dict[str, Any] = {
    "ts": 1757675278,
    "_id": "0f3a9b0000000000000000000000aaaa",
    "email": "iris@gmail.com",
    "sender": "news@brightleaf.example",
    "tags": ["weekly", "sale"],
    "metadata": {"customer": "brightleaf", "kind": "receipts"},
    "subaccount": "sub-7",
    "state": "sent",
    "smtp_events": [
        {"ts": 1757675279, "type": "deferred", "diag": "451 4.7.1 wait", "source_ip": "192.0.2.1", "size": 0},
        {"ts": 1757675281, "type": "sent", "diag": "250 2.0.0 OK", "source_ip": "192.0.2.95", "size": 0},
    ],
}


def record(event: str | None = "delivered", **message: Any) -> dict[str, Any]:
    msg = {key: value for key, value in (MESSAGE | message).items() if value is not None}
    found = {"event": event, "ts": 1757675281, "_id": MESSAGE["_id"], "msg": msg}
    return {key: value for key, value in found.items() if value is not None}


def adapt(*records: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    mapping = {} if options is None else {"mandrill": options}
    return adapter("mandrill")(json.dumps(records).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt(record())
    assert (event.type, event.time_ms) == ("delivered", 1757675281000)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "default", "weekly")
    assert event.message_id == "0f3a9b0000000000000000000000aaaa"
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert (event.sending_ip, event.from_domain) == ("192.0.2.95", "brightleaf.example")
    assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (250, "2.0.0", "250 2.0.0 OK")


def test_form_field_and_multipart_give_what_the_bare_array_gives() -> None:
    text = json.dumps([record()])
    context = Context(b"a key", PROVIDERS)
    multipart = f'--b\r\nContent-Disposition: form-data; name="mandrill_events"\r\n\r\n{text}\r\n--b--\r\n'
    for body in (urlencode({"mandrill_events": text}).encode(), multipart.encode()):
        assert adapter("mandrill")(body, context) == adapt(record())


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (record("delivered"), "delivered"),
        (record("hard_bounce"), "bounced"),
        (record("soft_bounce"), "bounced"),
        (record("deferral"), "deferred"),
        (record("reject", reject={"reason": "hard-bounce"}), "suppressed"),
        (record("reject", reject={"reason": "unsub"}), "suppressed"),
        (record("reject", reject={"reason": "invalid-sender"}), "rejected"),
        (record("reject"), "rejected"),
        (record("spam"), "complained"),
        (record("unsub"), "unsubscribed"),
    ],
)
def test_event_types(event: dict[str, Any], kind: str) -> None:
    (found,) = adapt(event)
    assert found.type == kind
    assert found.feedback_type == ("abuse" if kind == "complained" else "")


def test_every_outcome_says_when_its_message_was_sent() -> None:
    assert adapt(record("spam"))[0].sent == MESSAGE["ts"] * 1000
    for unreadable in (None, "", "soon", -1e300):
        assert adapt(record("spam", ts=unreadable))[0].sent == 0
    assert adapt(record("delivered"))[0].sent == MESSAGE["ts"] * 1000


@pytest.mark.parametrize(
    "event",
    [
        record("send"),
        record("open"),
        record("click"),
        {"event": "inbound", "ts": 1, "msg": {}},
        {"type": "blacklist", "action": "add", "reject": {}},
    ],
)
def test_what_tells_no_fate_is_left_out(event: dict[str, Any]) -> None:
    assert adapt(event) == []


@pytest.mark.parametrize(
    ("event", "bounce_class", "kind"),
    [
        (record("hard_bounce", bounce_description="bad_mailbox", diag="smtp;550 x"), "invalid_recipient", "hard"),
        (record("hard_bounce", bounce_description="invalid_domain"), "bad_domain", "hard"),
        (record("soft_bounce", bounce_description="mailbox_full", diag="smtp;552 5.2.2 full"), "quota", "soft"),
        (record("hard_bounce", bounce_description="general", smtp_events=[]), "invalid_recipient", "hard"),
        (record("hard_bounce", diag="smtp;550 5.2.1 disabled"), "inactive_mailbox", "hard"),
        (record("soft_bounce", bounce_description="general", smtp_events=[]), "other", "soft"),
    ],
)
def test_class_is_mandrills_where_clear(event: dict[str, Any], bounce_class: str, kind: str) -> None:
    verdict = load_bounce_classifier()(adapt(event)[0])
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)


def test_ids_are_stable_and_tell_the_events_of_a_message_apart() -> None:
    first = adapt(record())[0].id
    assert first == adapt(record(tags=[]))[0].id
    later = record() | {"ts": 1757675290}
    assert len({first, *(event.id for event in adapt(record("spam"), later, record(_id="other")))}) == 4


def test_customer_is_the_meta_data_then_the_subaccount() -> None:
    assert adapt(record(metadata=None))[0].customer == "sub-7"
    options = FormatOptions(customer="msg.sender", stream="msg.metadata.kind")
    (event,) = adapt(record(), options=options)
    assert (event.customer, event.stream) == ("news@brightleaf.example", "receipts")
    with pytest.raises(AdaptError, match=r"^record 1: no customer at `msg\.metadata\.customer` or `msg\.subaccount`"):
        adapt(record(metadata=[], subaccount=None))


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (record(None), "record 2: field `event` is missing"),
        ({"event": "spam"}, "record 2: field `ts` is missing"),
        (record() | {"msg": 5}, "record 2: field `msg`: expected"),
    ],
)
def test_bad_record_is_named_by_its_place(bad: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt(record(), bad)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"events=%5B%5D", "form field `mandrill_events` is missing"),
        (b"mandrill_events=%5B", "the message is not JSON"),
    ],
)
def test_bad_form_is_a_clear_error(body: bytes, complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapter("mandrill")(body, Context(b"a key", PROVIDERS))
