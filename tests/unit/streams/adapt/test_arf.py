"""Feedback reports by mail."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.event import COMPLAINT_FEEDBACK, MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.canonical import hash_recipient
from tests.support.mails import ORIGINAL, fields, report

PROVIDERS = load_providers()
KEY = b"a key"
ABUSE = ("Feedback-Type: abuse", "User-Agent: Loop/1.0", "Version: 1", "Source-IP: 192.0.2.51")
SENT = datetime(2025, 3, 3, 9, 11, 12, tzinfo=UTC)


def read(raw: bytes, options: FormatOptions | None = None) -> list[MailEvent]:
    return adapter("arf")(raw, Context(KEY, PROVIDERS, {} if options is None else {"arf": options}))


def arf(*more: str, options: FormatOptions | None = None, original: str = ORIGINAL, **headers: str) -> list[MailEvent]:
    return read(report("feedback-report", fields(*ABUSE, *more), original, **headers), options)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_abuse_report_with_all_that_it_tells() -> None:
    (event,) = arf("Original-Rcpt-To: <iris@gmail.com>", "Original-Mail-From: <bounce@mail.acme.example>")
    assert (event.type, event.feedback_type, event.time_ms) == ("complained", "abuse", ms(SENT))
    assert (event.customer, event.stream, event.campaign) == ("mail.acme.example", "default", "weekly-44")
    assert (event.message_id, event.from_domain) == ("weekly-44.iris@acme.example", "acme.example")
    assert (event.recipient, event.recipient_hash) == ("", hash_recipient("iris@gmail.com", KEY))
    assert (event.recipient_domain, event.provider) == ("gmail.com", "gmail")
    assert event.sending_ip == "192.0.2.51"


@pytest.mark.parametrize(
    ("given", "kept", "complaint"),
    [
        ("abuse", "abuse", True),
        ("Fraud", "fraud", True),
        ("virus", "virus", True),
        ("other", "other", True),
        ("opt-out", "opt-out", True),
        ("opt_out", "opt-out", True),
        ("something-new", "other", True),
        ("not-spam", "not-spam", False),
        ("auth-failure", "auth-failure", False),
    ],
)
def test_type_of_the_report_tells_whether_somebody_complained(given: str, kept: str, complaint: bool) -> None:
    (event,) = read(report("feedback-report", fields(f"Feedback-Type: {given}", "Version: 1")))
    assert (event.type, event.feedback_type) == ("complained", kept)
    assert (event.feedback_type in COMPLAINT_FEEDBACK) == complaint


def test_each_recipient_named_gives_an_event_of_its_own() -> None:
    """One that is named twice gives one."""
    named = ("iris@gmail.com", "juno@yahoo.com", "iris@gmail.com", "<kai@aol.com>")
    events = arf(*(f"Original-Rcpt-To: {each}" for each in named))
    assert [event.recipient_domain for event in events] == ["gmail.com", "yahoo.com", "aol.com"]
    assert len({event.id for event in events}) == 3


@pytest.mark.parametrize(
    ("lines", "to", "domain", "hashed"),
    [
        (("Original-Rcpt-To: iris@gmail.com", "Removal-Recipient: no@yahoo.com"), "x@aol.com", "gmail.com", True),
        (("Original-Rcpt-To: undisclosed", "Removal-Recipient: iris@yahoo.com"), "x@aol.com", "yahoo.com", True),
        ((), "Iris <iris@aol.com>", "aol.com", True),
        ((), "iris@aol.com, juno@aol.com", "", False),
        ((), "undisclosed-recipients:;", "", False),
        (("Original-Rcpt-To: redacted@comcast.net",), "", "comcast.net", False),
        (("Original-Rcpt-To: [REDACTED]@comcast.net",), "", "comcast.net", False),
        (("Original-Rcpt-To: xxxxx@comcast.net",), "", "comcast.net", False),
        (("Original-Rcpt-To: @comcast.net",), "", "comcast.net", False),
        (("Original-Rcpt-To: redactedly@comcast.net",), "", "comcast.net", True),
    ],
)
def test_recipient_is_taken_from_where_it_is_surest(lines: tuple[str, ...], to: str, domain: str, hashed: bool) -> None:
    (event,) = arf(*lines, original=ORIGINAL.replace("iris@gmail.com", to))
    assert (event.recipient_domain, bool(event.recipient_hash)) == (domain, hashed)


@pytest.mark.parametrize(
    ("lines", "sender", "provider"),
    [
        (("Reporting-MTA: dns; arf.mail.yahoo.com",), "fbl@feedback.example", "yahoo"),
        ((), "feedback@arf.mail.yahoo.com", "yahoo"),
        ((), "fbl@feedback.example", "other"),
    ],
)
def test_hidden_recipient_has_the_provider_that_reported(lines: tuple[str, ...], sender: str, provider: str) -> None:
    (event,) = arf(*lines, original="Message-ID: <m@acme.example>\nFrom: n@acme.example\n", From=sender)
    assert (event.recipient_domain, event.provider) == ("", provider)


def test_original_as_header_fields_only() -> None:
    raw = report("feedback-report", fields(*ABUSE)).replace(b"message/rfc822", b"text/rfc822-headers")
    assert read(raw)[0].message_id == "weekly-44.iris@acme.example"


def test_report_without_the_original_still_counts() -> None:
    (event,) = arf("Original-Mail-From: bounce@mail.acme.example", original="")
    assert (event.customer, event.from_domain, event.message_id) == ("mail.acme.example", "mail.acme.example", "")


@pytest.mark.parametrize(
    ("date", "lines", "expected"),
    [
        ("Mon, 3 Mar 2025 10:11:12 +0100", ("Arrival-Date: Sun, 2 Mar 2025 08:00:00 +0000",), SENT),
        ("gone", ("Arrival-Date: Sun, 2 Mar 2025 08:00:00 -0500",), datetime(2025, 3, 2, 13, tzinfo=UTC)),
        ("", ("Received-Date: Sun, 2 Mar 2025 08:00:00 EDT",), datetime(2025, 3, 2, 12, tzinfo=UTC)),
    ],
)
def test_time_is_that_of_the_report_and_only_without_it_that_of_the_mail(
    date: str, lines: tuple[str, ...], expected: datetime
) -> None:
    assert arf(*lines, Date=date)[0].time_ms == ms(expected)


@pytest.mark.parametrize(
    ("lines", "original", "expected"),
    [
        (("Arrival-Date: Sun, 2 Mar 2025 08:00:00 +0000",), ORIGINAL, datetime(2025, 3, 2, 8, tzinfo=UTC)),
        (("Received-Date: Sun, 2 Mar 2025 08:00:00 +0000",), ORIGINAL, datetime(2025, 3, 2, 8, tzinfo=UTC)),
        ((), ORIGINAL, datetime(2025, 3, 3, 9, tzinfo=UTC)),
        ((), "From: n@acme.example\n", None),
    ],
)
def test_day_of_the_mail_is_when_it_arrived(lines: tuple[str, ...], original: str, expected: datetime | None) -> None:
    """Only without that it is the day on which the mail says it was sent."""
    assert arf(*lines, original=original)[0].sent == (ms(expected) if expected else 0)


def test_date_of_the_last_host_counts_where_the_report_has_none() -> None:
    (event,) = arf(Date="", Received="from a by b with ESMTP id 7 for <x@y>; Mon, 3 Mar 2025 10:11:12 +0100 (CET)")
    assert event.time_ms == ms(SENT)


def test_report_without_a_date_is_of_when_it_came_and_the_same_when_it_comes_again() -> None:
    first, again = (arf(Date="", Delivery_Date=f"Mon, 3 Mar 2025 10:1{minute}:12 +0100")[0] for minute in (1, 5))
    assert first.time_ms == ms(SENT)
    assert (first.id, again.time_ms - first.time_ms) == (again.id, 240_000)


def test_report_without_any_date_is_refused() -> None:
    with pytest.raises(AdaptError, match="no date that can be read"):
        arf(Date="")


@pytest.mark.parametrize(
    ("options", "customer"),
    [
        (FormatOptions(), "mail.acme.example"),
        (FormatOptions(customer="sender"), "mail.acme.example"),
        (FormatOptions(customer="header.X-Customer"), "acme"),
        (FormatOptions(customer="header.x-campaignid"), "weekly-44"),
        (FormatOptions(customer="field.Source-IP"), "192.0.2.51"),
        (FormatOptions(customer="verp:bounce+{}+*@*"), "acme"),
        (FormatOptions(customer="header.X-Nothing", default_customer="house"), "house"),
    ],
)
def test_customer_comes_from_the_place_that_is_configured(options: FormatOptions, customer: str) -> None:
    assert arf(options=options)[0].customer == customer


def test_stream_and_pool_come_from_the_places_that_are_configured() -> None:
    (event,) = arf(options=FormatOptions(stream="header.X-CampaignId", pool="header.X-Customer"))
    assert (event.stream, event.ip_pool) == ("weekly-44", "acme")


def test_encoded_customer_name_is_decoded() -> None:
    original = ORIGINAL.replace("X-Customer: acme", "X-Customer: =?utf-8?q?caf=C3=A9?=")
    assert arf(options=FormatOptions(customer="header.X-Customer"), original=original)[0].customer == "café"


def test_customer_header_that_is_there_twice_accuses_nobody() -> None:
    original = ORIGINAL + "X-Customer: somebody-else\n"
    with pytest.raises(AdaptError, match="`X-Customer` is there more than once, with different values"):
        arf(options=FormatOptions(customer="header.X-Customer"), original=original)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            FormatOptions(customer="header.X-Nothing"),
            "no value at `header.X-Nothing` in the report, and no default customer",
        ),
        (FormatOptions(customer="tenant"), "`tenant` is not a place in reports"),
        (FormatOptions(customer="verp:bounce@*"), r"the pattern `bounce@\*` needs exactly one `\{\}`"),
    ],
)
def test_no_customer_is_an_error_that_names_the_place(options: FormatOptions, message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        arf(options=options)


def test_name_that_looks_like_an_address_is_not_taken_for_the_sender() -> None:
    (event,) = arf(original="From: boss@bank.example <news@acme.example>\n")
    assert event.from_domain == "acme.example"


def test_complaint_of_microsoft_names_the_recipient_in_a_header_of_its_own() -> None:
    mail = fields(
        "From: staff@hotmail.com", "Date: Mon, 3 Mar 2025 10:11:12 +0100", "Subject: complaint about message",
        'Content-Type: multipart/mixed; boundary="b"', "", "--b", "Content-Type: message/rfc822", "",
        "X-HmXmrOriginalRecipient: <iris@outlook.com>", ORIGINAL, "Hello.", "--b--",
    )  # fmt: skip
    (event,) = read(mail.encode())
    assert (event.feedback_type, event.recipient_domain, event.provider) == ("abuse", "outlook.com", "microsoft")
    assert event.customer == "mail.acme.example"


def test_apple_mail_unsubscribes_its_user_by_mail() -> None:
    mail = fields(
        "From: Iris <iris@icloud.com>", "To: leave+acme@lists.acme.example", "Date: Mon, 3 Mar 2025 10:11:12 +0100",
        "Message-ID: <u1@icloud.com>", "X-Apple-Unsubscribe: true", "", "Please.",
    )  # fmt: skip
    (event,) = read(mail.encode(), FormatOptions(customer="verp:leave+{}@*"))
    assert (event.type, event.customer, event.provider) == ("unsubscribed", "acme", "apple")
    assert event.recipient_hash == hash_recipient("iris@icloud.com", KEY)


def test_report_that_comes_twice_has_the_same_id_and_another_has_another() -> None:
    again = [arf()[0].id, arf(Received="by another host; Mon, 3 Mar 2025 11:00:00 +0000")[0].id]
    assert again[0] == again[1]
    assert arf(message_id="<report-2@mx.example.net>")[0].id != again[0]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the message is empty"),
        (b"\n\nhello", "begins with no header field"),
        (
            b"From: a@b.example\nDate: Mon, 3 Mar 2025 10:11:12 +0100\n\nhello",
            "no part of type message/feedback-report",
        ),
    ],
)
def test_what_is_no_report_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        read(raw)


def test_values_of_the_report_cannot_break_out_of_their_field() -> None:
    lines: list[Any] = ["Original-Rcpt-To: iris@gmail.com\r\n X-Customer: mallory"]
    (event,) = arf(*lines, options=FormatOptions(customer="field.X-Customer", default_customer="house"))
    assert event.customer == "house"


def test_nul_in_a_value_is_refused() -> None:
    with pytest.raises(AdaptError, match="NUL"):
        arf("Original-Rcpt-To: ir\0is@gmail.com", original=ORIGINAL.replace("weekly-44.iris", "weekly\0"))
