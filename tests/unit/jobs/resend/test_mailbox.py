"""Mailbox files of every kind, taken apart into mails."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.resend.mailbox import begins_mailbox, delivered_ms, mails_of

FIRST = b"From fbl@harbour.example Mon Mar  3 09:11:12 2025\n"
OTHERS = [
    b"From - Mon Mar 03 09:11:12 2025\n",
    b"From 1234567890123456789@xxx Mon Mar 03 09:11:12 +0000 2025\r\n",
    b"From MAILER-DAEMON Mon Mar  3 09:11:12 CET 2025\n",
    b"From fbl@harbour.example  Mon Mar  3 09:11 2025\n",
]
LIMIT = 1_000_000


def mail(subject: str, body: bytes = b"text\n", fields: bytes = b"") -> bytes:
    return b"Subject: " + subject.encode() + b"\n" + fields + b"\n" + body


def mails(raw: bytes, limit: int = LIMIT) -> list[bytes]:
    return [each.text for each in mails_of(io.BytesIO(raw), limit)]


def test_mails_come_in_their_order_without_their_first_line() -> None:
    raw = b"".join(FIRST + mail(each) + b"\n" for each in "abc")
    assert mails(raw) == [mail(each) + b"\n" for each in "abc"]


@pytest.mark.parametrize("first", OTHERS)
def test_first_lines_of_other_writers_are_known(first: bytes) -> None:
    assert begins_mailbox(first)
    assert len(mails(first + mail("a") + b"\n" + first + mail("b"))) == 2


@pytest.mark.parametrize("first", [FIRST, *OTHERS])
def test_first_line_tells_when_a_mail_was_put_there(first: bytes) -> None:
    """A time without an offset is UTC (RFC 4155)."""
    (found,) = mails_of(io.BytesIO(first + mail("a")), LIMIT)
    assert found.delivered_ms is not None
    assert found.delivered_ms // 60_000 == 1_740_993_072_000 // 60_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"From a@b.example Mon Mar  3 09:11:12 2025 +0100\n", 1_740_989_472_000),
        (b"From May@Mon.example 3 Mar 2025 09:11:12 +0000\n", 1_740_993_072_000),
        (b"From a@b.example 09:11:12 2025\n", None),
        (b"From a@b.example Mon Mar 33 99:11:12 2025\n", None),
        (b"From " + b"Mar " * 5_000, None),
    ],
)
def test_first_line_of_another_kind_tells_what_it_can(line: bytes, expected: int | None) -> None:
    assert delivered_ms(line) == expected


@pytest.mark.parametrize("line", [b"From here on it goes\n", b"From: a@b.example\n", b"From \n", b"From 2025 on\n"])
def test_prose_begins_no_mail(line: bytes) -> None:
    assert not begins_mailbox(line)
    assert len(mails(FIRST + mail("a", b"text\n\n" + line + b"text: more\n"))) == 1


def test_line_like_a_first_one_without_a_field_behind_begins_no_mail() -> None:
    assert len(mails(FIRST + mail("a", b"he wrote\n" + FIRST + b"\nand so on\n"))) == 1


def test_quoting_is_taken_away() -> None:
    """mboxo quotes `From `, mboxrd `>From ` too."""
    body = b">From me\n>>From you\n> From them\n"
    assert mails(FIRST + mail("a", body)) == [mail("a", b"From me\n>From you\n> From them\n")]


def test_length_tells_where_a_mail_ends() -> None:
    """mboxcl2: first lines in the mail are not quoted, as in a mail that holds a mailbox file."""
    body = b"see:\n\n" + FIRST + mail("inner")
    fields = b"Content-Length: %d\n" % len(body)
    raw = FIRST + mail("a", body, fields) + b"\n" + FIRST + mail("b")
    assert mails(raw) == [mail("a", body, fields), mail("b")]


@pytest.mark.parametrize("length", [0, 1, 5, 27, 10_000, 10**11])
def test_length_that_is_wrong_is_not_believed(length: int) -> None:
    fields = b"Content-Length: %d\n" % length
    raw = b"".join(FIRST + mail(each, b"text\n", fields) + b"\n" for each in "abc" * 10)
    assert len(mails(raw)) == 30


def test_of_a_large_mail_the_beginning_is_kept() -> None:
    found = mails(FIRST + mail("a", b"x" * 70 + b"\n" + b"y\n" * 5_000) + b"\n" + FIRST + mail("b"), limit=1_000)
    assert [len(each) < 1_100 for each in found] == [True, True]
    assert found[1] == mail("b")


def test_no_mail_begins_within_a_line_however_long() -> None:
    """Nothing quotes there, so anybody could send a mail within a mail that way, with any host's word for it."""
    body = b"x" * 1_000_000 + FIRST + mail("inner")
    assert len(mails(FIRST + mail("a", body))) == 1


@given(st.lists(st.sampled_from([FIRST, b"\n", b"a: b\n", b">From x\n", b"Content-Length: 12\n", b"x\r\n", b"\xff"])))
def test_any_lines_end_and_no_byte_comes_twice(lines: list[bytes]) -> None:
    raw = b"".join(lines)
    assert sum(map(len, mails(raw))) <= len(raw)
