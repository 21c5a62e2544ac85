"""Mails within bounds: parts, header fields, dates, and mails made to hurt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import MAX_EVENT_BYTES
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, adapter, mime
from streams.adapt.addresses import addresses_in
from streams.adapt.mime import (
    MAX_DEPTH,
    MAX_GROUPS,
    MAX_HEADER_BYTES,
    MAX_PARTS,
    MimePart,
    date_ms,
    groups,
    leaves,
    read_headers,
    read_mail,
    read_part,
    words,
)
from streams.adapt.places import piece_of
from tests.support.mails import report

CONTEXT = Context(b"a key", load_providers())


def multipart(*pieces: bytes, boundary: bytes = b"b", end: bool = True) -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\n"
    marked = [b"\n--" + boundary + b"\n" + piece for piece in pieces]
    return head + b"".join(marked) + (b"\n--" + boundary + b"--\n" if end else b"")


def nested(depth: int) -> bytes:
    head = [b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(depth)]
    return b"".join(head) + b"\n\nthe innermost"


def parts_of(raw: bytes) -> list[tuple[str, bytes]]:
    return [(part.content_type, part.body) for part in leaves(read_mail(raw))]


# --- what is read ---


def test_parts_stand_between_the_boundary_lines() -> None:
    raw = multipart(b"\nfirst\n", b"Content-Type: text/html; charset=x\n\n<b>")
    assert parts_of(raw) == [("text/plain", b"first\n"), ("text/html", b"<b>")]
    assert parts_of(raw.replace(b"\n", b"\r\n")) == [("text/plain", b"first\r\n"), ("text/html", b"<b>")]


def test_last_boundary_may_be_missing_and_what_comes_after_it_does_not_count() -> None:
    assert parts_of(multipart(b"\none", end=False)) == [("text/plain", b"one")]
    assert parts_of(multipart(b"\none") + b"--b\n\ntwo") == [("text/plain", b"one")]


@pytest.mark.parametrize("boundary", [b"a+b(c)", b"x?y", b'"with space"'])
def test_boundary_may_hold_any_character_that_the_standard_allows(boundary: bytes) -> None:
    bare = boundary.strip(b'"')
    raw = b'Content-Type: multipart/mixed; boundary="' + bare + b'"\n\n--' + bare + b"\n\none\n--" + bare + b"--\n"
    assert parts_of(raw) == [("text/plain", b"one")]


def test_line_that_only_begins_like_the_boundary_is_none() -> None:
    assert parts_of(multipart(b"\n--bb\n--b x\n")) == [("text/plain", b"--bb\n--b x\n")]


@pytest.mark.parametrize(
    ("encoding", "sent", "expected"),
    [
        (b"base64", b"aGVs\nbG8=", b"hello"),
        (b"BASE64", b"aGVsbG8", b"hello"),
        (b"base64", b"aGVsbG8=\n-- \nof a list", b"hello"),
        (b"base64", b"aGVsb", b"hel"),
        (b"quoted-printable", b"h=65l=\nlo", b"hello"),
        (b"8bit", b"h\xc3\xa9", b"h\xc3\xa9"),
        (b"x-unheard-of", b"=68", b"=68"),
    ],
)
def test_transfer_encoding_is_undone_and_a_broken_one_as_far_as_it_goes(
    encoding: bytes, sent: bytes, expected: bytes
) -> None:
    assert read_mail(b"Content-Transfer-Encoding: " + encoding + b"\n\n" + sent).decoded() == expected


def test_blanks_that_were_put_at_the_end_of_quoted_lines_are_no_text() -> None:
    """RFC 2045 section 6.7, rule 3: they stood in the middle of a reply, and cut it."""
    part = read_part(b"Content-Transfer-Encoding: quoted-printable\n\nsmtp; 550 5.1.= \t\r\n1 User unknown   \n")
    assert part.text() == "smtp; 550 5.1.1 User unknown\n"


def test_byte_order_mark_is_no_part_of_the_first_field() -> None:
    assert read_mail(b"\xef\xbb\xbfDate: today\n\nx").headers.get("date") == "today"


def test_header_fields_are_unfolded_and_other_lines_passed_over() -> None:
    headers = read_headers(b"To: a@b.example,\r\n\tc@d.example\r\nno field\r\nX-Empty:\r\nX : y\r\nTO: second")
    assert headers.get("to") == "a@b.example, c@d.example"
    assert headers.all("To") == ["a@b.example, c@d.example", "second"]
    assert (headers.get("x-empty"), headers.get("x"), headers.get("absent")) == ("", "y", "")


def test_header_fields_that_are_not_utf_8_are_read_with_replacement_characters() -> None:
    assert read_headers(b"Subject: caf\xe9").get("subject") == "caf\ufffd"


def test_first_line_of_a_mailbox_file_is_no_field() -> None:
    assert read_mail(b"From MAILER-DAEMON Mon Jan  1 00:00:00 2024\nTo: a@b.example\n\n").headers.get("to")


def test_groups_of_fields_are_parted_by_blank_lines() -> None:
    found = groups(b"A: 1\nB: 2\n\n \nA: 3\r\n\r\nnothing\n\n")
    assert [group.all("a") for group in found] == [["1"], ["3"]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 3 Mar 2025 10:11:12 +0100", 1_740_993_072_000),
        ("3 Mar 2025 10:11:12 +0100 (CET)", 1_740_993_072_000),
        ("Mon,3 Mar 2025 10:11:12 +0100", 1_740_993_072_000),
        ("Mon, 3 Mar 25 09:11:12 UTC", 1_740_993_072_000),
        ("Mon, 3 Mar 2025 05:11:12 EDT", 1_740_993_072_000),
        ("Mon, 3 Mar 2025 09:11:12 -0000", 1_740_993_072_000),
        ("Mon, 3 Mar 2025 09:11:12 JST", 1_740_993_072_000),
        ("Mon, 3 Mar 2025 09:11:12", 1_740_993_072_000),
        ("", None),
        ("noon", None),
        ("29-04-2017 23:34", None),
        ("Mon, 3 Foo 2025 09:11:12 +0000", None),
        ("3 Mar 99999 09:11:12 +0000", None),
        ("9" * 5000, None),
    ],
)
def test_dates(value: str, expected: int | None) -> None:
    assert date_ms(value) == expected


@given(st.text(max_size=300))
def test_any_text_is_a_date_or_none(value: str) -> None:
    assert isinstance(date_ms(value), int | None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?b?w6k=?= x", "é x"),
        ("=?no-such-charset?q?x?=", "=?no-such-charset?q?x?="),
        ("=?utf-8?b?w6k", "=?utf-8?b?w6k"),
    ],
)
def test_encoded_words(value: str, expected: str) -> None:
    assert words(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("iris@shop.example", ["iris@shop.example"]),
        ("Iris <iris@shop.example>", ["iris@shop.example"]),
        ('"a@b.example" <iris@shop.example>', ["iris@shop.example"]),
        ("a@b.example <iris@shop.example>", ["iris@shop.example"]),
        ("iris@shop.example (Iris)", ["iris@shop.example"]),
        ("MAILER-DAEMON@mx.example (Mail, Delivery)", ["MAILER-DAEMON@mx.example"]),
        ('"Kay, Iris" <iris@shop.example>, juno@shop.example', ["iris@shop.example", "juno@shop.example"]),
        ('" a@b.example, c" <iris@shop.example>', ["iris@shop.example"]),
        ('"iris kay"@shop.example', ['"iris kay"@shop.example']),
        ("undisclosed-recipients:;", []),
        ("<>", []),
        ("", []),
    ],
)
def test_addresses_of_a_header(value: str, expected: list[str]) -> None:
    assert addresses_in(value) == expected


@pytest.mark.parametrize(
    ("pattern", "address", "expected"),
    [
        ("bounce+{}@mail.example", "bounce+acme@mail.example", "acme"),
        ("bounce+{}@mail.example", "<Bounce+Acme@MAIL.example>", "Acme"),
        ("bounce+{}=*@*", "bounce+acme=iris=x.example@mail.example", "acme"),
        ("*@{}.mail.example", "b-7@acme.mail.example", "acme"),
        ("{}-bounces@*", "acme-bounces@lists.example", "acme"),
        ("bounce+{}@mail.example", "bounce+acme@other.example", ""),
        ("bounce+{}@mail.example", "b+acme@mail.example", ""),
        ("b{}b", "b", ""),
        ("{}b*b", "ab", ""),
        ("{}", "iris@shop.example", "iris@shop.example"),
        ("*x*y*{}", "xy", ""),
    ],
)
def test_piece_of_an_envelope_sender(pattern: str, address: str, expected: str) -> None:
    assert piece_of(pattern, address) == expected


# --- bounds ---


def refused(raw: bytes, message: str) -> None:
    for name in ("arf", "dsn"):
        with pytest.raises(AdaptError, match=message):
            adapter(name)(raw, CONTEXT)


def test_mail_of_50_mb_is_refused_by_its_size() -> None:
    refused(report("feedback-report", "Feedback-Type: abuse\n") + b"x" * 50_000_000, "the limit is 1,000,000")


def test_10_000_nested_levels_are_refused() -> None:
    refused(nested(10_000), f"nested more than {MAX_DEPTH} deep")
    assert parts_of(nested(MAX_DEPTH))


def test_10_000_parts_are_refused() -> None:
    refused(multipart(*[b"\nx"] * 10_000), f"more than {MAX_PARTS} parts")
    assert len(parts_of(multipart(*[b"\nx"] * (MAX_PARTS - 1)))) == MAX_PARTS - 1


def test_no_more_parts_are_read_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def recorded(raw: bytes, kind: str = "text/plain") -> MimePart:
        read.append(raw)
        return read_part(raw, kind)

    monkeypatch.setattr(mime, "read_part", recorded)
    with pytest.raises(AdaptError):
        parts_of(multipart(*[b"\nx"] * 10_000))
    assert len(read) <= MAX_PARTS + 1


def test_parts_that_multiply_from_level_to_level_are_refused() -> None:
    raw = b"\nx"
    for level in range(4):
        raw = multipart(*[raw] * 20, boundary=b"b%d" % level) if len(raw) < 40_000 else raw
    refused(raw, f"more than {MAX_PARTS} parts")


def test_one_boundary_for_all_levels_ends() -> None:
    raw = multipart(multipart(multipart(b"\nx")))
    assert parts_of(raw)


def test_header_fields_are_bounded() -> None:
    refused(b"X: " + b"y" * MAX_HEADER_BYTES + b"\n\n", "bytes of header fields; the limit is 200,000")


def test_recipients_of_a_report_are_bounded() -> None:
    many = "Reporting-MTA: dns; a\n" + "\nFinal-Recipient: rfc822; a@b.example\n" * (MAX_GROUPS + 1)
    with pytest.raises(AdaptError, match="more than 2,000 groups of fields"):
        adapter("dsn")(report("delivery-status", many), CONTEXT)
    named = "".join(f"Original-Rcpt-To: a{number}@b.example\n" for number in range(MAX_GROUPS + 1))
    with pytest.raises(AdaptError, match="more than 2,000 recipients"):
        adapter("arf")(report("feedback-report", named), CONTEXT)


@pytest.mark.parametrize(
    "raw",
    [
        b"A:" + b" " * 190_000 + b"x\n\n",
        b"A: b\n\n" + b"\n" * 900_000,
        b"A: b\n\n" + b" \t" * 450_000,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b " * 240_000,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b" + b" " * 900_000 + b"x",
        b"Content-Type: multipart/mixed;" + b" a*0=b;" * 20_000 + b"\n\n",
        b"Content-Type: multipart/mixed; boundary=" + b"\\" * 100_000 + b"\n\n",
        b"From: " + b"<" * 190_000 + b"\n\n",
        b"From: " + b"<a@" * 60_000 + b"\nDate: Mon, 3 Mar 2025 10:11:12 +0100\n\n",
        b"To: "
        + b"(" * 190_000
        + b"\nX-Failed-Recipients: "
        + b"a@b.example," * 800
        + b"\n\n"
        + b"a@b.example " * 60_000,
        b"Received: " + b";" * 190_000 + b"\n\n",
        b"From: postmaster@a.example\n\n" + b"Final-Recipient: rfc822; \n" * 30_000,
        b"From: postmaster@a.example\n\n" + b"Final-Recipient:" * 60_000,
    ],
    ids=range(13),
)
def test_text_made_to_be_slow_is_read_or_refused_in_passes_over_its_bytes(raw: bytes) -> None:
    """A pattern that tries again from each place takes hours here, and the suite's limit of time ends it."""
    assert len(raw) <= MAX_EVENT_BYTES
    for name in ("arf", "dsn"):
        try:
            assert adapter(name)(raw, CONTEXT) == []
        except AdaptError:
            continue


@given(
    cut=st.integers(0, 900), byte=st.binary(max_size=3), kind=st.sampled_from(["feedback-report", "delivery-status"])
)
def test_report_cut_or_spoilt_anywhere_gives_events_or_the_one_error(cut: int, byte: bytes, kind: str) -> None:
    content = "Feedback-Type: abuse\n\nFinal-Recipient: rfc822; iris@gmail.com\nAction: failed\nStatus: 5.1.1\n"
    good = report(kind, content)
    for raw in (good[:cut], good[:cut] + byte + good[cut + len(byte) :], good[cut:]):
        try:
            for event in adapter("arf" if kind == "feedback-report" else "dsn")(raw, CONTEXT):
                assert event.customer
                assert event.recipient == ""
        except AdaptError:
            pass
