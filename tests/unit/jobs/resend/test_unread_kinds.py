"""What is read by no format is told by its name, and what can be done instead."""

from io import BytesIO
from pathlib import Path

import pytest

from api.text.bad_file import unread_notes
from jobs.resend.bad_records import BadRecord, BadRecords
from jobs.resend.ingest_file import read_events
from jobs.resend.unread_kinds import KINDS, unread_kind
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions

CONTEXT = Context(
    b"a key",
    load_providers(),
    {name: FormatOptions(default_customer="house") for name in ("postfix", "exim", "kumomta", "powermta", "sendgrid")},
    clock=lambda: 1_740_993_072_000,
)
SAMPLES = {
    "sendmail's log": (
        "postfix",
        "Mar  3 09:11:12 mx1 sm-mta[12]: 5239B1: to=<ida@gmail.com>, delay=00:00:01, mailer=esmtp, "
        "relay=gmail-smtp-in. [192.0.2.4], dsn=2.0.0, stat=Sent (OK)",
    ),
    "OpenSMTPD's log": (
        "postfix",
        "Mar  3 09:11:12 mx1 smtpd[12]: 1f2a mta delivery evpid=1f2a3b from=<b@acme.example> to=<ida@gmail.com> "
        'rcpt=<-> source="192.0.2.1" relay="192.0.2.4 (mx)" delay=1s result="Ok" stat="250 OK"',
    ),
    "qmail's log": ("exim", "@4000000065e0a0c11a2b3c4d delivery 1: success: 192.0.2.4_accepted_message./"),
    "Haraka's log": (
        "postfix",
        "2025-03-03T09:11:12.000Z [NOTICE] [1F2A.1] [outbound] delivered file=1 domain=gmail.com host=mx ip=192.0.2.4",
    ),
    "Stalwart's log": (
        "postfix",
        '2025-03-03T09:11:12Z INFO Message delivered (delivery.delivered) queueId = 1, to = "ida@gmail.com"',
    ),
    "maddy's log": ("kumomta", 'remote: delivered\t{"msg_id":"1f2a","rcpt":"ida@gmail.com"}'),
    "Exchange's message tracking log": (
        "powermta",
        "\ufeff#Software: Microsoft Exchange Server\r\n#Log-type: Message Tracking Log\r\n#Fields: date-time,client-ip",
    ),
    "hMailServer's log": ("postfix", '"SMTPC"\t12\t7\t"2025-03-03 09:11:12.123"\t"192.0.2.4"\t"RECEIVED: 250 OK"'),
    "Momentum's log": (
        "powermta",
        "1740993072@00/00-00001-1A2B@10/11-00001-1A2B@ida@gmail.com@b@acme.example@D@x",
    ),
    "GreenArrow's events": (
        "kumomta",
        '{"id": 1, "event_type": "delivery_attempt", "email": "ida@gmail.com", "is_success": 0, "message": "550 no"}',
    ),
    "Elastic Email's webhook": (
        "sendgrid",
        '{"transaction": "1f2a", "to": "ida@gmail.com", "status": "Bounced", "category": "NoMailbox"}',
    ),
    "Stalwart's webhook": (
        "sendgrid",
        '{"events": [{"id": "1", "createdAt": "2025-03-03T09:11:12Z", "type": "delivery.delivered", "data": {}}]}',
    ),
    "SMTP2GO's webhook": (
        "sendgrid",
        '{"event": "bounce", "bounce": "hard", "rcpt": "ida@gmail.com", "time": "2025-03-03", "email_id": "1"}',
    ),
    "a webhook of Azure Communication Services": (
        "sendgrid",
        '[{"eventType": "Microsoft.Communication.EmailDeliveryReportReceived", "data": {"status": "Bounced"}}]',
    ),
    "ZoneMTA's log": ("sendgrid", '{"id": "1f2a", "seq": "001", "action": "REJECTED", "to": "ida@gmail.com"}'),
    "Microsoft 365's message trace": ("powermta", '"origin_timestamp_utc","sender_address","recipient_status"'),
    "a DMARC aggregate report": (
        "arf",
        '<?xml version="1.0"?>\n<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">\n<version>1.0</version>\n'
        "<report_metadata><org_name>x</org_name></report_metadata></feedback>",
    ),
    "a TLS report": ("arf", '{"organization-name": "x", "date-range": {}, "report-id": "1", "policies": []}'),
}


def test_each_kind_has_a_sample() -> None:
    assert {each.name for each in KINDS} == set(SAMPLES)


@pytest.mark.parametrize("kind", SAMPLES)
def test_kind_that_is_not_read_is_named(kind: str) -> None:
    """Of sendmail's log nothing at all was said."""
    form, text = SAMPLES[kind]
    raw = f"{text}\n".encode()
    found = list(read_events(BytesIO(raw), form, CONTEXT))
    bad = BadRecords()
    for each in found:
        assert isinstance(each, BadRecord), "nothing of it is taken for an event"
        bad.add(each)
    *_, last = unread_notes(0, bad, raw, form, CONTEXT)
    assert last.startswith(f"looks like {kind}, which is not read; ")


@pytest.mark.parametrize(
    "text",
    [
        '{"date": "1", "to": "ida@gmail.com", "status": "Error", "category": "NoMailbox", "transaction": "1f2a"}',
        "date=1&to=ida%40gmail.com&status=Error&category=NoMailbox&transaction=1f2a",
        "transaction=1f2a&to=ida%40gmail.com&status=Error",
    ],
)
def test_fields_may_come_in_any_order(text: str) -> None:
    assert unread_kind(text.encode()).startswith("looks like Elastic Email's webhook")


@pytest.mark.parametrize("form", ["postfix", "exim", "kumomta", "powermta", "sendgrid", "socketlabs", "ses"])
def test_what_is_read_is_none_of_them(form: str) -> None:
    (example,) = Path("docs/examples").glob(f"{form}.*")
    assert unread_kind(example.read_bytes()) == ""


def test_lines_without_end_are_looked_at_in_linear_time() -> None:
    for piece in (
        b"delivery 1",
        b"a mailer=x,",
        b"<feedback ",
        b'"transaction":',
        b'"status": "x"',
        b"status=x&",
        b'"rcpt":',
        b'"email_id":',
        b"1740993072@",
        b'"organization-name":',
    ):
        assert unread_kind(piece * 20_000) == ""
