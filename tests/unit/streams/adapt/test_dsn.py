"""Delivery status notifications by mail."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from schemas.event import MailEvent
from schemas.times import epoch_ms
from streams.adapt import AdaptError, FormatOptions
from streams.adapt.canonical import hash_recipient
from tests.support.mails import ORIGINAL, fields, report
from tests.support.notifications import ABOUT, FAILED, KEY, NOTIFIED, dsn, ms, read


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
        # Postfix's `soft_bounce` changes the class of a status that says more, too.
        ("4.0.0", "smtp; 550 5.7.1 no", 550, "5.7.1"),
        ("4.2.2", "smtp; 552 5.2.2 full", 552, "4.2.2"),
        ("4.0.0", "smtp; 550 no", 550, ""),
        ("4.2.2", "smtp; 552 4.2.2 full", 552, "4.2.2"),
        ("4.4.7", "smtp; 550 5.1.1 none", 550, "4.4.7"),
        ("4.0.0", "smtp; 550 5.4.300 Message expired", 550, "4.0.0"),
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
    assert event.type == ("expired" if expected.startswith("4") else "bounced")


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
