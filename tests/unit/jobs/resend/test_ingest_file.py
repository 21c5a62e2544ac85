"""Reading log files and saved webhook bodies, and the examples that come with the project."""

import io
import json
from collections import Counter
from typing import Any

import msgspec
import pytest

from jobs.resend.bad_records import BadRecord
from jobs.resend.ingest_file import Event, moved_to, read_events, send_file
from schemas.event import MAX_EVENT_BYTES, MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context
from streams.bounces.classify import load_bounce_classifier
from tests.support.mails import report
from tests.support.root import ROOT

EXAMPLES = ROOT / "docs" / "examples"
CONTEXT = Context(hash_key=b"a key", providers=load_providers())


def canonical(number: int, **changes: Any) -> bytes:
    event = {
        "id": f"e{number}",
        "type": "delivered",
        "time": 1757675281000 + number,
        "customer": "brightleaf",
    }
    return json.dumps(event | changes).encode()


def read(text: bytes, name: str = "canonical") -> list[Event | BadRecord]:
    return list(read_events(io.BytesIO(text), name, CONTEXT))


def sendgrid(number: int, **changes: Any) -> dict[str, Any]:
    return {"sg_event_id": f"e{number}", "event": "delivered", "timestamp": 1, "customer": "c"} | changes


def outcome(found: list[Event | BadRecord]) -> list[str]:
    return [str(each) if isinstance(each, BadRecord) else each.id for each in found]


def test_bad_lines_are_reported_in_place_and_cost_only_themselves() -> None:
    text = b"\n".join([canonical(1), b"", b"oops", canonical(2, customer=""), canonical(3)])
    first, *bad, last = outcome(read(text))
    assert (first, last) == ("e1", "e3")
    assert bad[0].startswith("line 3: the message is not JSON")
    assert bad[1] == "line 4: field `customer`: must not be empty"


def test_line_ends_of_windows_and_a_byte_order_mark_are_accepted() -> None:
    assert outcome(read(b"\xef\xbb\xbf" + canonical(1) + b"\r\n" + canonical(2))) == ["e1", "e2"]


def test_line_over_the_limit_is_passed_over() -> None:
    limit = MAX_EVENT_BYTES
    fits = canonical(1, campaign="").ljust(limit)
    text = b"\n".join([fits, b"x" * (limit + 1), b"y" * (3 * limit), canonical(2)])
    assert outcome(read(text)) == [
        "e1",
        "line 2: the line is longer than 1,000,000 bytes",
        "line 3: the line is longer than 1,000,000 bytes",
        "e2",
    ]


def test_webhook_file_with_a_body_a_line() -> None:
    lines = [[sendgrid(1), sendgrid(2)], sendgrid(3), [sendgrid(4), {}, sendgrid(5)]]
    text = b"\n".join(json.dumps(each).encode() for each in lines) + b"\nbroken\n"
    found = outcome(read(text, "sendgrid"))
    assert found[:4] == ["e1", "e2", "e3", "e4"]
    assert found[4] == "line 3, record 2: field `event` is missing"
    assert found[5] == "e5"
    assert found[6].startswith("line 4: the message is not JSON")


@pytest.mark.parametrize("indent", [None, 2])
def test_webhook_file_of_one_body(indent: int | None) -> None:
    text = json.dumps([sendgrid(1), sendgrid(2, customer=""), sendgrid(3)], indent=indent).encode()
    found = outcome(read(text, "sendgrid"))
    assert (found[0], found[2]) == ("e1", "e3")
    assert found[1].startswith("line 1, record 2: ")


def test_webhook_body_may_be_larger_than_one_event() -> None:
    records = [sendgrid(number, filler="x" * 1000) for number in range(1100)]
    text = json.dumps(records).encode()
    assert len(text) > MAX_EVENT_BYTES
    assert len(read(text, "sendgrid")) == 1100


def test_broken_first_line_does_not_hide_the_rest() -> None:
    text = b"[{\n" + json.dumps([sendgrid(1)]).encode() + b"\n" + json.dumps(sendgrid(2)).encode()
    found = outcome(read(text, "sendgrid"))
    assert found[0].startswith("line 1: the message is not JSON")
    assert found[1:] == ["e1", "e2"]


@pytest.mark.parametrize("name", ["canonical", "kumomta", "sendgrid", "socketlabs"])
@pytest.mark.parametrize("text", [b"", b"\n \n"])
def test_empty_file_has_no_records(name: str, text: bytes) -> None:
    assert read(text, name) == []


def test_earlier_lines_of_a_log_tell_who_sent_a_message() -> None:
    lines = [
        "2025-03-03T10:11:11Z mx1 postfix/qmgr[7]: AB12C3: from=<n@acme.example>, size=9, nrcpt=1 (queue active)",
        "2025-03-03T10:11:12Z mx1 postfix/smtp[8]: AB12C3: to=<a@b.example>, dsn=2.0.0, status=sent (250 ok)",
        "no log line",
    ]
    event, bad = read("\n".join(lines).encode(), "postfix")
    assert isinstance(event, MailEvent)
    assert event.customer == "acme.example"
    assert str(bad) == "line 3: 'no log line' does not begin like a line of a system log"


def test_header_line_of_a_csv_file_names_the_columns_of_all_others() -> None:
    text = b"type,timeLogged,vmta,rcpt\r\nd,1740993072,acme,i@x.example\r\nd,1,2\r\nd,1740993073,acme,j@x.example\r\n"
    first, bad, last = read(text, "powermta")
    assert str(bad) == "line 3: the record has 3 fields, the header line has 4"
    assert [each.customer for each in (first, last) if isinstance(each, MailEvent)] == ["acme", "acme"]


def test_bad_recipient_of_a_notification_costs_itself_alone_in_files_too() -> None:
    good, bad = (f"Final-Recipient: rfc822; {name}\nAction: failed\nStatus: 5.1.1\n" for name in ("a@b.example", ""))
    raw = report("delivery-status", f"Reporting-MTA: dns; mx.b.example\n\n{good}\n{bad}")
    for text in (raw, b"From x Mon Mar  3 10:11:12 2025\n" + raw):
        event, left = read(text, "dsn")
        assert isinstance(event, MailEvent)
        assert event.recipient_domain == "b.example"
        assert str(left).endswith(" 1, record 2: neither `Original-Recipient` nor `Final-Recipient` is an address")


def test_file_of_a_mail_format_is_one_mail() -> None:
    raw = report("feedback-report", "Feedback-Type: abuse\n\n")
    (event,) = read(raw, "arf")
    assert isinstance(event, MailEvent)
    assert event.type == "complained"
    assert outcome(read(b"", "dsn")) == ["line 1: the message is empty"]
    assert outcome(read(raw + b"x" * MAX_EVENT_BYTES, "arf")) == [event.id], "of a large one the beginning is enough"


def test_mailbox_file_is_read_mail_by_mail() -> None:
    raw = report("feedback-report", "Feedback-Type: abuse\n\n")
    first = b"From fbl@harbour.example Mon Mar  3 09:11:12 2025\n"
    large = raw + b"x\n" * MAX_EVENT_BYTES
    bad = report("feedback-report", "Feedback-Type: abuse\n", original="")
    found = outcome(read(b"\n".join(first + each for each in [large, bad, raw]), "arf"))
    assert [each.split(":")[0] for each in found] == [found[0], "mail 2", found[0]]


def test_line_ends_in_quotes_end_no_record() -> None:
    columns = b"type,timeLogged,orig,rcpt,dsnDiag,vmta\n"
    good = b'b,2025-03-03 09:11:12+0000,b@acme.example,a%d@b.example,"550 no\r\n\r\n550 such",acme\n'
    stray = b'b,2025-03-03 09:11:12+0000,b@acme.example,a%d@b.example,550 5" no,acme\n'
    found = read(columns + good % 1 + stray % 2 + good % 3 + b'b,"oops\n' + good % 4, "powermta")
    assert [each.line if isinstance(each, BadRecord) else each.type for each in found] == [
        "bounced", "bounced", "bounced", 9, "bounced",
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["array", "lines", "joined"])
def test_log_of_json_may_go_over_several_lines(written: str) -> None:
    events = [json.loads(canonical(number)) for number in (1, 2, 3)]
    events[1]["customer"] = ""
    text = {
        "array": json.dumps(events, indent=2),
        "lines": "[\n" + ",\n".join(map(json.dumps, events)) + "\n]\n",
        "joined": "\n".join(json.dumps(each, indent=2) for each in events),
    }[written]
    bad = "line 1, record 2: field `customer`: must not be empty"
    assert outcome(read(text.encode())) == ["e1", bad, "e3"]


def test_log_whose_first_line_is_cut_is_read_line_by_line() -> None:
    text = canonical(1)[:-1] + b"\n" + canonical(2) + b"\n" + canonical(3)
    first, *others = outcome(read(text))
    assert first.startswith("line 1: the message is not JSON")
    assert others == ["e2", "e3"]


def test_joined_objects_over_several_lines_are_read() -> None:
    """As a saved body of Amazon Data Firehose may be."""
    text = b"".join(json.dumps(sendgrid(number), indent=2).encode() for number in (1, 2, 3))
    assert outcome(read(text, "sendgrid")) == ["e1", "e2", "e3"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_form_in_parts_is_one_body_with_its_blank_lines(end: str) -> None:
    fields = {"event": "complained", "recipient": "iris@yahoo.com", "domain": "acme.example", "timestamp": "1757675281"}
    parts = "".join(
        f'--b\nContent-Disposition: form-data; name="{name}"\n\n{value}\n' for name, value in fields.items()
    )
    (event,) = read((parts + "--b--\n").replace("\n", end).encode(), "mailgun")
    assert isinstance(event, MailEvent)
    assert (event.type, event.customer, event.provider) == ("complained", "acme.example", "yahoo")


def test_unknown_format_is_refused_before_reading() -> None:
    with pytest.raises(AdaptError, match="unknown format `mbox`"):
        read_events(io.BytesIO(b""), "mbox", CONTEXT)


def test_events_are_sent_under_their_customer_as_canonical_json() -> None:
    messages: list[tuple[bytes, bytes]] = []
    text = b"\n".join([canonical(1, customer="é", recipient="a@gmail.com"), b"oops", canonical(2, type="expired")])
    sent = send_file(read_events(io.BytesIO(text), "canonical", CONTEXT), lambda *pair: messages.append(pair))
    assert (sent.events, sent.bad.count, dict(sent.by_type)) == (2, 1, {"delivered": 1, "expired": 1})
    assert [each.first.line for each in sent.bad.reasons] == [2]
    assert [key for key, _ in messages] == ["é".encode(), b"brightleaf"]
    assert b"a@gmail.com" not in messages[0][1]
    assert read(messages[0][1]) == read(canonical(1, customer="é", recipient="a@gmail.com"))


def test_moving_in_time_keeps_the_distances() -> None:
    found = list(moved_to(read(canonical(10) + b"\nbad\n" + canonical(25)), 5_000))
    times = [each.time_ms for each in found if isinstance(each, MailEvent)]
    assert times == [5_000, 5_015]
    assert isinstance(found[1], BadRecord)


# --- the examples ---


def test_when_mail_was_sent_moves_with_its_outcomes() -> None:
    """Else they would be counted where the old log has them."""
    (given,) = read(canonical(0))
    assert isinstance(given, MailEvent)
    given.sent = given.time_ms - 60_000
    (found,) = moved_to([given], 500_000)
    assert isinstance(found, MailEvent)
    assert (found.time_ms, found.sent) == (500_000, 440_000)


def example(name: str) -> list[MailEvent]:
    (file,) = EXAMPLES.glob(f"{name}.*")
    with file.open("rb") as source:
        found = list(read_events(source, name, CONTEXT))
    assert not [str(each) for each in found if isinstance(each, BadRecord)]
    return [each for each in found if isinstance(each, MailEvent)]


@pytest.mark.parametrize("name", ["kumomta", "sendgrid", "socketlabs"])
def test_example_is_read_without_a_bad_record_and_ids_differ(name: str) -> None:
    events = example(name)
    assert len({event.id for event in events}) == len(events) > 0


def test_example_of_kumomta_shows_one_good_and_one_bad_customer() -> None:
    classify = load_bounce_classifier()
    counts: Counter[tuple[str, str]] = Counter()
    for event in example("kumomta"):
        kind = classify(event).kind if event.type == "bounced" else event.type
        counts[event.customer, kind] += 1
    assert {customer for customer, _ in counts} == {"brightleaf", "larkspur-deals"}
    assert counts["larkspur-deals", "hard"] >= 7
    assert counts["larkspur-deals", "complained"] >= 4
    assert counts["brightleaf", "hard"] <= 1
    assert counts["brightleaf", "complained"] == 0


def test_examples_name_nobody_outside_documentation_ranges() -> None:
    for event in [*example("kumomta"), *example("sendgrid"), *example("socketlabs")]:
        assert event.sending_ip.startswith(("192.0.2.", "2001:db8:")) or not event.sending_ip
        assert event.from_domain.endswith(".example") or not event.from_domain
        known = event.provider != "other" or not event.recipient_domain
        assert known or event.recipient_domain.endswith(".example")
        assert msgspec.json.decode(msgspec.json.encode(event), type=MailEvent) == event


def test_array_of_kumomta_records_costs_only_its_bad_ones() -> None:
    def record(kind: str, name: str, **response: Any) -> dict[str, Any]:
        return {"type": kind, "id": name, "recipient": "i@x.example", "queue": "acme@x.example", "timestamp": 1,
                "response": response}  # fmt: skip

    refused, expired = record("TransientFailure", "m1", code=421, content="4.7.0 later"), record("Expiration", "m1")
    batch = [refused, 5, record("Delivery", "m2"), expired]
    found = read(json.dumps(batch).encode() + b"\n" + json.dumps(record("Bounce", "m3", code=550)).encode(), "kumomta")
    assert [(each.type, each.smtp_code) if isinstance(each, MailEvent) else each for each in found] == [
        ("deferred", 421),
        BadRecord(1, 1, "the message: expected `object`, got `int`"),
        ("delivered", 0),
        ("expired", 421),
        ("bounced", 550),
    ]
