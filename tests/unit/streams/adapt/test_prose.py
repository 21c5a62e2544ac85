"""Bounce mails without a report that programs could read, and mails that are no bounces."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, adapter
from streams.adapt.canonical import hash_recipient
from tests.fuzz import run as fuzz
from tests.support.mails import ORIGINAL

KEY = b"a key"
CONTEXT = Context(KEY, load_providers())
CASES = tomllib.loads(Path(__file__).with_name("prose.toml").read_text(encoding="utf-8"))["case"]


def mail(body: str, **headers: str) -> bytes:
    usual = {
        "From": "MAILER-DAEMON@mx.example.net",
        "To": "bounce@mail.acme.example",
        "Date": "Mon, 3 Mar 2025 10:11:12 +0100",
        "Message-ID": "<n1@mx.example.net>",
    }
    fields = usual | {name.replace("_", "-"): value for name, value in headers.items()}
    return "\n".join([*(f"{name}: {value}" for name, value in fields.items() if value), "", body]).encode()


def read(raw: bytes) -> list[MailEvent]:
    return adapter("dsn")(raw, CONTEXT)


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_each_recipient_has_what_the_text_says_of_it(case: dict[str, Any]) -> None:
    headers = {"From": case["from"]} if "from" in case else {}
    events = read(mail(case["body"], Subject=case["subject"], **headers))
    told = [line.split(" ", 4) for line in case["told"]]
    assert [
        (event.recipient_hash, event.type, str(event.smtp_code), event.enhanced_status or "-") for event in events
    ] == [(hash_recipient(address, KEY), kind, code, status) for address, kind, code, status, _ in told]
    for event, (*_, words) in zip(events, told, strict=True):
        assert words in event.diagnostic
        assert (event.customer, event.asynchronous) == ("mail.acme.example", event.type != "deferred")
        assert event.message_id == ("w1@acme.example" if "w1@acme" in case["body"] else "")


QMAIL = CASES[0]["body"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Subject": "Automatic reply: News", "Auto_Submitted": "auto-replied"},
        {"Subject": "Away until Monday"},
        {"Subject": "Re: News", "X_Autoreply": "yes", "Return_Path": "<>"},
        {"Subject": "Abwesenheitsnotiz", "Precedence": "auto_reply"},
        {"Subject": "Please confirm your subscription", "Auto_Submitted": "auto-generated"},
        {"Subject": "Please verify that you wrote this"},
        {"Subject": "Your message to Talk awaits moderator approval", "From": "postmaster@list.example"},
        {"Subject": "[list] Weekly", "List_Id": "<list.example>", "Precedence": "list"},
        {"Subject": "Automatic reply: News", "From": "postmaster@shop.example"},
        {"Subject": "Vacation", "From": "MAILER-DAEMON@shop.example", "Auto_Submitted": "auto-replied (vacation)"},
    ],
    ids=lambda headers: headers["Subject"],
)
def test_mail_that_is_no_notification_gives_no_event(headers: dict[str, str]) -> None:
    """RFC 3834; the address to which bounces go gets much besides."""
    body = "I am away until Monday. Ask\n\njuno@shop.example: she knows.\n"
    assert read(mail(body, **{"From": "iris@shop.example", **headers})) == []


def test_question_whether_somebody_is_a_person_is_no_bounce() -> None:
    body = "Your message to\n\niris@shop.example\n\nwaits: click the link to verify that you sent it."
    assert read(mail(body, From="postmaster@shop.example", Subject="Message held", Return_Path="<>")) == []


def test_person_who_quotes_a_bounce_is_no_mail_system() -> None:
    assert read(mail(QMAIL, From="iris@shop.example", Return_Path="<iris@shop.example>", Subject="Fwd: failure")) == []


def test_notification_that_names_nobody_is_refused() -> None:
    with pytest.raises(AdaptError, match="its text names no recipient"):
        read(mail("Something went wrong.", Subject="failure notice"))


@pytest.mark.parametrize(
    "text",
    [
        "Please contact\npostmaster@example.net\nfor help.",
        "Your message to the list was not delivered, please contact helper@example.net.",
        "Your message to <bounce@mail.acme.example> could not be read.",
    ],
)
def test_address_in_passing_is_no_recipient(text: str) -> None:
    with pytest.raises(AdaptError, match="names no recipient"):
        read(mail(text, Subject="Undeliverable"))


def test_recipient_of_the_returned_mail_is_no_guess() -> None:
    """`To` may be a list, or nobody; what a host took the mail in for is the envelope."""
    head = "Something is wrong.\n\n--- Original message ---\n\n"
    taken = "Received: from a by b for <iris@shop.example>; Mon, 3 Mar 2025 10:00:00 +0000\n"
    (event,) = read(mail(f"{head}{taken}To: list@acme.example\n", Subject="failure notice"))
    assert event.recipient_hash == hash_recipient("iris@shop.example", KEY)
    with pytest.raises(AdaptError, match="names no recipient"):
        read(mail(f"{head}To: everybody@acme.example\n", Subject="failure notice"))


@pytest.mark.parametrize(
    ("charset", "encoding"), [("iso-8859-1", "latin-1"), ("windows-1252", "cp1252"), ("iso-2022-jp", "iso2022_jp")]
)
def test_text_is_read_in_the_character_set_that_it_names(charset: str, encoding: str) -> None:
    said = "宛先不明" if charset == "iso-2022-jp" else "Empfänger unbekannt"
    raw = mail("", Subject="failure notice", Content_Type=f'text/plain; charset="{charset}"')
    (event,) = read(raw + f"\n<iris@shop.example>:\n{said}\n".encode(encoding))
    assert event.diagnostic == said


@pytest.mark.parametrize("charset", ["unicode_escape", "no-such", "zlib", "idna", "\\x00"])
def test_character_set_that_is_none_is_read_as_utf_8(charset: str) -> None:
    raw = mail(
        "<iris@shop.example>:\nEmpfänger unbekannt\n",
        Subject="failure notice",
        Content_Type=f"text/plain; charset={charset}",
    )
    assert read(raw)[0].diagnostic == "Empfänger unbekannt"


def test_html_is_read_where_there_is_no_plain_text() -> None:
    markup = (
        "<html><head><style>p{}</style></head><body><p>&lt;iris@shop.example&gt;:<br>550 5.1.1 no such user</p></body>"
    )
    (event,) = read(mail(markup, Subject="failure notice", Content_Type="text/html"))
    assert (event.smtp_code, event.diagnostic) == (550, "550 5.1.1 no such user")


def test_mailbox_file_of_several_mails_is_named_as_such() -> None:
    """And a mail that is quoted in one is not taken for another."""
    first = b"From MAILER-DAEMON Mon Mar  3 09:11:12 2025\n" + mail(QMAIL, Subject="failure notice")
    with pytest.raises(AdaptError, match=r"mailbox file \(mbox\) of several mails"):
        read(first + b"\n" + first)
    assert len(read(first + b"\nbounced E-Mail:\n\n" + first)) == 2


def test_hundreds_of_recipients_are_read_in_passes_over_the_text() -> None:
    named = "".join(f"<r{number}@shop.example>:\n550 5.1.{number % 3} no {number}\n\n" for number in range(400))
    events = read(mail(named, Subject="failure notice"))
    assert [event.diagnostic for event in events] == [f"550 5.1.{number % 3} no {number}" for number in range(400)]


def test_more_recipients_than_are_read_are_refused_not_forgotten() -> None:
    named = "".join(f"<r{number}@shop.example>:\n550 5.1.1 no\n\n" for number in range(10_000))
    with pytest.raises(AdaptError, match="the text names more recipients than are read"):
        read(mail(named, Subject="failure notice"))
    listed = ", ".join(f"r{number}@shop.example" for number in range(1_000))
    with pytest.raises(AdaptError, match="`X-Failed-Recipients` has more than"):
        read(mail("", X_Failed_Recipients=listed))


REPORT = "Content-Type: multipart/report; boundary=b\n\n--b\n"
GROUPS = "".join(f"Final-Recipient: rfc822; |x{number}\nAction: failed\n\n" for number in range(1_900))


@pytest.mark.parametrize(
    "raw",
    [
        mail("<a@shop.example> " * 50_000, Subject="failure notice"),
        mail("@" * 900_000, Subject="failure notice"),
        mail("recipient: smtp: mailbox: " * 30_000 + "a@b.example", Subject="failure notice"),
        mail(("-" * 79 + "\n") * 11_000, Subject="failure notice"),
        mail("<br " * 200_000, Subject="failure notice", Content_Type="text/html"),
        mail("+AAAA-" * 150_000, Subject="failure notice", Content_Type="text/plain; charset=utf-7"),
        b"From a Mon Mar  3 09:11:12 2025\n" + mail(":\n\nFrom a Mon Mar  3 09:11:12 2025\nX: y\n" * 20_000),
        mail((REPORT + "Content-Type: message/rfc822\n\n") * 5_000, Subject="failure notice"),
        mail((REPORT + "Content-Type: message/delivery-status\n\n") * 4_000, Subject="failure notice"),
        mail(
            "--b\n\n"
            + "generated by a@b.example\n" * 1_900
            + f"--b\nContent-Type: message/delivery-status\n\n{GROUPS}",
            Content_Type="multipart/report; boundary=b",
        ),
        mail("x", Subject="=?utf\x00-8?q?x?="),
    ],
    ids=range(11),
)
def test_mail_made_to_be_slow_is_read_or_refused_in_time(raw: bytes) -> None:
    assert fuzz.hold(adapter("dsn"), raw[:1_000_000]) in {"events", "none", "refused"}


def test_returned_mail_is_not_looked_through() -> None:
    quoted = f"--- Below this line is a copy of the message.\n\n{ORIGINAL}\n\n<juno@shop.example>:\n550 5.1.1 no\n"
    (event,) = read(mail(f"<iris@shop.example>:\n550 5.1.1 gone\n\n{quoted}", Subject="failure notice"))
    assert (event.diagnostic, event.message_id) == ("550 5.1.1 gone", "weekly-44.iris@acme.example")
