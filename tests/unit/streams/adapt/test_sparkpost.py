"""SparkPost webhooks."""

import json
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.bounces.classify import load_bounce_classifier

PROVIDERS = load_providers()
BASE: dict[str, Any] = {
    "type": "delivery",
    "event_id": "9001",
    "timestamp": "1757675281",
    "message_id": "000443ee14578172be22",
    "transmission_id": "65832150921904138",
    "rcpt_to": "iris@gmail.com",
    "raw_rcpt_to": "Iris@gmail.com",
    "friendly_from": "news@brightleaf.example",
    "msg_from": "bounces@mail.brightleaf.example",
    "sending_ip": "192.0.2.81",
    "ip_address": "203.0.113.4",
    "ip_pool": "shared-b",
    "customer_id": "1",
    "subaccount_id": "101",
    "campaign_id": "weekly",
    "rcpt_tags": ["sale"],
    "rcpt_meta": {"customer": "brightleaf", "kind": "receipts"},
    "transactional": "1",
}


def body_of(changes: dict[str, Any], group: str = "message_event") -> dict[str, Any]:
    return {"msys": {group: {key: value for key, value in (BASE | changes).items() if value is not None}}}


def adapt(
    *changes: dict[str, Any], options: FormatOptions | None = None, group: str = "message_event"
) -> list[MailEvent]:
    mapping = {} if options is None else {"sparkpost": options}
    body = [body_of(each, group) for each in changes]
    return adapter("sparkpost")(json.dumps(body).encode(), Context(b"a key", PROVIDERS, mapping))


def test_delivery_with_all_its_fields() -> None:
    (event,) = adapt({})
    assert (event.id, event.type, event.time_ms) == ("9001", "delivered", 1757675281000)
    assert (event.customer, event.stream, event.campaign) == ("brightleaf", "default", "weekly")
    assert (event.message_id, event.stream_class) == ("000443ee14578172be22", "transactional")
    assert (event.recipient, event.recipient_domain, event.provider) == ("", "gmail.com", "gmail")
    assert (event.sending_ip, event.ip_pool, event.from_domain) == ("192.0.2.81", "shared-b", "brightleaf.example")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"type": "delivery"}, "delivered"),
        ({"type": "bounce", "bounce_class": "10"}, "bounced"),
        ({"type": "bounce", "bounce_class": 25}, "suppressed"),
        ({"type": "bounce", "bounce_class": "26"}, "suppressed"),
        ({"type": "bounce", "bounce_class": "90"}, "unsubscribed"),
        ({"type": "out_of_band", "bounce_class": "10"}, "bounced"),
        ({"type": "delay", "bounce_class": "21"}, "deferred"),
        ({"type": "policy_rejection", "reason": "550 5.7.1 [internal] not allowed"}, "rejected"),
        ({"type": "policy_rejection", "raw_reason": "554 5.7.1 [internal] Recipient Suppressed"}, "suppressed"),
        ({"type": "generation_failure"}, "rejected"),
        ({"type": "generation_rejection", "reason": "554 recipient address suppressed"}, "suppressed"),
        ({"type": "spam_complaint", "fbtype": "abuse"}, "complained"),
        ({"type": "list_unsubscribe"}, "unsubscribed"),
        ({"type": "link_unsubscribe"}, "unsubscribed"),
    ],
)
@pytest.mark.parametrize("group", ["message_event", "gen_event", "unsubscribe_event"])
def test_event_types(changes: dict[str, Any], kind: str, group: str) -> None:
    (event,) = adapt(changes, group=group)
    assert event.type == kind


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "injection"},
        {"type": "open"},
        {"type": "initial_open"},
        {"type": "click"},
        {"type": "amp_open"},
        {"type": "sms_status"},
        {"type": "relay_delivery"},
        {"type": "bounce", "bounce_class": "60"},
        {"type": "out_of_band", "bounce_class": "60"},
        {"type": "bounce", "bounce_class": "80"},
        {"type": "bounce", "bounce_class": "100"},
    ],
)
def test_what_tells_no_fate_is_left_out(changes: dict[str, Any]) -> None:
    assert adapt(changes | {"timestamp": None, "rcpt_meta": None}) == []


def test_ping_that_tests_the_address_is_left_out() -> None:
    assert adapter("sparkpost")(b'[{"msys": {}}]', Context(b"a key", PROVIDERS)) == []


def test_mail_that_came_in_is_left_out() -> None:
    body = b'[{"msys": {"relay_message": {"rcpt_to": "reply@acme.example", "content": {}}}}]'
    assert adapter("sparkpost")(body, Context(b"a key", PROVIDERS)) == []


@pytest.mark.parametrize(
    ("changes", "bounce_class", "kind"),
    [
        ({"bounce_class": "10", "raw_reason": "550 5.1.1 no"}, "invalid_recipient", "hard"),
        ({"bounce_class": "30", "raw_reason": "550 unknown"}, "invalid_recipient", "hard"),
        ({"bounce_class": "22", "raw_reason": "552 5.2.2 full"}, "quota", "soft"),
        ({"bounce_class": "50", "raw_reason": "550 5.7.1 no"}, "blocked", "block"),
        ({"bounce_class": "51", "raw_reason": "550 5.7.1 no"}, "blocked", "block"),
        ({"bounce_class": "52", "raw_reason": "550 5.7.1 no"}, "spam_content", "block"),
        ({"bounce_class": "1", "raw_reason": "550 5.2.1 disabled"}, "inactive_mailbox", "hard"),
        ({"bounce_class": None, "raw_reason": None, "error_code": "550"}, "invalid_recipient", "hard"),
    ],
)
def test_class_is_sparkposts_where_clear(changes: dict[str, Any], bounce_class: str, kind: str) -> None:
    (event,) = adapt({"type": "bounce"} | changes)
    verdict = load_bounce_classifier()(event)
    assert (verdict.bounce_class, verdict.kind) == (bounce_class, kind)


def test_reply_is_the_whole_one_and_a_late_bounce_is_marked() -> None:
    reasons = {"raw_reason": "550 5.1.1 <iris@gmail.com> unknown", "reason": "550 5.1.1 ... unknown"}
    (event,) = adapt({"type": "out_of_band", "error_code": "550"} | reasons)
    assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (550, "5.1.1", reasons["raw_reason"])
    assert event.asynchronous
    assert not adapt({"type": "bounce"})[0].asynchronous


@pytest.mark.parametrize(("given", "kept"), [("abuse", "abuse"), ("not-spam", "not-spam"), (None, "abuse")])
def test_complaint_keeps_its_feedback_type(given: str | None, kept: str) -> None:
    (event,) = adapt({"type": "spam_complaint", "fbtype": given})
    assert event.feedback_type == kept


@pytest.mark.parametrize(
    ("recipient", "host", "provider"),
    [
        ("oskar@shop.example", "arf.mail.yahoo.com", "yahoo"),
        ("oskar@shop.example", "fbl.shop.example", "other"),
        ("oskar@shop.example", None, "other"),
        ("oskar@hotmail.com", "arf.mail.yahoo.com", "microsoft"),
    ],
)
def test_complaint_of_a_companys_mailbox_is_at_the_provider_that_reports_it(
    recipient: str, host: str | None, provider: str
) -> None:
    (event,) = adapt({"type": "spam_complaint", "raw_rcpt_to": recipient, "report_by": host})
    assert event.provider == provider


def test_every_outcome_says_when_its_message_was_injected() -> None:
    injected = {"injection_time": "2025-09-11T08:00:00.000Z"}
    assert adapt({"type": "spam_complaint"} | injected)[0].sent == 1757577600000
    assert adapt({"type": "spam_complaint"})[0].sent == 0
    assert adapt(injected)[0].sent == 1757577600000


def test_event_without_id_gets_a_stable_one() -> None:
    first, second = adapt({"event_id": None}, {"event_id": None, "raw_rcpt_to": "oskar@yahoo.com"})
    assert first.id == adapt({"event_id": None})[0].id
    assert first.id != second.id


def test_customer_is_the_meta_data_then_the_subaccount_then_the_account() -> None:
    assert adapt({"rcpt_meta": None})[0].customer == "101"
    assert adapt({"rcpt_meta": None, "subaccount_id": 0})[0].customer == "1"
    assert adapt({"rcpt_meta": None, "subaccount_id": None})[0].customer == "1"
    (event,) = adapt({}, options=FormatOptions(customer="ip_pool", stream="rcpt_meta.kind", pool="rcpt_meta.kind"))
    assert (event.customer, event.stream, event.ip_pool) == ("shared-b", "receipts", "receipts")
    (event,) = adapt({}, options=FormatOptions(stream="rcpt_meta.none", pool="rcpt_meta.none"))
    assert (event.stream, event.ip_pool) == ("default", "shared-b")
    with pytest.raises(AdaptError, match=r"^record 1: no customer at `rcpt_meta\.customer` or"):
        adapt({"rcpt_meta": None, "subaccount_id": None, "customer_id": None})


def test_bare_event_is_read_too_and_time_may_be_written_out() -> None:
    body = json.dumps(BASE | {"timestamp": "2025-09-12T11:08:01.000+00:00"}).encode()
    (event,) = adapter("sparkpost")(body, Context(b"a key", PROVIDERS))
    assert event == adapt({})[0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"type": None}, "record 2: field `type` is missing"),
        ({"timestamp": None}, "record 2: field `timestamp` is missing"),
        ({"timestamp": "soon"}, "record 2: the time 'soon' is neither"),
        ({"raw_rcpt_to": 5}, "record 2: field `raw_rcpt_to`: expected"),
    ],
)
def test_bad_record_is_named_by_its_place(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=f"^{complaint}"):
        adapt({}, changes)


@pytest.mark.parametrize("body", [b'[{"msys": 5}]', b'{"msys": {"message_event": []}}'])
def test_envelope_of_another_shape(body: bytes) -> None:
    with pytest.raises(AdaptError, match=r"^field `msys`: expected an object"):
        adapter("sparkpost")(body, Context(b"a key", PROVIDERS))


def test_page_of_the_events_api_is_read_event_by_event() -> None:
    events = [body_of({})["msys"]["message_event"], body_of({"type": "spam_complaint"})["msys"]["message_event"]]
    found = adapter("sparkpost")(
        json.dumps({"results": events, "total_count": 2}).encode(), Context(b"a key", PROVIDERS)
    )
    assert [event.type for event in found] == ["delivered", "complained"]
