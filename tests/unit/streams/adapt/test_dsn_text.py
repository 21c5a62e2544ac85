"""Delivery status notifications whose fields say too little: what their text tells, and how other hosts write them."""

from datetime import UTC, datetime

import pytest

from schemas.event import MailEvent
from streams.adapt import AdaptError
from streams.adapt.canonical import hash_recipient
from tests.support.mails import ORIGINAL, fields, report
from tests.support.notifications import ABOUT, FAILED, KEY, NOTIFIED, dsn, ms, read

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
