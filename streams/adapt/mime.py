"""Mails read within bounds: header fields, the parts of a multipart mail, and dates (RFC 5322, RFC 2045, RFC 2046).

Only what reports need is read. A mail that goes over a bound is an error, so that no mail costs more than a few
passes over its bytes. What the standards forbid and senders do all the same is read leniently: a missing last
boundary, lines of a header without a colon, a first line `From ` of a mailbox file.
"""

import binascii
import quopri
import re
from calendar import timegm
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_tz

from schemas.event import MAX_EVENT_BYTES
from streams.adapt.base import AdaptError

MAX_PARTS = 100
MAX_DEPTH = 8
#: Groups of fields in one report: its recipients.
MAX_GROUPS = 2_000
#: The header fields of one mail or part, in bytes.
MAX_HEADER_BYTES = 200_000
#: One value that is looked into: parameters, encoded words.
MAX_VALUE = 4_000

_BLANK_LINE = re.compile(rb"(?:^|\r?\n)[ \t]*\r?\n")
_FOLDED = re.compile(r"\r?\n[ \t]+")
_FIELD = re.compile(r"^([!-9;-~]+)[ \t]*:(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields by their names in lower case: the unfolded values of each in their order."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """The first value of a field; empty where it is not there."""
        return next(iter(self.fields.get(name.lower(), ())), "")

    def all(self, name: str) -> list[str]:
        """All values of a field that are not empty."""
        return [value for value in self.fields.get(name.lower(), ()) if value]

    def __bool__(self) -> bool:
        """Whether there are any fields."""
        return bool(self.fields)


@dataclass(frozen=True, slots=True)
class MimePart:
    """A mail or a part of one: its header fields, its type (lower case, without parameters), its bytes as sent."""

    headers: Headers
    content_type: str
    boundary: str
    body: bytes

    def decoded(self) -> bytes:
        """The bytes without their transfer encoding (RFC 2045 section 6); as they are where that is broken."""
        encoding = self.headers.get("content-transfer-encoding").lower()
        if encoding == "quoted-printable":
            return quopri.decodestring(self.body)
        if encoding == "base64":
            try:
                return binascii.a2b_base64(self.body)
            except binascii.Error:
                return self.body
        return self.body

    def text(self) -> str:
        """The decoded bytes as text; what is not UTF-8 becomes a replacement character."""
        return self.decoded().decode("utf-8", "replace")


def read_mail(raw: bytes) -> MimePart:
    """A mail's header fields and body.

    Raises:
        AdaptError: too large, or not a mail: there is no header field.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
    if not raw.strip():
        raise AdaptError("the message is empty")
    raw = raw.lstrip(b"\r\n")
    if raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2]
    mail = read_part(raw)
    if not mail.headers:
        raise AdaptError("the message is not a mail: it begins with no header field")
    return mail


def read_part(raw: bytes, default_type: str = "text/plain") -> MimePart:
    """A part's header fields and body.

    Raises:
        AdaptError: the header fields are too large.
    """
    blank = _BLANK_LINE.search(raw)
    head, body = (raw[: blank.start()], raw[blank.end() :]) if blank else (raw, b"")
    headers = read_headers(head)
    content_type, boundary = _type_of(headers.get("content-type"), default_type)
    return MimePart(headers, content_type, boundary, body)


def read_headers(block: bytes) -> Headers:
    """The header fields of a block; lines that are none are passed over.

    Raises:
        AdaptError: too large.
    """
    if len(block) > MAX_HEADER_BYTES:
        raise AdaptError(f"the mail has {len(block):,} bytes of header fields; the limit is {MAX_HEADER_BYTES:,}")
    text = _FOLDED.sub(" ", block.decode("utf-8", "replace"))
    found: dict[str, list[str]] = {}
    for name, value in _FIELD.findall(text):
        found.setdefault(name.lower(), []).append(value.strip())
    return Headers(found)


def groups(block: bytes) -> list[Headers]:
    """The groups of fields in a block, which blank lines part (RFC 3464 section 2.1); empty ones are left out.

    Raises:
        AdaptError: too large, or too many groups.
    """
    pieces = _BLANK_LINE.split(block, MAX_GROUPS)
    if len(pieces) > MAX_GROUPS:
        raise AdaptError(f"the report has more than {MAX_GROUPS:,} groups of fields")
    return [found for piece in pieces if (found := read_headers(piece))]


def leaves(mail: MimePart) -> list[MimePart]:
    """The parts of a mail that are no multiparts, in their order; the mail itself where it has none.

    A `message/rfc822` part is a leaf: `read_part(part.decoded())` gives the mail in it.

    Raises:
        AdaptError: too many parts, or nested too deeply.
    """
    found: list[MimePart] = []
    waiting = [(mail, 0)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if seen > MAX_PARTS:
            raise AdaptError(f"the mail has more than {MAX_PARTS} parts")
        if not part.content_type.startswith("multipart/") or not part.boundary:
            found.append(part)
            continue
        if depth >= MAX_DEPTH:
            raise AdaptError(f"the parts of the mail are nested more than {MAX_DEPTH} deep")
        inner = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
        pieces = [read_part(piece, inner) for piece in _pieces(part.body, part.boundary)]
        waiting += [(each, depth + 1) for each in reversed(pieces)]
    return found


def _pieces(body: bytes, boundary: str) -> Iterator[bytes]:
    """What stands between the boundary lines of a multipart body (RFC 2046 section 5.1.1)."""
    line = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?=\r?\n|$)")
    start = None
    for number, mark in enumerate(line.finditer(body)):
        if number > MAX_PARTS:
            raise AdaptError(f"the mail has more than {MAX_PARTS} parts")
        if start is not None:
            yield _after_line_end(body[start : mark.start()])
        if mark[1]:
            return
        start = mark.end()
    if start is not None:
        yield _after_line_end(body[start:])


def _after_line_end(piece: bytes) -> bytes:
    return piece.removeprefix(b"\r").removeprefix(b"\n")


def _type_of(value: str, default: str) -> tuple[str, str]:
    """(type, boundary) of a Content-Type field; the default where it is missing or no type (RFC 2045 section 5.2)."""
    name = value.partition(";")[0].strip().lower()
    if name.count("/") != 1:
        return default, ""
    if not name.startswith("multipart/"):
        return name, ""
    holder = Message()
    holder["Content-Type"] = value[:MAX_VALUE]
    return name, holder.get_boundary("") or ""


def words(value: str) -> str:
    """A header value with its encoded words decoded (RFC 2047); as it is where that fails."""
    if "=?" not in value or len(value) > MAX_VALUE:
        return value.strip()
    try:
        return str(make_header(decode_header(value))).strip()
    except (HeaderParseError, LookupError, ValueError):
        return value.strip()


def date_ms(value: str) -> int | None:
    """Epoch ms, UTC, of a mail's date (RFC 5322 section 3.3); None where it is none.

    A zone that is no number and not in the standard's table is read as UTC, as section 4.3 has it.
    """
    try:
        parsed = parsedate_tz(value[:200])
        if parsed is None:
            return None
        return (timegm((*parsed[:6], 0, 0, 0)) - (parsed[9] or 0)) * 1000
    except (ValueError, IndexError, OverflowError, TypeError):
        return None
