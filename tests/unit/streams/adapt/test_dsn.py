"""Delivery status notifications by mail."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from schemas.times import epoch_ms
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.canonical import hash_recipient
from tests.support.mails import ORIGINAL, fields, report

PROVIDERS = load_providers()
KEY = b"a key"
ABOUT = (
    "Reporting-MTA: dns; mx.example.net",
    "X-Postfix-Queue-ID: 4XyQ1",
    "Arrival-Date: Mon, 3 Mar 2025 09:00:01 +0000",
)
FAILED = (
    "Final-Recipient: rfc822; iris@gmail.com",
    "Action: failed",
    "Status: 5.1.1",
    "Diagnostic-Code: smtp; 550-5.1.1 The account does not",
    "    exist. Try again",
)
NOTIFIED = datetime(2025, 3, 3, 9, 11, 12, tzinfo=UTC)


def read(raw: bytes, options: FormatOptions | None = None) -> list[MailEvent]:
    return adapter("dsn")(raw, Context(KEY, PROVIDERS, {} if options is None else {"dsn": options}))


def dsn(
    *recipients: tuple[str, ...], options: FormatOptions | None = None, original: str = ORIGINAL, **headers: str
) -> list[MailEvent]:
    content = "\n".join(fields(*group) for group in (ABOUT, *recipients))
    return read(report("delivery-status", content, original, **headers), options)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_failure_with_all_that_it_tells() -> None:
    (event,) = dsn(FAILED)
    assert (event.type, event.asynchronous, event.bounce_class) == ("bounced", True, "")
    assert (event.customer, event.stream, event.campaign) == ("mail.acme.example", "default", "weekly-44")
    assert (event.message_id, event.from_domain) == ("weekly-44.iris@acme.example", "acme.example")
    assert (event.recipient, event.recipient_hash) == ("", hash_recipient("iris@gmail.com", KEY))
    assert (event.recipient_domain, event.provider) == ("gmail.com", "gmail")
    assert (event.smtp_code, event.enhanced_status) == (550, "5.1.1")
    assert event.diagnostic == "550-5.1.1 The account does not exist. Try again"
    assert event.time_ms == ms(NOTIFIED)


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("Action: failed", "5.1.1", "bounced"),
        ("Action: FAILED", "5.1.1", "bounced"),
        ("Action: failed (gave up)", "4.4.7", "expired"),
        ("Action: failed", "4.2.2", "expired"),
        ("Action: failed", "5.4.7", "expired"),
        ("Action: expired", "5.0.0", "expired"),
        ("Action: Delayed", "4.4.1", "deferred"),
        ("Action: delivered", "2.1.5", "delivered"),
        ("Action: relayed (to non-DSN-aware mailer)", "2.1.5", "delivered"),
        ("Action: expanded", "2.0.0", "delivered"),
        ("Action: rejected", "5.7.1", "bounced"),
        ("Action: failure", "5.0.0", "bounced"),
        ("Action: postponed", "4.0.0", "deferred"),
        ("X-Note: no action", "5.0.0", "bounced"),
        ("X-Note: no action", "4.0.0", "deferred"),
        ("X-Note: no action", "2.0.0", "delivered"),
    ],
)
def test_action_says_what_became_of_the_recipient_and_only_a_failure_is_asynchronous(
    action: str, status: str, kind: str
) -> None:
    """What was delivered is only told where it is asked for: the log has told it already."""
    recipient = ("Final-Recipient: rfc822; iris@gmail.com", action, f"Status: {status}")
    (event,) = dsn(recipient, options=FormatOptions(deliveries=True))
    assert len(dsn(recipient)) == (0 if kind == "delivered" else 1)
    assert (event.type, event.enhanced_status) == (kind, status)
    assert event.asynchronous == (kind in ("bounced", "expired"))


def test_each_recipient_has_an_event_of_its_own() -> None:
    later = ("Final-Recipient: rfc822; juno@yahoo.com", "Action: delayed", "Status: 4.2.2")
    events = dsn(FAILED, later)
    assert [(event.type, event.recipient_domain) for event in events] == [
        ("bounced", "gmail.com"),
        ("deferred", "yahoo.com"),
    ]
    assert len({event.id for event in events}) == 2


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (("Final-Recipient: rfc822; iris@x.example",), "iris@x.example"),
        (("Final-Recipient: RFC822;<iris@x.example>",), "iris@x.example"),
        (("Final-Recipient: iris@x.example",), "iris@x.example"),
        (("Final-Recipient: rfc822; f@y.example", "Original-Recipient: rfc822;iris@x.example"), "iris@x.example"),
        (("Original-Recipient: rfc822;iris@x.example", "Final-Recipient: x400; /c=de/"), "iris@x.example"),
        (("Final-Recipient: rfc822; iris@x.example", "Original-Recipient: rfc822;iris"), "iris@x.example"),
        (("Final-Recipient: utf-8; \\x{E9}va@x.example",), "éva@x.example"),
        (("Final-Recipient: utf-8; \\x{110000}@x.example",), "\\x{110000}@x.example"),
        (("Final-Recipient: rfc822; iris", "X-Actual-Recipient: rfc822; other@x.example"), "iris"),
        (("Final-Recipient: rfc822; iris@x.example (Iris)",), "iris@x.example"),
        (('Final-Recipient: rfc822; "Iris" <iris@x.example>',), "iris@x.example"),
        (("Final-Recipient: rfc822;mailto:iris@x.example",), "iris@x.example"),
        (("Final-Recipient: SMTP:iris@x.example",), "iris@x.example"),
        (("Final-Recipient: rfc822; iris@x.example;",), "iris@x.example"),
        (('Final-Recipient: rfc822; "a <b>"@x.example',), '"a <b>"@x.example'),
    ],
)
def test_recipient_is_the_address_that_was_sent_to(lines: tuple[str, ...], address: str) -> None:
    (event,) = dsn((*lines, "Action: failed", "Status: 5.0.0"))
    assert event.recipient_hash == hash_recipient(address, KEY)


@pytest.mark.parametrize(
    ("original", "remote", "host", "provider"),
    [
        ("iris@shop.example", "dns; aspmx.l.google.com (192.0.2.26)", "aspmx.l.google.com", "google_workspace"),
        ("iris@SHOP.example", "DNS;aspmx.l.google.com", "aspmx.l.google.com", "google_workspace"),
        ("iris@other.example", "dns; aspmx.l.google.com", "", "other"),
        ("iris@shop.example", "aspmx.l.google.com", "aspmx.l.google.com", "google_workspace"),
        ("iris@shop.example", "192.0.2.26", "", "other"),
        ("iris@shop.example", "x-unix; /bin/mail", "", "other"),
        ("iris@shop.example", "", "", "other"),
    ],
)
def test_host_that_answered_tells_the_provider_unless_the_mail_was_forwarded_to_it(
    original: str, remote: str, host: str, provider: str
) -> None:
    named = (f"Original-Recipient: rfc822;{original}", "Final-Recipient: rfc822;iris@shop.example")
    (event,) = dsn((*named, "Action: failed", f"Remote-MTA: {remote}"), options=FormatOptions(default_customer="house"))
    assert (event.mx_host, event.provider) == (host, provider)


@pytest.mark.parametrize(
    ("status", "diagnostic", "code", "expected"),
    [
        ("5.1.1", "smtp; 550 5.7.1 no", 550, "5.1.1"),
        ("5.0.0", "smtp; 550 5.7.1 no", 550, "5.7.1"),
        ("4.0.0", "smtp; 550 5.7.1 no", 550, "4.0.0"),
        ("5.0.0 (permanent failure)", "smtp; 550 no", 550, "5.0.0"),
        ("4.4.7", "X-Postfix; connect to mx.x.example: timed out", 0, "4.4.7"),
        ("none", "smtp; 550 5.7.1 no", 550, "5.7.1"),
        ("5.1.1", "The account is gone; sorry", 0, "5.1.1"),
    ],
)
def test_codes(status: str, diagnostic: str, code: int, expected: str) -> None:
    recipient = ("Final-Recipient: rfc822; iris@x.example", "Action: failed")
    (event,) = dsn((*recipient, f"Status: {status}", f"Diagnostic-Code: {diagnostic}"))
    assert (event.smtp_code, event.enhanced_status) == (code, expected)


def test_diagnostic_keeps_a_semicolon_of_its_own() -> None:
    (event,) = dsn((*FAILED[:3], "Diagnostic-Code: The account is gone; sorry"))
    assert event.diagnostic == "The account is gone; sorry"


@pytest.mark.parametrize(
    ("line", "date", "expected"),
    [
        ("Last-Attempt-Date: Mon, 3 Mar 2025 09:05:00 +0000", NOTIFIED, datetime(2025, 3, 3, 9, 5, tzinfo=UTC)),
        ("Last-Attempt-Date: soon", NOTIFIED, NOTIFIED),
        ("X-Note: none", NOTIFIED, NOTIFIED),
        ("X-Note: none", None, datetime(2025, 3, 3, 9, 0, 1, tzinfo=UTC)),
    ],
)
def test_time_is_that_of_the_last_attempt(line: str, date: datetime | None, expected: datetime) -> None:
    """Without it that of the notification, then that of the arrival."""
    (event,) = dsn((*FAILED, line), Date=date.strftime("%d %b %Y %H:%M:%S +0000") if date else "")
    assert event.time_ms == ms(expected)


@pytest.mark.parametrize(
    ("options", "customer"),
    [
        (FormatOptions(), "mail.acme.example"),
        (FormatOptions(customer="verp:bounce+{}+*@*"), "acme"),
        (FormatOptions(customer="header.X-Customer"), "acme"),
        (FormatOptions(customer="field.X-Postfix-Queue-ID"), "4XyQ1"),
        (FormatOptions(customer="header.X-Nothing", default_customer="house"), "house"),
    ],
)
def test_customer_comes_from_the_place_that_is_configured(options: FormatOptions, customer: str) -> None:
    assert dsn(FAILED, options=options)[0].customer == customer


@pytest.mark.parametrize(
    ("headers", "original", "customer"),
    [
        ({"To": "b@one.example", "X_Original_To": "b@two.example"}, ORIGINAL, "one.example"),
        ({"To": "", "X_Original_To": "b@two.example"}, ORIGINAL, "two.example"),
        ({"To": ""}, ORIGINAL, "mail.acme.example"),
        ({"To": ""}, "From: news@acme.example\n", "acme.example"),
    ],
)
def test_sender_is_the_address_that_the_notification_went_to_then_the_return_path(
    headers: dict[str, Any], original: str, customer: str
) -> None:
    assert dsn(FAILED, original=original, **headers)[0].customer == customer


def test_stream_and_pool_come_from_the_places_that_are_configured() -> None:
    (event,) = dsn(FAILED, options=FormatOptions(stream="header.X-CampaignId", pool="header.X-Customer"))
    assert (event.stream, event.ip_pool) == ("weekly-44", "acme")


def test_no_customer_is_an_error_that_names_the_place() -> None:
    with pytest.raises(AdaptError, match=r"no value at `header\.X-Nothing` in the report"):
        dsn(FAILED, options=FormatOptions(customer="header.X-Nothing"))
    with pytest.raises(AdaptError, match="no envelope sender and no From header in the report"):
        dsn(FAILED, original="", To="")


def test_notification_without_the_returned_mail_still_counts() -> None:
    (event,) = dsn(FAILED, original="")
    assert (event.customer, event.from_domain, event.message_id) == ("mail.acme.example", "mail.acme.example", "")


@pytest.mark.parametrize(
    ("answered", "expected"),
    [("<weekly-44@acme.example>", "weekly-44@acme.example"), ("<a@acme.example> <b@acme.example>", ""), ("", "")],
)
def test_notification_without_the_returned_mail_may_name_it_as_answered(answered: str, expected: str) -> None:
    assert dsn(FAILED, original="", In_Reply_To=answered)[0].message_id == expected


def test_internationalized_notification_is_read_alike() -> None:
    raw = report("global-delivery-status", fields(*ABOUT) + "\n" + fields(*FAILED))
    assert read(raw.replace(b"message/rfc822", b"message/global"))[0].message_id == "weekly-44.iris@acme.example"


def test_parts_in_another_order_encoding_or_kind_of_multipart_are_found() -> None:
    raw = report("delivery-status", fields(*ABOUT) + "\n" + fields(*FAILED))
    raw = raw.replace(b"multipart/report", b"multipart/mixed").replace(b"Status: 5.1.1", b"Status:=205.1.1")
    encoded = b"message/delivery-status\nContent-Transfer-Encoding: quoted-printable"
    assert read(raw.replace(b"message/delivery-status", encoded))[0].enhanced_status == "5.1.1"


def test_notification_that_comes_twice_has_the_same_ids_and_another_has_others() -> None:
    once, again = dsn(FAILED), dsn(FAILED, Received="by x; Mon, 3 Mar 2025 11:00:00 +0000")
    assert once[0].id == again[0].id
    assert dsn(FAILED, message_id="<another@mx.example.net>")[0].id != once[0].id


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((), "the delivery status names no recipient"),
        ((("Final-Recipient: rfc822; ", "Action: failed"),), "neither `Original-Recipient` nor `Final-Recipient`"),
        (
            (("Final-Recipient: rfc822; a@b.example", "Action: eaten"),),
            "field `Action`: unknown value 'eaten'; known are failed, delayed, delivered, relayed, expanded",
        ),
        ((FAILED, ("Final-Recipient: rfc822; a@b.example", "Action: eaten")), "recipient 2: field `Action`: unknown"),
    ],
)
def test_what_cannot_be_read_is_named(groups: tuple[tuple[str, ...], ...], message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        dsn(*groups)


def test_notification_without_any_date_is_refused() -> None:
    content = "Reporting-MTA: dns; mx.example.net\n\n" + fields(*FAILED)
    with pytest.raises(AdaptError, match="no date that can be read"):
        read(report("delivery-status", content, Date=""))


def undated(*before: str, **changes: str) -> MailEvent:
    content = "Reporting-MTA: dns; mx.example.net\n\n" + fields(*FAILED)
    mail = report("delivery-status", content, **{"Date": "", "original": "", **changes})
    (event,) = read("".join(f"{each}\n" for each in before).encode() + mail)
    return event


@pytest.mark.parametrize(
    ("before", "time"),
    [
        (("Delivery-Date: Mon, 3 Mar 2025 10:20:00 +0100",), "2025-03-03T09:20:00Z"),
        (
            (
                "Delivery-Date: Mon, 3 Mar 2025 10:20:00 +0100",
                "Received: from mx.example.net by mx1.esp.example; Mon, 3 Mar 2025 10:12:00 +0100",
            ),
            "2025-03-03T09:12:00Z",
        ),
        (
            (
                "Received: from a by b; a while ago",
                "Received: from mx.example.net by b; Mon, 3 Mar 2025 10:12:00 +0100",
            ),
            "2025-03-03T09:12:00Z",
        ),
        (("Delivery-Date: Mon, 3 Mar 2025 10:20:00 +0100", "Date: yesterday"), "2025-03-03T09:20:00Z"),
        (
            ("Delivery-Date: Mon, 3 Mar 2025 10:20:00 +0100", "Date: Mon, 33 Mar 2025 99:20:00 +0100"),
            "2025-03-03T09:20:00Z",
        ),
    ],
)
def test_notification_without_a_date_is_of_when_it_came(before: tuple[str, ...], time: str) -> None:
    """When its mail was sent stays unknown: nobody knows to which mailing it belongs."""
    event = undated(*before)
    assert (event.time_ms, event.sent) == (epoch_ms(msgspec.convert(time, datetime)), 0)


def test_notification_without_a_date_that_comes_again_is_the_same() -> None:
    """As where the answer to LMTP was lost: it came at another time."""
    first, again = (undated(f"Delivery-Date: Mon, 3 Mar 2025 10:2{minute}:00 +0100") for minute in (0, 1))
    assert first.id == again.id
    assert first.time_ms != again.time_ms
    assert undated("Delivery-Date: Mon, 3 Mar 2025 10:20:00 +0100", message_id="<other@mx.example.net>").id != first.id


# --- mails that are no multipart/report ---

PLAIN = (
    "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>",
    "To: bounce@mail.acme.example",
    "Date: Mon, 3 Mar 2025 10:11:12 +0100",
)


def test_fields_in_plain_text_are_read_from_a_mail_system_and_from_nobody_else() -> None:
    body = "\n".join([*PLAIN, "", "Sorry.", "", *ABOUT, "", *FAILED, "", ORIGINAL, "", "Hello."])
    (event,) = read(body.encode())
    assert (event.type, event.enhanced_status) == ("bounced", "5.1.1")
    assert (event.recipient_domain, event.message_id) == ("gmail.com", "weekly-44.iris@acme.example")
    assert read(body.replace("MAILER-DAEMON@mx", "iris@mx").encode()) == []


def test_parts_behind_another_boundary_than_the_announced_are_read() -> None:
    raw = report("delivery-status", fields(*ABOUT) + "\n" + fields(*FAILED))
    events = read(raw.replace(b'boundary="', b'boundary="other'))
    assert [(event.type, event.message_id) for event in events] == [("bounced", "weekly-44.iris@acme.example")]


EXIM = """\

This message was created automatically by mail delivery software.

The following address(es) failed:

  iris@gmail.com
    host mx.example.net [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<iris@gmail.com>:
    550 5.1.1 no such user

  juno@shop.example
    Unrouteable address

------ This is a copy of the message, including all the headers. ------

"""


def test_failed_recipients_of_exim_have_the_reason_that_the_text_gives_each() -> None:
    head = [*PLAIN, "X-Failed-Recipients: iris@gmail.com,", "  juno@shop.example"]
    events = read(("\n".join(head) + "\n" + EXIM + ORIGINAL).encode())
    assert [(event.type, event.smtp_code, event.enhanced_status) for event in events] == [
        ("bounced", 550, "5.1.1"),
        ("bounced", 0, ""),
    ]
    assert events[0].diagnostic.endswith("550 5.1.1 no such user")
    assert events[1].diagnostic == "Unrouteable address"
    assert {event.message_id for event in events} == {"weekly-44.iris@acme.example"}


def test_failed_recipient_that_the_text_does_not_name_has_its_explanation() -> None:
    text = "\n\nHello,\n\nThe group may not exist.\n\n----- Original message -----\n\n"
    (event,) = read(("\n".join([*PLAIN, "X-Failed-Recipients: g@groups.example"]) + text + ORIGINAL).encode())
    assert (event.diagnostic, event.message_id) == ("The group may not exist.", "weekly-44.iris@acme.example")


def test_first_megabyte_of_a_larger_report_is_enough() -> None:
    content = "\n".join(fields(*group) for group in (ABOUT, FAILED))
    whole = report("delivery-status", content, ORIGINAL + "\n" + "attachment\n" * 200_000)
    with pytest.raises(AdaptError, match="the limit is 1,000,000"):
        read(whole)
    assert read(whole[:1_000_000]) == dsn(FAILED)


def test_message_was_sent_when_the_host_took_it_in_else_on_its_date() -> None:
    arrived = ms(datetime(2025, 3, 3, 9, 0, 1, tzinfo=UTC))
    assert dsn(FAILED)[0].sent == arrived
    dated = "Date: Mon, 3 Mar 2025 08:59:00 +0000\n" + ORIGINAL
    (event,) = read(report("delivery-status", fields(*ABOUT[:1]) + "\n" + fields(*FAILED), dated))
    assert event.sent == ms(datetime(2025, 3, 3, 8, 59, tzinfo=UTC))


# --- what stands in the text alone ---


def beside(text: str, *recipients: tuple[str, ...], **headers: str) -> list[MailEvent]:
    """A notification with this text part."""
    content = "\n".join(fields(*group) for group in (ABOUT, *recipients))
    raw = report("delivery-status", content, **headers)
    return read(raw.replace(b"What happened, for people.", text.encode()))


def group(address: str, *others: str) -> tuple[str, ...]:
    return (f"Final-Recipient: rfc822; {address}", *others)


OPENSMTPD = """\
    An error has occurred while attempting to deliver a message for
    the following list of recipients:

iris@gmail.com: 550 5.1.1 <iris@gmail.com>: User unknown
juno@yahoo.com: 552 5.2.2 <juno@yahoo.com>: Mailbox full
kim@box.example: Envelope expired

    Below is a copy of the original message:
"""


def test_reply_that_only_the_text_has_goes_to_its_recipient() -> None:
    """OpenSMTPD, whose expiry is `delayed` until 6.8."""
    failed = ("Action: failed", "Status: 5.0.0")
    late = ("Action: delayed", "Status: 4.0.0")
    events = beside(
        OPENSMTPD, group("juno@yahoo.com", *failed), group("iris@gmail.com", *failed), group("kim@box.example", *late)
    )
    assert [(event.type, event.smtp_code, event.enhanced_status) for event in events] == [
        ("bounced", 552, "5.2.2"),
        ("bounced", 550, "5.1.1"),
        ("expired", 0, "4.0.0"),
    ]


SENDMAIL = """\
   ----- The following addresses had permanent fatal errors -----
<iris@gmail.com>
    (reason: 550 5.1.1 <iris@gmail.com>... User unknown)
<juno@yahoo.com>
    (reason: )

   ----- Transcript of session follows -----
... while talking to mx.gmail.example.:
>>> RCPT To:<iris@gmail.com>
<<< 550 5.1.1 <iris@gmail.com>... User unknown
550 5.1.1 <iris@gmail.com>... User unknown
<juno@yahoo.com>... Deferred: 421 4.7.0 [TSS04] Messages temporarily deferred
Message could not be delivered for 5 days
Message will be deleted from queue
"""


def test_transcript_of_sendmail_tells_of_each_recipient() -> None:
    gone = group("iris@gmail.com", "Action: failed", "Status: 5.1.1")
    late = group("juno@yahoo.com", "Action: failed", "Status: 4.4.7", "Diagnostic-Code: SMTP; ")
    first, second = beside(SENDMAIL, gone, late)
    assert (first.type, first.diagnostic) == ("bounced", "550 5.1.1 <iris@gmail.com>... User unknown")
    assert (second.type, second.smtp_code, second.enhanced_status) == ("expired", 421, "4.4.7")
    assert second.diagnostic.startswith("Deferred: 421 4.7.0 [TSS04]")


EXIM_TEXT = """\
  iris@gmail.com
    host mx.gmail.example [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<iris@gmail.com>:
    450 4.2.1 mailbox busy: retry timeout exceeded
  juno@yahoo.com
    all hosts for 'yahoo.com' have been failing for a long time (and retry time not reached)
"""


@pytest.mark.parametrize(
    ("line", "kind", "code", "said"),
    [
        ("{}... Deferred: 421 4.7.0 deferred for complaints", "expired", 421, "Deferred: 421 4.7.0 deferred for"),
        ("554 5.0.0 {}... Service unavailable", "bounced", 554, "554 5.0.0 Service unavailable"),
    ],
)
def test_line_of_sendmail_about_several_recipients_is_of_each(line: str, kind: str, code: int, said: str) -> None:
    """Of all recipients at one host it writes one."""
    both = [group(each, "Action: failed", "Status: 5.0.0") for each in ("iris@gmail.com", "juno@gmail.com")]
    events = beside(line.format("<iris@gmail.com>,<juno@gmail.com>") + "\n", *both, group("kim@x.example"))
    assert [(event.type, event.smtp_code, event.diagnostic[: len(said)]) for event in events] == [
        (kind, code, said)
    ] * 2


def test_reply_that_only_the_text_has_goes_before_how_a_program_ended() -> None:
    """sendmail, of mailers that are programs (sysexits.h: 67 is a user who is not known)."""
    failed = group("iris@gmail.com", "Action: failed", "Status: 5.3.0", "Diagnostic-Code: X-Unix; 67")
    (event,) = beside("550 5.1.1 <iris@gmail.com>... User unknown\n", failed)
    assert (event.smtp_code, event.diagnostic) == (550, "550 5.1.1 <iris@gmail.com>... User unknown")
    (silent,) = beside("", failed)
    assert (silent.enhanced_status, silent.diagnostic) == ("5.3.0", "67")


def test_exim_gave_up_without_a_host_that_answered() -> None:
    events = beside(
        EXIM_TEXT, *(group(each, "Action: failed", "Status: 5.0.0") for each in ("iris@gmail.com", "juno@yahoo.com"))
    )
    assert [(event.type, event.smtp_code, event.enhanced_status) for event in events] == [
        ("expired", 450, "4.2.1"),
        ("expired", 0, "5.0.0"),
    ]


def test_text_that_names_others_says_nothing_of_a_recipient() -> None:
    others = "Recipients: <iris@gmail.com>, <kim@box.example>\n\n<kim@box.example>:\n550 5.1.1 no such user\n"
    silent = ("Action: failed", "Status: 5.0.0")
    first, second = beside(others, group("iris@gmail.com", *silent), group("kim@box.example", *silent))
    assert (first.diagnostic, first.smtp_code) == ("", 0)
    assert (second.diagnostic, second.smtp_code) == ("550 5.1.1 no such user", 550)


@pytest.mark.parametrize(
    ("status", "diagnostic", "kind", "code", "expected"),
    [
        ("5.2.1", "smtp;450 4.2.1 try later", "expired", 450, "4.2.1"),
        ("5.1.2 (550 Tried all MXs shop.example)", "", "expired", 0, "4.4.1"),
        ("5.1.2 (550 No Such Domain: gone.example)", "", "bounced", 0, "5.1.2"),
        # What the attempts before said stays: only what ends them at once came last.
        ("5.1.1 (550 Tried all MXs shop.example)", "smtp;550 5.1.1 no such user", "bounced", 550, "5.1.1"),
        ("5.1.2 (550 Tried all MXs shop.example)", "smtp;450 4.2.1 try later", "expired", 450, "4.2.1"),
        ("5.2.1 (550 Tried all MXs shop.example)", "smtp;450 4.2.1 try later", "expired", 450, "4.2.1"),
        ("5.1.2 (550 No Such Domain: gone.example)", "smtp;450 4.2.1 try later", "bounced", 0, "5.1.2"),
        ("5.1.2 (450 Temporary MX lookup error for shop.example)", "", "expired", 0, "4.4.1"),
        ("5.1.0 (450 DNS lookup failure: shop.example)", "", "expired", 0, "4.4.1"),
        ("5.5.1 (550 Unrecognized response from upstream server: HTTP/1.1 400 Bad)", "", "bounced", 0, "5.5.1"),
        ("5.1.1 (bad destination mailbox address)", "smtp;250 2.1.5 ok", "bounced", 0, "5.1.1"),
        ("5.1.1", "smtp;550 5.1.1 no such user", "bounced", 550, "5.1.1"),
        ("550 User unknown", "", "bounced", 550, ""),
        ("5.1.1", "smtp;250 2.1.5 ok", "bounced", 0, "5.1.1"),
    ],
)
def test_what_haraka_and_others_make_of_a_temporary_reply(
    status: str, diagnostic: str, kind: str, code: int, expected: str
) -> None:
    recipient = group("iris@gmail.com", "Action: failed", f"Status: {status}", f"Diagnostic-Code: {diagnostic}")
    (event,) = dsn(recipient)
    assert (event.type, event.smtp_code, event.enhanced_status) == (kind, code, expected)


def test_groups_that_say_nothing_failed_where_none_says_more() -> None:
    """Haraka, where some recipients of a mail were refused."""
    for events in (dsn(group("iris@gmail.com"), group("juno@yahoo.com")), beside("", group("iris@gmail.com"))):
        assert {(event.type, event.diagnostic) for event in events} == {("bounced", "")}
    assert [event.recipient_domain for event in dsn(FAILED, group("juno@yahoo.com"))] == ["gmail.com"]


def test_haraka_says_failed_alone_of_what_it_gave_up() -> None:
    """A refusal leaves its reply there; so does no attempt that was made for other recipients too."""
    groups = [group("iris@gmail.com", "Action: failed"), group("juno@yahoo.com", "Action: failed")]
    refused = group("kim@box.example", "Action: failed", "Remote-MTA: mx", "Diagnostic-Code: smtp;550 no such user")
    haraka = dsn(*groups, refused, Received="(Haraka outbound); Mon, 3 Mar 2025 10:11:12 +0100")
    assert [event.type for event in haraka] == ["expired", "expired", "bounced"]
    assert [event.type for event in dsn(*groups, refused)] == ["bounced"] * 3


HARAKA = """\
Hi. This is the Haraka Mailer program at mx.example.net.
I'm afraid I wasn't able to deliver your message
to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

Intended Recipients: <iris@gmail.com>, <juno@yahoo.com>
Failure Reason: Some recipients failed: <iris@gmail.com>, <juno@yahoo.com>

<iris@gmail.com>: 550 5.1.1 no such user
<juno@yahoo.com>: 451 4.7.1 try again later
"""


def test_groups_that_say_nothing_are_told_of_in_the_text() -> None:
    events = beside(HARAKA, group("iris@gmail.com"), group("juno@yahoo.com"))
    assert [(event.type, event.smtp_code, event.enhanced_status) for event in events] == [
        ("bounced", 550, "5.1.1"),
        ("expired", 451, "4.7.1"),
    ]


def test_groups_without_blank_lines_between_them_keep_their_own_fields() -> None:
    """AOL; the second has no diagnostic, the third no status."""
    run_together = (
        *group("iris@gmail.com", "Original-Recipient: rfc822;iris@gmail.com", "Action: failed", "Status: 5.2.2"),
        "Diagnostic-Code: smtp; 552 5.2.2 full",
        *group("juno@yahoo.com", "Action: failed", "Status: 5.1.1"),
        *group("kim@box.example", "Action: failed", "Diagnostic-Code: smtp; 550 5.7.1 no"),
    )
    events = beside("-", run_together)
    assert [(event.recipient_domain, event.smtp_code, event.enhanced_status) for event in events] == [
        ("gmail.com", 552, "5.2.2"),
        ("yahoo.com", 0, "5.1.1"),
        ("box.example", 550, "5.7.1"),
    ]


def test_report_without_recipients_names_them_in_its_header_or_text() -> None:
    (event,) = beside("The response was:\n\n550 5.1.1 unknown\n", X_Failed_Recipients="iris@gmail.com")
    assert (event.recipient_domain, event.smtp_code, event.enhanced_status) == ("gmail.com", 550, "5.1.1")
    (event,) = beside("<iris@gmail.com>: 550 5.1.1 unknown\n")
    assert (event.recipient_domain, event.smtp_code, event.sent) == ("gmail.com", 550, ms(NOTIFIED) - 671_000)


@pytest.mark.parametrize("final", ["|/usr/bin/filter iris@gmail.com", "/var/mail/iris", "@mx.gmail.example"])
def test_pipe_or_file_is_no_recipient_where_the_text_names_one(final: str) -> None:
    (event,) = beside("  pipe to |/usr/bin/filter\n    generated by iris@gmail.com\n", group(final, "Action: failed"))
    assert event.recipient_domain == "gmail.com"


@pytest.mark.parametrize(
    ("original", "final", "address"),
    [
        ("iris+2Bnews@x.example", "iris@y.example", "iris+news@x.example"),
        ("iris+3D1@x.example", "iris=1@x.example", "iris=1@x.example"),
        ("iris+40x.example@y.example", "iris@x.example@y.example", "iris@x.example@y.example"),
        ("iris+2024@x.example", "iris+2024@x.example", "iris+2024@x.example"),
        ("iris+44@x.example", "iris@y.example", "iris+44@x.example"),
        ("iris+2024@x.example", "iris@y.example", "iris+2024@x.example"),
        ("iris+10offers@x.example", "iris@y.example", "iris+10offers@x.example"),
        ("iris+2Bnews+40y+3D1@x.example", "iris@y.example", "iris+news@y=1@x.example"),
        ("iris+2Bnews+x@x.example", "iris@y.example", "iris+news+x@x.example"),
        ('"iris+20b"@x.example', "iris@y.example", '"iris b"@x.example'),
    ],
)
def test_original_recipient_in_the_encoding_of_smtp_is_decoded(original: str, final: str, address: str) -> None:
    """RFC 3461 section 4; what may be a tag stays one."""
    named = (f"Original-Recipient: rfc822;{original}", f"Final-Recipient: rfc822;{final}", "Action: failed")
    assert dsn(named)[0].recipient_hash == hash_recipient(address, KEY)


def test_probes_are_about_no_mail() -> None:
    assert dsn(group("iris@gmail.com", "Action: deliverable", "Status: 2.0.0")) == []
    assert dsn(group("iris@gmail.com", "Action: undeliverable", "Status: 5.1.1")) == []


RECEIPT = ("Reporting-UA: mx.example.net; Mail Delivery Agent", "Final-Recipient: rfc822; iris@gmail.com")


@pytest.mark.parametrize(
    ("text", "disposition", "diagnostics"),
    [
        ("Your message to <iris@gmail.com> was automatically rejected:\nQuota exceeded", "deleted", ["Quota exceeded"]),
        ("Your message was not accepted by the filter.", "denied", ["not accepted"]),
        ("Ihre Nachricht wurde abgelehnt.", "deleted; rejected", ["abgelehnt"]),
        ("Your message was read on Monday.", "displayed", []),
        ("Your message was deleted without being read.", "deleted", []),
    ],
)
def test_receipt_is_a_bounce_where_it_rejects(text: str, disposition: str, diagnostics: list[str]) -> None:
    """RFC 5429 section 2.2, as Dovecot's LDA and Sieve write it; others say that a mail was read."""
    content = fields(*RECEIPT, f"Disposition: automatic-action/MDN-sent-automatically; {disposition}")
    raw = report("disposition-notification", content).replace(b"What happened, for people.", text.encode())
    events = read(raw)
    assert len(events) == len(diagnostics)
    for event, diagnostic in zip(events, diagnostics, strict=True):
        assert (event.type, event.message_id) == ("bounced", "weekly-44.iris@acme.example")
        assert diagnostic in event.diagnostic


def test_feedback_report_is_named_as_what_it_is() -> None:
    with pytest.raises(AdaptError, match="this is a feedback report; its format is `arf`"):
        read(report("feedback-report", "Feedback-Type: abuse\n"))


def test_mail_without_a_date_was_taken_in_when_the_returned_mail_was() -> None:
    taken = "Received: from a by b; Mon, 3 Mar 2025 09:01:00 +0000\n" + ORIGINAL
    (event,) = read(report("delivery-status", "Reporting-MTA: dns; x\n\n" + fields(*FAILED), taken, Date=""))
    assert event.time_ms == ms(datetime(2025, 3, 3, 9, 1, tzinfo=UTC))
