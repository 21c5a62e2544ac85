"""KumoMTA log records."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter, file_adapter, kumomta, kumomta_replies
from streams.adapt.canonical import hash_recipient

CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("kumomta.toml").read_text(encoding="utf-8"))[
    "case"
]
KEY = b"a key"
CONTEXT = Context(hash_key=KEY, providers=load_providers())
BASE: dict[str, Any] = {
    "type": "Delivery",
    "id": "1d98076abbbc11ed940250ebf67f93bd",
    "sender": "bounce@mail.brightleaf.example",
    "recipient": "iris@gmail.com",
    "queue": "weekly:brightleaf@gmail.com",
    "site": "source2->mx.gmail.example",
    "size": 1047,
    "response": {
        "code": 250,
        "enhanced_code": {"class": 2, "subject": 0, "detail": 0},
        "content": "OK",
        "command": ".",
    },
    "timestamp": 1757675281,
    "event_time": "2025-09-12T11:08:01.440526026Z",
    "num_attempts": 0,
    "bounce_classification": "Uncategorized",
    "egress_pool": "pool0",
    "source_address": {"address": "192.0.2.10:53210"},
    "feedback_report": None,
    "meta": {},
    "headers": {"From": "Brightleaf <news@brightleaf.example>"},
}


def adapt(changes: dict[str, Any], options: FormatOptions | None = None) -> list[MailEvent]:
    context = CONTEXT if options is None else Context(KEY, CONTEXT.providers, {"kumomta": options})
    return adapter("kumomta")(json.dumps(BASE | changes).encode(), context)


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_record(case: dict[str, Any]) -> None:
    events = adapt(json.loads(case["record"]))
    if case["expect"] == "none":
        assert events == []
        return
    (event,) = events
    assert {name: getattr(event, name) for name in case["expect"]} == case["expect"]
    assert event.recipient == ""


def test_each_recipient_of_a_batch_is_an_event_of_its_own() -> None:
    events = adapt({"recipient": ["a@gmail.com", "b@yahoo.com", "a@gmail.com"]})
    assert [event.provider for event in events] == ["gmail", "yahoo", "gmail"]
    assert len({event.id for event in events}) == 3
    assert events[1].recipient_hash == hash_recipient("b@yahoo.com", KEY)


def test_ids_are_stable_and_differ_between_attempts() -> None:
    first, again = adapt({"type": "TransientFailure"}), adapt({"type": "TransientFailure"})
    later = adapt({"type": "TransientFailure", "num_attempts": 1})
    assert first[0].id == again[0].id
    assert first[0].id != later[0].id
    assert first[0].id != adapt({})[0].id


def test_record_without_a_tenant_is_an_error_that_names_it() -> None:
    with pytest.raises(AdaptError, match=r"record Delivery 1d98\w+: no tenant in queue `gmail\.com`"):
        adapt({"queue": "gmail.com"})


def test_default_customer_takes_records_without_a_tenant() -> None:
    options = FormatOptions(default_customer="house")
    assert adapt({"queue": "gmail.com"}, options)[0].customer == "house"
    assert adapt({}, options)[0].customer == "brightleaf"


def test_customer_stream_and_pool_from_meta_fields() -> None:
    options = FormatOptions(customer="meta.account", stream="meta.kind", pool="meta.kind")
    (event,) = adapt({"meta": {"account": 4711, "kind": "receipts"}}, options)
    assert (event.customer, event.stream, event.ip_pool) == ("4711", "receipts", "receipts")
    with pytest.raises(AdaptError, match=r"no value at `meta\.account`"):
        adapt({}, options)


def test_option_that_is_no_place_is_named() -> None:
    with pytest.raises(AdaptError, match="the option `tenants` is not a place"):
        adapt({}, FormatOptions(customer="tenants"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"type": 5}, r"field `type`: expected `str`, got `int`"),
        ({"recipient": 5}, r"field `recipient`: expected"),
        ({"timestamp": None, "event_time": None}, "neither `event_time` nor `timestamp`"),
        ({"event_time": "yesterday"}, "field `event_time`: invalid RFC3339"),
        ({"queue": f"c:{'x' * 300}@gmail.com"}, "field `customer`: has 300 bytes"),
    ],
)
def test_bad_record_says_what_is_wrong(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError, match=complaint):
        adapt(changes)


@pytest.mark.parametrize("header", ["(" * 5_000, "<" * 5_000, "<(" * 2_500])
def test_from_header_made_to_nest_without_end_gives_way_to_the_envelope_sender(header: str) -> None:
    (event,) = adapt({"headers": {"From": header}})
    assert event.from_domain == "mail.brightleaf.example"


def test_error_repeats_no_more_of_a_value_than_can_be_read() -> None:
    with pytest.raises(AdaptError, match="no tenant in queue") as caught:
        adapt({"queue": "(" * 5_000, "id": "x" * 5_000})
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("arrival_date", "sent"), [("2025-12-01T08:00:00Z", 1_764_576_000_000), ("some day", 0), (None, 0)]
)
def test_complaint_says_when_its_message_came_in(arrival_date: str | None, sent: int) -> None:
    report = {"feedback_type": "abuse", "original_rcpto_to": ["r@yahoo.com"], "arrival_date": arrival_date}
    (event,) = adapt({"type": "Feedback", "feedback_report": report})
    assert (event.type, event.sent) == ("complained", sent)


@pytest.mark.parametrize("kind", ["Delivery", "Bounce", "TransientFailure", "Expiration", "Rejection"])
def test_message_was_sent_when_it_came_in_here(kind: str) -> None:
    assert adapt({"type": kind, "created": 1757671200})[0].sent == 1757671200_000
    assert adapt({"type": kind})[0].sent == 0
    assert adapt({"type": kind, "created": "2025-09-12T10:00:00Z"})[0].sent == 1757671200_000
    assert adapt({"type": kind, "created": 1757671200_000})[0].sent == 1757671200_000
    assert adapt({"type": kind, "created": "soon"})[0].sent == 0


def test_bounce_mail_came_in_later_than_what_it_is_about() -> None:
    assert adapt({"type": "OOB", "created": 1757671200})[0].sent == 0


@pytest.mark.parametrize("as_bytes", [False, True])
def test_customer_of_a_complaint_is_found_in_the_mail_that_is_logged_with_it(as_bytes: bool) -> None:
    message = "From: News <news@larkspur.example>\r\nFeedback-ID: camp7:acme:bulk:esp1\r\n\r\nHello"
    logged = list(message.encode()) if as_bytes else message
    record = {"type": "Feedback", "feedback_report": {"feedback_type": "abuse", "original_message": logged}}
    (event,) = adapt(record, FormatOptions(customer=("meta.customer", "feedback-id.2")))
    assert event.customer == "acme"


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "OOB", "sender": "bounce+acme+iris=gmail.com@b.example.net", "queue": "b.example.net"},
        {
            "type": "Feedback",
            "sender": "fbl@reports.example",
            "queue": "reports.example",
            "feedback_report": {"original_mail_from": "<bounce+acme+iris=gmail.com@b.example.net>"},
        },
    ],
)
def test_customer_of_what_comes_back_is_found_in_its_envelope_sender(changes: dict[str, Any]) -> None:
    (event,) = adapt(changes, FormatOptions(customer=("tenant", "verp:bounce+{}+*@*")))
    assert event.customer == "acme"
    assert adapt(changes, FormatOptions(customer=("tenant", "sender")))[0].customer == "b.example.net"
    with pytest.raises(AdaptError, match=r"no tenant in queue .* `verp:PATTERN` or another place"):
        adapt(changes)


@pytest.mark.parametrize("value", ["acme", ["acme"]])
def test_customer_in_a_header_field_that_is_logged(value: Any) -> None:
    options = FormatOptions(customer="header.x-customer-id")
    assert adapt({"headers": {"X-Customer-ID": value, "Subject": "Hi"}}, options)[0].customer == "acme"
    with pytest.raises(AdaptError, match="more than once"):
        adapt({"headers": {"X-Customer-ID": ["acme", "larkspur"]}}, options)
    # Those of an out-of-band record are the bounce mail's own.
    with pytest.raises(AdaptError, match="no value at"):
        adapt({"type": "OOB", "headers": {"X-Customer-ID": value}}, options)


# --- one log, in order ---

REFUSED = {
    "type": "TransientFailure",
    "response": {
        "code": 421,
        "enhanced_code": {"class": 4, "subject": 7, "detail": 0},
        "content": "[TSS04] Messages from 192.0.2.10 temporarily deferred due to user complaints",
    },
    "peer_address": {"name": "mta5.yahoo.example.", "addr": "192.0.2.25"},
}
NO_ANSWER = {"type": "TransientFailure", "response": {"code": 400, "content": "KumoMTA internal: failed to connect"}}
EXPIRED = {
    "type": "Expiration",
    "response": {
        "code": 551,
        "enhanced_code": {"class": 5, "subject": 4, "detail": 7},
        "content": "Next delivery time would be 7d after creation, which exceeds max_age=7d",
    },
}


def in_order(*records: dict[str, Any]) -> list[MailEvent]:
    read = file_adapter("kumomta")
    return [event for each in records for event in read(json.dumps(BASE | each).encode(), CONTEXT)]


@pytest.mark.parametrize(
    "before",
    [
        [REFUSED],
        [NO_ANSWER, REFUSED],
        [REFUSED, NO_ANSWER],
        [REFUSED, {**NO_ANSWER, "recipient": "juno@gmail.com"}],
        [REFUSED, {**NO_ANSWER, "id": "another"}],
        [{**REFUSED, "recipient": ["juno@gmail.com", "iris@gmail.com"]}],
    ],
)
@pytest.mark.parametrize("end", [EXPIRED, {**EXPIRED, "type": "Bounce", "peer_address": None}])
def test_expiry_carries_the_last_reply_of_a_host(before: list[dict[str, Any]], end: dict[str, Any]) -> None:
    last = in_order(*before, end)[-1]
    assert (last.type, last.smtp_code, last.enhanced_status) == ("expired", 421, "4.7.0")
    assert last.diagnostic.startswith("[TSS04]")
    assert last.mx_host == "mta5.yahoo.example."


@pytest.mark.parametrize("before", [[], [{**REFUSED, "id": "another"}], [REFUSED, {}], [REFUSED, EXPIRED]])
def test_expiry_without_a_reply_says_what_kumomta_says(before: list[dict[str, Any]]) -> None:
    last = in_order(*before, EXPIRED)[-1]
    assert (last.type, last.smtp_code, last.enhanced_status) == ("expired", 551, "5.4.7")


def test_host_that_answers_when_it_gives_up_keeps_its_answer() -> None:
    last = in_order(REFUSED, {**REFUSED, "type": "Bounce", "response": {"code": 450, "content": "4.2.1 busy"}})[-1]
    assert (last.type, last.smtp_code, last.diagnostic) == ("expired", 450, "4.2.1 busy")


def test_memory_of_replies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kumomta_replies, "MAX_REPLIES", 10)
    log = kumomta.LogFile()
    for number in range(100):
        log.adapt(json.dumps(BASE | REFUSED | {"id": str(number)}).encode(), CONTEXT)
    assert len(log.memory) <= 10
    assert log.adapt(json.dumps(BASE | EXPIRED | {"id": "99"}).encode(), CONTEXT)[0].smtp_code == 421


@pytest.mark.parametrize("together", [False, True])
def test_worker_that_keeps_replies_gives_the_last_one_to_what_expired(
    together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it reads a topic, message by message or many at once, and a message twice where others are in the way."""
    monkeypatch.setattr(kumomta_replies, "MAX_KEPT_REPLIES", 10)
    context = replace(CONTEXT, hash_all=False, replies={})

    def read(*records: dict[str, Any]) -> list[MailEvent]:
        raws = [json.dumps(BASE | each).encode() for each in records]
        if not together:
            return [event for raw in raws for event in adapter("kumomta")(raw, context)]
        found = kumomta.adapt_all(raws, context)
        assert found is not None
        return found[0]

    read(REFUSED, NO_ANSWER, {"id": "another"})
    for _ in range(2):
        expired, without = read(EXPIRED, {**EXPIRED, "id": "unknown"})
        assert (expired.type, expired.smtp_code, expired.mx_host) == ("expired", 421, "mta5.yahoo.example.")
        assert expired.diagnostic.startswith("[TSS04]")
        assert without.smtp_code == 551
    read(*({**REFUSED, "id": f"{number}"} for number in range(100)))
    assert context.replies is not None and len(context.replies) <= 10


def test_array_of_records_is_read_in_order() -> None:
    records = [BASE | REFUSED, BASE | {"type": "Reception"}, BASE | EXPIRED]
    events = adapter("kumomta")(json.dumps(records).encode(), CONTEXT)
    assert [(event.type, event.smtp_code) for event in events] == [("deferred", 421), ("expired", 421)]


def test_many_records_at_once_are_those_of_each_by_itself() -> None:
    records = [json.loads(case["record"]) for case in CASES]
    raws = [json.dumps(BASE | each).encode() for each in records if each.get("recipient") != 7]
    context = replace(CONTEXT, hash_all=False)
    found = kumomta.adapt_all(raws, context)
    assert found is not None
    each_by_itself = [event for raw in raws for event in adapter("kumomta")(raw, context)]
    assert [(event.id, event.type, event.customer) for event in found[0]] == [
        (event.id, event.type, event.customer) for event in each_by_itself
    ]


def test_reply_that_no_event_may_hold_is_not_taken_for_a_later_one() -> None:
    log = kumomta.LogFile()
    with pytest.raises(AdaptError, match="NUL"):
        log.adapt(json.dumps(BASE | REFUSED | {"response": {"code": 421, "content": "4.7.0 a\0b"}}).encode(), CONTEXT)
    (event,) = log.adapt(json.dumps(BASE | EXPIRED).encode(), CONTEXT)
    assert (event.type, event.smtp_code) == ("expired", 551)


FIELDS: dict[str, list[Any]] = {
    "type": ["Delivery", "Delivery", "TransientFailure", "Expiration", "Bounce"],
    "id": ["1d98", "a\\b", ""],
    "sender": ["bounce@mail.brightleaf.example", "", None, "<Bounce@B.Example.>"],
    "recipient": ["iris@gmail.com", " <Iris@Yahoo.COM.> ", "iris", "", "@", "a@b@c.example", ["a@gmx.de", "b@b.de"]],
    "queue": ["weekly:brightleaf@gmail.com", "brightleaf@gmail.com", "a:b:c@x@gmail.com", "w: @g.com", "g.com", None],
    "egress_pool": ["pool0", " p ", "", None, "p\u0007"],
    "event_time": ["2025-09-12T11:08:01.440526026Z", "2025-09-12T13:08:01.4405+02:00", "2025-09-12T11:08:01", None],
    "timestamp": [1757675281, 1757675281.5, None],
    "created": [1757675280, 1757675280.25, 1757675280250, "2025-09-12T11:08:00.25Z", "soon", 0, None],
    "num_attempts": [0, 3, None],
    "source_address": [{"address": each} for each in ("192.0.2.10:53210", "[2001:db8::1]:25", "2001:db8::1", None)],
    "peer_address": [{"name": "alt1.aspmx.l.google.com."}, {"name": None}, {"name": "mx.gmx.de"}, None],
    "response": [
        {"code": 250, "enhanced_code": {"class": 2, "subject": 0, "detail": 0}, "content": "OK é"},
        {"code": 421, "content": "4.7.0 [TSS04] later"},
        {"code": 1250, "content": "KumoMTA internal: no answer"},
        {"code": -1, "content": "a\0b"},
        None,
    ],
    "headers": [{"From": "B <news@brightleaf.example>"}, {"From": ["x"]}, {"From": 5}, {"From": " "}, {}, None],
    "delivery_protocol": ["ESMTP", "ESMTP", None, "Maildir"],
    "reception_protocol": ["ESMTP", None, "LogRecord"],
    "meta": [{}, {"tenant": "other"}, None],
}  # fmt: skip


@given(
    st.lists(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in FIELDS.items()}), max_size=5),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=200)
def test_usual_record_is_read_as_any_other(records: list[dict[str, Any]], hash_all: bool, keeps: bool) -> None:
    """An option that names a place where nothing is leads past the few steps that usual records take."""
    events, memories = [], []
    for options in (FormatOptions(), FormatOptions(stream="meta.nothing")):
        replies: dict[str, Any] | None = {} if keeps else None
        context = replace(CONTEXT, mapping={"kumomta": options}, hash_all=hash_all, replies=replies)
        log, found = kumomta.LogFile(), list[list[MailEvent] | str]()
        for each in records:
            try:
                found.append(log.adapt(json.dumps(each, ensure_ascii=False).encode(), context))
            except AdaptError as error:
                found.append(str(error))
        events.append(found)
        memories.append((log.memory, replies))
    assert events[0] == events[1]
    assert memories[0] == memories[1]


@pytest.mark.parametrize(
    "changes",
    [{"timestamp": "1757675281"}, {"response": {"code": "250", "content": "OK"}}, {"meta": []}, {"peer_address": []}],
)
def test_record_is_read_though_a_log_shipper_changed_types(changes: dict[str, Any]) -> None:
    (event,) = adapt(changes)
    assert event.type == "delivered"


def test_record_is_read_within_that_of_a_log_shipper() -> None:
    shipped = {"message": json.dumps(BASE), "source_type": "file", "timestamp": "2025-09-12T11:08:01Z"}
    (event,) = adapter("kumomta")(json.dumps(shipped).encode(), CONTEXT)
    assert event == adapt({})[0]
