"""Mails read within bounds: header fields, the parts of a multipart mail, and dates (RFC 5322, RFC 2045, RFC 2046).

Only what reports need is read. A mail that goes over a bound is an error, so that no mail costs more than a few
passes over its bytes. What the standards forbid and senders do all the same is read leniently: a missing last
boundary, lines of a header without a colon, a first line `From ` of a mailbox file.
"""

import binascii
import codecs
import quopri
import re
from calendar import timegm
from codecs import BOM_UTF8
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_tz
from operator import contains

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

#: Behind the end of a line.
_BLANK_LINE = re.compile(rb"\n[ \t]*\r?\n")
_FOLDED = re.compile(r"\n[ \t]+")
_FIELD = re.compile(r"^([!-9;-~]+)[ \t]*:(.*)$", re.MULTILINE)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
#: Character sets in which mails are read; by the names that Python's codecs have. Others, among them such as take more
#: than linear time or are none (`unicode_escape`), are read as UTF-8.
_CHARSETS = re.compile(
    r"ascii|utf-8|utf-16(-[bl]e)?|utf-7|iso8859-\d{1,2}|cp\d{3,4}|koi8-[ru]|mac-\w{1,12}|tis-620"
    r"|iso2022_(jp|kr)(_\w{1,4})?|shift_jis\w{0,5}|euc_\w{2,10}|gb2312|gbk|gb18030|hz|big5\w{0,6}|johab"
)
_TRAILING = re.compile(rb"[ \t]+(?=\r?$)", re.MULTILINE)
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
#: The first line of a mail in a mailbox file (RFC 4155): `From bounce@acme.example Mon Mar  3 09:11:12 2025`.
_NEXT_MAIL = re.compile(rb"\n\r?\nFrom ([^\r\n]{10,300})\r?\n[!-9;-~]{1,80}:")
_ENDS_IN_DATE = re.compile(rb"\d\d:\d\d.{0,20} \d{4}( [+-]\d{4})?\s*\Z")


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields by their names in lower case: the unfolded values of each in their order."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """The first value of a field; empty where it is not there."""
        values = self.fields.get(name.lower())
        return values[0] if values else ""

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
            # Blanks at the end of a line were put there on the way (RFC 2045 section 6.7, rule 3).
            return quopri.decodestring(_TRAILING.sub(b"", self.body))
        if encoding == "base64":
            try:
                return binascii.a2b_base64(self.body)
            except binascii.Error:
                # Cut short, or followed by what another host added: as far as it goes.
                whole = _NO_BASE64.sub(b"", self.body.partition(b"=")[0])
                whole = whole[:-1] if len(whole) % 4 == 1 else whole
                return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
        return self.body

    def text(self) -> str:
        """The decoded bytes as text in the character set that the part names, with LF at the ends of lines; what is
        none becomes a replacement character."""
        body = self.decoded().replace(b"\r\n", b"\n")
        charset = _CHARSET.search(self.headers.get("content-type")[:MAX_VALUE])
        try:
            name = codecs.lookup(charset[1]).name if charset else ""
            # Hosts that say `us-ascii` write addresses of RFC 6531 in UTF-8 all the same.
            if name not in ("", "ascii", "utf-8") and _CHARSETS.fullmatch(name):
                return body.decode(name, "replace")
        except (LookupError, UnicodeError):
            pass
        return body.decode("utf-8", "replace")


def read_mail(raw: bytes) -> MimePart:
    """A mail's header fields and body.

    Raises:
        AdaptError: too large, a mailbox file of several mails, or not a mail: there is no header field.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
    if not raw.strip():
        raise AdaptError("the message is empty")
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    raw = raw.removeprefix(BOM_UTF8).lstrip(b"\r\n")
    if raw.startswith((b"From ", b">From ")):
        if _holds_several(raw):
            raise AdaptError("this is a mailbox file (mbox) of several mails; give each mail as a message of its own")
        raw = raw.partition(b"\n")[2]
    mail = read_part(raw)
    if not mail.headers:
        raise AdaptError("the message is not a mail: it begins with no header field")
    return mail


def _holds_several(raw: bytes) -> bool:
    """Whether a mailbox file goes on with another mail. A mail that is quoted comes after a line that says so."""
    for found in _NEXT_MAIL.finditer(raw):
        if not _ENDS_IN_DATE.search(found[1][-50:]):
            continue
        before = raw[max(0, found.start() - 200) : found.start()].rstrip().rpartition(b"\n")[2].rstrip()
        if not before.endswith((b":", b"---", b"===")):
            return True
    return False


def read_part(raw: bytes, default_type: str = "text/plain") -> MimePart:
    """A part's header fields and body.

    Raises:
        AdaptError: the header fields are too large.
    """
    head, body = (*at_blank_lines(raw, 1), b"")[:2]
    headers = read_headers(head)
    content_type, boundary = _type_of(headers.get("content-type"), default_type)
    return MimePart(headers, content_type, boundary, body)


def at_blank_lines(block: bytes, most: int = 0) -> list[bytes]:
    """What stands before, between and behind blank lines, without the line ends before them; split at `most` of them
    (0: at all)."""
    pieces = _BLANK_LINE.split(b"\n" + block, most)
    pieces[:-1] = [piece.removesuffix(b"\r") for piece in pieces[:-1]]
    pieces[0] = pieces[0].removeprefix(b"\n")
    return pieces


def read_headers(block: bytes) -> Headers:
    """The header fields of a block; lines that are none are passed over.

    Raises:
        AdaptError: too large.
    """
    return _by_name(_fields(block))


def _fields(block: bytes) -> list[tuple[str, str]]:
    """Names in lower case and values, in their order."""
    if len(block) > MAX_HEADER_BYTES:
        raise AdaptError(f"the mail has {len(block):,} bytes of header fields; the limit is {MAX_HEADER_BYTES:,}")
    charset = "iso2022_jp" if b"\x1b$B" in block else "utf-8"
    # A pattern that begins with the one character it always has is found at once.
    text = _FOLDED.sub(" ", block.decode(charset, "replace").replace("\r\n", "\n"))
    return [(name.lower(), value.strip()) for name, value in _FIELD.findall(text)]


def _by_name(fields: Iterable[tuple[str, str]]) -> Headers:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return Headers(found)


def groups(block: bytes, once: Container[str] = ()) -> list[Headers]:
    """The groups of fields in a block, which blank lines part (RFC 3464 section 2.1); empty ones are left out. Where
    the blank lines are missing, a field of a name in `once` that is there already begins another group.

    Raises:
        AdaptError: too large, or too many groups.
    """
    pieces = at_blank_lines(block, MAX_GROUPS)
    found: list[Headers] = []
    for piece in pieces:
        group: list[tuple[str, str]] = []
        seen: set[str] = set()
        for name, value in _fields(piece):
            if name in once:
                if name in seen:
                    found.append(_by_name(group))
                    group, seen = [], set()
                seen.add(name)
            group.append((name, value))
        if group:
            found.append(_by_name(group))
    if max(len(pieces), len(found)) > MAX_GROUPS:
        raise AdaptError(f"the report has more than {MAX_GROUPS:,} groups of fields")
    return found


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
    line = re.compile(rb"\n--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?=\r?\n|$)")
    body, start = b"\n" + body, None
    for number, mark in enumerate(line.finditer(body)):
        if number > MAX_PARTS:
            raise AdaptError(f"the mail has more than {MAX_PARTS} parts")
        if start is not None:
            yield _after_line_end(body[start : mark.start()].removesuffix(b"\r"))
        if mark[1]:
            return
        start = mark.end()
    if start is not None:
        yield _after_line_end(body[start:])


def _after_line_end(piece: bytes) -> bytes:
    return piece.removeprefix(b"\r").removeprefix(b"\n")


def _type_of(value: str, default: str) -> tuple[str, str]:
    """(type, boundary) of a Content-Type field; the default where it is missing or no type (RFC 2045 section 5.2)."""
    name = next(iter(value.partition(";")[0].lower().split()), "")
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
    except (MessageError, LookupError, ValueError):
        return value.strip()


#: Month, day, hour, minute and second; 24:00:00 is written now and then, and a second may be a leap second.
_IN_A_DATE = (range(1, 13), range(1, 32), range(25), range(60), range(61))


def date_ms(value: str) -> int | None:
    """Epoch ms, UTC, of a mail's date (RFC 5322 section 3.3); None where it is none.

    A zone that is no number and not in the standard's table is read as UTC, as section 4.3 has it.
    """
    try:
        parsed = parsedate_tz(value[:200])
        if parsed is None or not all(map(contains, _IN_A_DATE, parsed[1:6])):
            return None
        return (timegm((*parsed[:6], 0, 0, 0)) - (parsed[9] or 0)) * 1000
    except (ValueError, IndexError, OverflowError, TypeError):
        return None
