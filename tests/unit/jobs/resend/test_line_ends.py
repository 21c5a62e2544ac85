"""Files whose lines end with a carriage return alone are read as if they ended with a line feed."""

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.resend.bad_records import BadRecord
from jobs.resend.ingest_file import read_events
from jobs.resend.unpack import PIECE, unpacked
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions
from tests.support.mails import report
from tests.support.root import ROOT

EXAMPLES = ROOT / "docs" / "examples"
HOUSE = FormatOptions(default_customer="house")
COMPLAINTS = b"".join(
    b"From MAILER-DAEMON Thu Sep 18 10:00:00 2025\n"
    + report("feedback-report", f"Feedback-Type: abuse\nOriginal-Rcpt-To: a{number}@gmail.com\n").replace(
        b"\r\n", b"\n"
    )
    + b"\n"
    for number in range(3)
).replace(b"\r\n", b"\n")
FILES = {
    "arf": COMPLAINTS,
    "postfix": (EXAMPLES / "postfix.log").read_bytes(),
    "exim": (EXAMPLES / "exim.log").read_bytes(),
    "powermta": (EXAMPLES / "powermta.csv").read_bytes(),
    "kumomta": (EXAMPLES / "kumomta.jsonl").read_bytes(),
}


def lines_read(raw: bytes) -> bytes:
    return unpacked(io.BytesIO(raw), "log")[0].read()


def ids(raw: bytes, format_name: str) -> list[str]:
    context = Context(
        hash_key=b"a key", providers=load_providers(), mapping={format_name: HOUSE}, clock=lambda: 1_760_000_000_000
    )
    found = list(read_events(unpacked(io.BytesIO(raw), "log")[0], format_name, context))
    events = [each for each in found if not isinstance(each, BadRecord)]
    assert len(events) == len(found)
    return [each.id for each in events]


@pytest.mark.parametrize("format_name", FILES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_file_with_returns_alone_gives_the_same_events(format_name: str, pack: type[bytes]) -> None:
    raw = FILES[format_name]
    expected = ids(raw, format_name)
    assert len(expected) > 1
    assert ids(pack(raw.replace(b"\n", b"\r")), format_name) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a\rb\rc", b"a\nb\nc"),
        (b"a\r", b"a\r"),
        (b"a\r\nb\r\nc", b"a\r\nb\r\nc"),
        (b'a,"b\rc"\nd', b'a,"b\rc"\nd'),
        (b"x" * (PIECE - 1) + b"\r\ny\n", b"x" * (PIECE - 1) + b"\r\ny\n"),
        (b"x" * 3 * PIECE + b"\ry\r", b"x" * 3 * PIECE + b"\ny\n"),
        (b"", b""),
    ],
    ids=["alone", "the only one, at the end", "of Windows", "within a line", "cut by a piece", "late", "empty"],
)
def test_returns_are_line_ends_only_where_nothing_else_ends_a_line(raw: bytes, expected: bytes) -> None:
    assert lines_read(raw) == expected


@given(st.lists(st.binary(max_size=30).filter(lambda line: not {10, 13} & set(line)), min_size=1, max_size=20))
def test_lines_are_the_same_whatever_ends_them(lines: list[bytes]) -> None:
    assert lines_read(b"\r".join([*lines, b"."])).split(b"\n") == [*lines, b"."]
