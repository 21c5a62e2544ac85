"""Hostile messages of every format: events that can be stored, or the adapters' one error, and nothing else."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.blocklists import load_zones, not_a_listing
from schemas.event import MAX_EVENT_BYTES, MailEvent
from schemas.listing import BlocklistEvent
from schemas.providers import load_providers
from schemas.times import DAY_MS
from streams.adapt import (
    EVERY_FORMAT,
    FORMATS,
    LISTING_FORMATS,
    AdaptError,
    Context,
    FormatOptions,
    Lists,
    adapter,
    listing_adapter,
)
from streams.adapt.base import MAX_ESCAPED, ReportTrust
from streams.adapt.canonical import MAX_NAME, decode_canonical
from streams.adapt.outside import ALL_ZONES, resource_of
from streams.adapt.validate import check_time
from tests.fuzz import run as fuzz
from tests.support.adapt_bodies import DOCUMENTS, TEXTS, bodies
from tests.support.mails import report

NOW_MS = 1757675300000
CONTEXT = Context(
    b"a key",
    load_providers(),
    {name: FormatOptions(default_customer="house") for name in FORMATS},
    clock=lambda: NOW_MS,
    lists=Lists({zone.zone: zone for zone in load_zones()}),
)
DEEP = 10_000

#: Written in place of a value; JSON in spirit only.
VALUES: tuple[bytes, ...] = (
    b"null",
    b"true",
    b"0",
    b"-1",
    b"0.5",
    b"1e308",
    b"1e999",
    b"-1e999",
    b"NaN",
    b"9" * 30,
    b"9" * 4_000,
    b"9" * 5_000,
    b'""',
    b'" "',
    b'"@"',
    b'"<>"',
    b'"a@b@c.example"',
    b'"\\u0000"',
    b'"a\\u0000b@gmail.com"',
    b'"\\r\\nX-Injected: 1"',
    b'"\\ud800"',
    b'"\xff\xfe"',
    b'"\x00"',
    b'"\xed\xa0\x80"',
    b'"' + b"9" * 400 + b'"',
    b'"' + b"x" * 100_000 + b'"',
    b'"1e999"',
    b'"nan"',
    b'"-5"',
    b'"9999-12-31T23:59:59-23:59"',
    b'"0001-01-01T00:00:00+23:59"',
    b'"2025-13-45T99:99:99Z"',
    b'"\\u0663"',
    b"[]",
    b"{}",
    b"[null]",
    b"[[]]",
    b'[{"name": "customer", "value": {}}]',
    b'{"customer": "\\u0000"}',
    b'"{\\"customer\\": 1e999}"',
    b'"' + b"[" * DEEP + b'"',
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b"[" * DEEP,
)
#: Put into messages that are no JSON.
PIECES: tuple[bytes, ...] = (
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r\n",
    b"\n\n",
    b"\r\nBcc: x@y.example\r\n",
    b"\r\n--b\r\n",
    b"--=_part_7--",
    b'"',
    b"'",
    b"<>",
    b",",
    b"=",
    b"&" * 2_000,
    b"%00",
    b"%FF",
    b"%",
    b"(" * DEEP,
    b"<" * DEEP,
    b"[" * DEEP,
    b'"' * DEEP,
    b"x" * 5_000,
    b"9" * 5_000,
    b"1e999",
    b"=?utf-8?B?/////w==?=",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 50,
)


def adapted(name: str, raw: bytes) -> list[MailEvent] | list[BlocklistEvent]:
    """The events of a message of mail or of an outside blocklist monitor."""
    return listing_adapter(name)(raw, CONTEXT) if name in LISTING_FORMATS else adapter(name)(raw, CONTEXT)


def holds(name: str, raw: bytes) -> list[MailEvent] | list[BlocklistEvent]:
    """What holds for any message: events that the canonical format, or the topic of listings, takes as they are, or an
    AdaptError with a text of one line that a person can read."""
    try:
        events = adapted(name, raw)
    except AdaptError as error:
        assert str(error).strip()
        assert str(error).isprintable(), "it goes to logs and terminals"
        return []
    for event in events:
        assert check_time(event, NOW_MS, DAY_MS, DAY_MS) != ""
        if isinstance(event, BlocklistEvent):
            hold_listing(event)
            continue
        assert event.recipient == ""
        assert event.provider
        assert 0 < len(event.id) <= MAX_NAME
        assert len(event.stream) <= MAX_NAME
        assert decode_canonical(msgspec.json.encode(event)) == event
    return events


def hold_listing(event: BlocklistEvent) -> None:
    """What holds of any listing: it is about something that our own scan could be asked about, under the same name, and
    no refusal of a list is among its codes."""
    assert msgspec.json.decode(msgspec.json.encode(event), type=BlocklistEvent) == event
    assert resource_of(event.resource) == (event.kind, event.resource)
    assert event.monitor
    assert (event.zone == ALL_ZONES) == (event.type == "complete")
    assert all(zone and zone.isprintable() for zone in (event.zone, *event.zones))
    assert [code for code in event.codes if not_a_listing(code, {})] == []


def paths(document: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a document, the whole of it first."""
    yield here
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from paths(value, (*here, key))


def with_value(document: Any, path: tuple[Any, ...]) -> Callable[[bytes], bytes]:
    """The document with other bytes at a place. Only these are put in for each of many."""
    if not path:
        return bytes
    changed = copy.deepcopy(document)
    at(changed, path[:-1])[path[-1]] = "@@here@@"
    return _filled(json.dumps(changed).encode())


def without(document: Any, path: tuple[Any, ...]) -> bytes:
    changed = copy.deepcopy(document)
    del at(changed, path[:-1])[path[-1]]
    return json.dumps(changed).encode()


def doubled(document: Any, path: tuple[Any, ...]) -> Callable[[bytes], bytes]:
    """The document with a field given twice, the second time with other bytes."""
    changed = copy.deepcopy(document)
    at(changed, path[:-1])["@@again@@"] = "@@here@@"
    name = json.dumps(path[-1]).encode()
    return _filled(json.dumps(changed).encode().replace(b'"@@again@@"', name))


def _filled(form: bytes) -> Callable[[bytes], bytes]:
    return lambda value: form.replace(b'"@@here@@"', value)


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_every_format_has_good_messages_to_start_from(name: str) -> None:
    assert bodies(name)
    for body in bodies(name):
        events = holds(name, body)
        assert events
        assert len({event.id for event in events}) == len(events)
        assert [event.id for event in holds(name, body)] == [event.id for event in events]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_any_one_value_replaced_or_dropped_or_given_twice(name: str) -> None:
    for document in DOCUMENTS[name]:
        for path in paths(document):
            replaced = with_value(document, path)
            twice = doubled(document, path) if path and isinstance(path[-1], str) else None
            for value in VALUES:
                holds(name, replaced(value))
                if twice:
                    holds(name, twice(value))
            if path:
                holds(name, without(document, path))


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
def test_several_values_replaced_at_once(name: str, data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS[name])))
    values = []
    for number in range(data.draw(st.integers(2, 4))):
        inner = [path for path in paths(document) if path]
        if not inner:
            break
        path = data.draw(st.sampled_from(inner))
        at(document, path[:-1])[path[-1]] = f"@@{number}@@"
        values.append((f'"@@{number}@@"'.encode(), data.draw(st.sampled_from(VALUES))))
    raw = json.dumps(document).encode()
    for mark, value in values:
        raw = raw.replace(mark, value)
    holds(name, raw)


@pytest.mark.parametrize("name", EVERY_FORMAT)
@given(data=st.data())
def test_bytes_cut_out_put_in_or_turned_around_anywhere(name: str, data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(bodies(name)))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 60)))
        piece = data.draw(st.sampled_from(PIECES) | st.binary(max_size=8) | st.just(raw[start:end] * 2))
        raw = raw[:start] + piece + raw[end:]
    holds(name, raw)


@pytest.mark.parametrize("name", TEXTS)
def test_every_hostile_piece_at_every_word_of_a_message_that_is_no_json(name: str) -> None:
    for body in TEXTS[name]:
        words = [0, len(body), *(place for place in range(1, len(body)) if body[place : place + 1] in b" \n,=:;&")]
        for place in words:
            for piece in PIECES:
                holds(name, body[:place] + piece + body[place:])


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_message_cut_off_anywhere(name: str) -> None:
    for body in bodies(name):
        for end in range(len(body)):
            holds(name, body[:end])


@pytest.mark.parametrize("start", [b"{}\n", b"a=\n", b"--b\n"], ids=["lines", "form", "parts"])
def test_body_of_fifty_megabytes_is_refused_for_its_size(start: bytes) -> None:
    raw = start + b"\n" * 50_000_000
    for name in EVERY_FORMAT:
        with pytest.raises(AdaptError, match=f"the limit is {MAX_EVENT_BYTES:,}"):
            adapted(name, raw)


@pytest.mark.parametrize("name", EVERY_FORMAT)
@pytest.mark.parametrize(
    "unit", [b"\n", b"{}\n", b"[", b'{"a":', b'{"event":1}\n', b",", b"a=1&", b"\0", b"--b\n", b"\xff"]
)
def test_message_of_one_megabyte_of_one_thing(name: str, unit: bytes) -> None:
    holds(name, unit * (MAX_EVENT_BYTES // len(unit)))


# What would cost time or memory beyond the size of the message.


def test_many_recipients_next_to_many_tags() -> None:
    tags = [{"name": f"tag{number}", "value": "x"} for number in range(12_000)]
    named = [{"emailAddress": "a@gmail.com"}] * 12_000
    mail = {"messageId": "m", "sendingAccountId": "1", "tags": tags}
    bounce = {"bouncedRecipients": named, "timestamp": "2025-09-12T11:08:01Z"}
    raw = json.dumps({"eventType": "Bounce", "mail": mail, "bounce": bounce}).encode()
    assert len(holds("ses", raw)) == 12_000


def test_many_events_of_a_user_of_many_fields() -> None:
    event = {"event_name": "transactional_email_status", "event_data": {"status": "sent"}}
    user = {f"field{number}": "x" for number in range(8_000)} | {"events": [event] * 8_000}
    assert holds("unisender", json.dumps({"events_by_user": [user]}).encode()) == []


@pytest.mark.parametrize("name", ["user_id", "project_id", "project_name"])
def test_json_text_that_all_events_of_a_user_share_is_not_read_for_each_of_them(name: str) -> None:
    reported = {"event_name": "transactional_email_status", "event_data": {"status": "spam", "event_time": 1757675281}}
    pairs = json.dumps([{"name": f"field{number}", "value": 1} for number in range(3_000)])
    user = {"user_id": 1, name: pairs, "events": [reported] * 6_000}
    with pytest.raises(AdaptError, match=f"field `{name}`: longer than {MAX_NAME} characters"):
        adapter("unisender")(json.dumps({"events_by_user": [user]}).encode(), CONTEXT)


def test_many_recipients_next_to_many_header_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where each recipient costs a pass over all fields, it takes several times as long.
    monkeypatch.setattr(fuzz, "PATIENCE_S", 2.0)
    named = "".join(f"Final-Recipient: rfc822; r{number}@gmail.com\nAction: failed\n\n" for number in range(1_900))
    raw = report("delivery-status", "Reporting-MTA: dns; x\n" + "y:\n" * 60_000 + "\n" + named)
    assert fuzz.hold(adapter("dsn"), b"z:\n" * 60_000 + raw) == "events"
    named = "".join(f"Original-Rcpt-To: r{number}@gmail.com\n" for number in range(1_900))
    raw = report("feedback-report", "y:\n" * 40_000 + named)
    # So many of one mail are taken where the operator allows it; otherwise they are refused, as soon.
    plain = {"arf": FormatOptions(default_customer="house")}
    monkeypatch.setattr(fuzz, "CONTEXT", replace(fuzz.CONTEXT, mapping=plain))
    assert fuzz.hold(adapter("arf"), b"z:\n" * 60_000 + raw) == "refused"
    allowed = FormatOptions(default_customer="house", trust=ReportTrust(max_recipients=2_000))
    monkeypatch.setattr(fuzz, "CONTEXT", replace(fuzz.CONTEXT, mapping={"arf": allowed}))
    assert fuzz.hold(adapter("arf"), b"z:\n" * 60_000 + raw) == "events"


def test_message_that_expires_again_and_again_gives_its_recipients_once() -> None:
    began = "2025-03-03T09:11:12Z mx postfix/qmgr[1]: AB12C3: "
    deferred = [f"{began}to=<r{number}@gmail.com>, status=deferred" for number in range(900)]
    expired = [f"{began}from=<news@acme.example>, status=expired, returned to sender"] * 8_000
    events = holds("postfix", "\n".join([*deferred, *expired]).encode())
    assert len({event.recipient_hash for event in events if event.type == "expired"} - {""}) == 900
    assert len(events) == len(deferred) + 900 + len(expired) - 1


def test_many_failed_recipients_next_to_a_long_text() -> None:
    names = ",".join(f"r{number}@gmail.com" for number in range(100))
    head = f"From: Mailer-Daemon@mx.example\nDate: Mon, 3 Mar 2025 10:11:12 +0100\nX-Failed-Recipients: {names}\n\n"
    events = holds("dsn", head.encode() + b"r0@gmail.com\n  550 gone\n\n" + b" " * 950_000 + b"\nr1@gmail.com\n  no\n")
    assert [event.diagnostic for event in events if isinstance(event, MailEvent)] == ["550 gone", *[""] * 99]


def text_in_text(key: str) -> str:
    """A JSON object in the text of a JSON object and so on, ten deep: each level doubles the backslashes."""
    inner = '"x"'
    for _ in range(10):
        inner = json.dumps({key: inner})
    return inner


def test_json_in_the_text_of_json_many_times_over() -> None:
    with pytest.raises(AdaptError, match="neither an event of SES nor a message of SNS"):
        adapter("ses")(text_in_text("Message").encode(), CONTEXT)
    for name, field in (("brevo", "X-Mailin-custom"), ("mailjet", "Payload")):
        document = DOCUMENTS[name][0]
        first = document[0] if isinstance(document, list) else document
        (event,) = holds(name, json.dumps(first | {field: text_in_text("customer")}).encode())
        assert isinstance(event, MailEvent)
        assert event.customer == "house" or event.customer.startswith("{")


@pytest.mark.parametrize("steering", ["\r\nall is well", "\x1b[2J", "\u202e", "\x9b2J", "\U000e0001" * 1_000])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("canonical", {"id": "e", "time": NOW_MS, "customer": "acme", "type": "%s"}),
        ("canonical", {"id": "e", "time": NOW_MS, "customer": "acme", "type": "delivered", "feedback_type": "%s"}),
        ("listings", {"resource": "192.0.2.9", "zone": "zen.example", "status": "%s"}),
        ("kumomta", {"type": "Bounce", "id": "%s", "queue": "", "timestamp": 1757675281}),
        ("kumomta", {"type": "Bounce", "id": "k", "queue": "%s", "timestamp": 1757675281}),
        ("kumomta", {"type": "Bounce", "id": "%s", "queue": "w:acme@gmail.com"}),
    ],
)
def test_error_that_repeats_a_value_is_one_line_that_steers_no_terminal(
    name: str, message: dict[str, Any], steering: str
) -> None:
    adapt = listing_adapter(name) if name in LISTING_FORMATS else adapter(name)
    reported = {key: steering if value == "%s" else value for key, value in message.items()}
    with pytest.raises(AdaptError) as error:
        adapt(json.dumps(reported).encode(), Context(b"a key", load_providers()))
    assert str(error.value).isprintable()
    assert len(str(error.value)) <= MAX_ESCAPED


def test_error_text_stays_short_whatever_the_message_says() -> None:
    for name in DOCUMENTS:
        for document in DOCUMENTS[name]:
            for path in paths(document):
                if path:
                    raw = with_value(document, path)(b'"' + b"x" * 50_000 + b'"')
                    try:
                        adapted(name, raw)
                    except AdaptError as error:
                        assert len(str(error)) < 500


@pytest.mark.parametrize("field", [" F=<b@", ' F=<"b@', ' C="b\\', " F=<b@x> H=h [192.0.2.7"])
def test_line_of_exim_with_fields_that_nothing_ends(field: str) -> None:
    line = "2025-03-03 10:11:12 1xXa37-0006E0-15 ** iris@gmail.com" + field * (900_000 // len(field))
    assert fuzz.hold(adapter("exim"), line.encode()) in ("events", "refused", "none")
