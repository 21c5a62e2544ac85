"""Notifications within mails: forwarded ones count as they came, and what became of one is nobody's mail."""

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter
from tests.support.mails import ORIGINAL, report

CONTEXT = Context(b"a key", load_providers(), {"dsn": FormatOptions(default_customer="house")})
STATUS = "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; {}\nAction: failed\nStatus: 5.1.1\n"
HEAD = (
    "From: Ida <ida@acme.example>\nTo: abuse@esp.example\nDate: Tue, 4 Mar 2025 10:00:00 +0000\n"
    "Message-ID: <7@acme.example>\nSubject: {}\nMIME-Version: 1.0\n{}"
)


def read(mail: bytes) -> list[MailEvent]:
    return list(adapter("dsn")(mail, CONTEXT))


def bounce(recipient: str = "iris@gmail.com", original: str = ORIGINAL) -> bytes:
    return report("delivery-status", STATUS.format(recipient), original).replace(b"\r\n", b"\n")


def with_attached(
    *mails: bytes, kind: str = "multipart/mixed", subject: str = "Fwd: Undelivered", more: str = ""
) -> bytes:
    part = "" if kind == "multipart/digest" else "Content-Type: message/rfc822\n"
    head = HEAD.format(subject, f"{more}Content-Type: {kind}; boundary=forward\n\n")
    parts = [b"\n--forward\n" + part.encode() + b"\n" + each for each in mails]
    text = b"--forward\nContent-Type: text/plain\n\nWhat is this?\n" if kind == "multipart/mixed" else b""
    return head.encode() + text + b"".join(parts) + b"\n--forward--\n"


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/digest"])
def test_forwarded_notifications_are_the_events_that_they_were(kind: str) -> None:
    """Also the ids are the same: forwarded besides, a notification counts once."""
    several = [bounce(), bounce("ida@yahoo.com")]
    assert read(with_attached(*several, kind=kind)) == [event for each in several for event in read(each)]
    twice = with_attached(with_attached(bounce()))
    assert read(twice) == read(bounce())


def test_mail_that_is_wholly_a_forwarded_one_is_read() -> None:
    mail = HEAD.format("Fwd", "Content-Type: message/rfc822\n\n").encode() + bounce()
    assert read(mail) == read(bounce())


@pytest.mark.parametrize(
    "mail",
    [
        with_attached(ORIGINAL.encode() + b"\nHello."),
        with_attached(bounce(), subject="Automatic reply: Undelivered", more="Auto-Submitted: auto-replied\n"),
    ],
    ids=["another mail", "an automatic answer"],
)
def test_mail_with_something_else_attached_and_an_answer_give_nothing(mail: bytes) -> None:
    assert read(mail) == []


RETURNED_BOUNCE = bounce().decode()
QMAIL_BOUNCE = "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\nTo: b@acme.example\nSubject: failure notice\n"


@pytest.mark.parametrize("original", [RETURNED_BOUNCE, QMAIL_BOUNCE], ids=["a report", "an empty sender"])
def test_notification_that_was_not_delivered_is_nobodys_mail(original: str) -> None:
    assert read(bounce("MAILER-DAEMON@mx.example.net", original)) == []


def test_mail_of_a_customer_with_an_empty_envelope_sender_counts() -> None:
    original = ORIGINAL.replace("<bounce+acme+iris=gmail.com@mail.acme.example>", "<>")
    (event,) = read(bounce(original=original))
    assert event.type == "bounced"
