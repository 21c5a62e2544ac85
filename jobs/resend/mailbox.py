"""Mailbox files (mbox; RFC 4155 and https://en.wikipedia.org/wiki/Mbox) taken apart into mails.

A mail begins with a line `From SENDER DATE`. In a mail such lines are quoted with `>` (mboxo; mboxrd, which quotes
those that are quoted once more), or its length is told by `Content-Length` (mboxcl, which quotes as well, and mboxcl2).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from streams.adapt.mime import date_ms

#: The first line of a mail. All writers put a time of day and a year into it, which lines of prose do not have.
_FIRST = re.compile(
    rb"From [^\r\n]{0,300}?\b\d{1,2}:\d\d(?::\d\d)?\b[^\r\n]{0,40}\b\d{4}\b|From [^\r\n]{0,300}\b\d{4} \d{1,2}:\d\d"
)
#: The date in it, from the day of the week or the month on.
_DATE = re.compile(
    rb"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d|\d{1,2} +"
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b)[^\r\n]{4,60}"
)
_FIELD = re.compile(rb">?From |[!-9;-~]{1,100}[ \t]*:")
_QUOTED = re.compile(rb">+From ")
_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,12})[ \t]*\r?\n\Z", re.IGNORECASE)
_BLANK = (b"\n", b"\r\n")
#: Of a first line, in bytes.
_MOST_FIRST = 600
#: So much of a line is kept, in bytes (RFC 5322 section 2.1.1 allows 998). The rest must not be taken for another line.
_LINE = 1_000_000
#: After so many lengths that were wrong no more are looked at: each costs reading as much twice.
_WRONG_LENGTHS = 10


class Lines(Protocol):
    """A file that is read line by line."""

    def readline(self, size: int = -1, /) -> bytes:
        """A line, or so many bytes of it."""


class BoxedMail(NamedTuple):
    """A mail, and when it was put into the mailbox (epoch ms, UTC); None where the file does not tell."""

    text: bytes
    delivered_ms: int | None


class _Reader:
    """Lines, of which some may be put back."""

    def __init__(self, stream: Lines, first: bytes) -> None:
        self._stream = stream
        self._back = [first] if first else []
        self.wrong_lengths = 0

    def next(self) -> bytes:
        if self._back:
            return self._back.pop()
        line = more = self._stream.readline(_LINE)
        while len(more) == _LINE and not more.endswith(b"\n"):
            more = self._stream.readline(_LINE)
        return line

    def put_back(self, lines: list[bytes]) -> None:
        self._back += reversed(lines)

    def at_mail(self, line: bytes) -> bool:
        """Whether a mail begins with this line, which was read last: a field follows."""
        if line[:5] != b"From " or not _FIRST.match(line):
            return False
        following = self.next()
        self.put_back([following])
        return _FIELD.match(following) is not None


def begins_mailbox(line: bytes) -> bool:
    """Whether a file with this first line is a mailbox file."""
    return _FIRST.match(line) is not None


def delivered_ms(line: bytes) -> int | None:
    """When a mail with this first line was put there (epoch ms, UTC); None where it does not tell. A time without an
    offset is UTC (RFC 4155, appendix A)."""
    found = _DATE.search(line[:_MOST_FIRST], len(b"From "))
    return date_ms(found[0].decode("ascii", "replace")) if found else None


def mails_of(stream: Lines, limit: int, first: bytes = b"") -> Iterator[BoxedMail]:
    """The mails in their order, without their first line `From` and without quoting; of each at most `limit` bytes and
    the rest of a line. `first` is a line that was read of the file already."""
    reader = _Reader(stream, first)
    while line := reader.next():
        if line not in _BLANK:
            break
    while line:
        if not _FIRST.match(line):
            reader.put_back([line])
        moment_ms = delivered_ms(line)
        mail, line = _mail(reader, limit)
        if mail.strip():
            yield BoxedMail(mail, moment_ms)


def _mail(reader: _Reader, limit: int) -> tuple[bytes, bytes]:
    """A mail, and the first line of the next one; empty at the end."""
    kept = bytearray()
    length = 0
    while line := reader.next():
        if line in _BLANK:
            kept += line
            break
        if reader.at_mail(line):
            return bytes(kept), line
        if found := _LENGTH.match(line):
            length = int(found[1])
        kept += line[: max(limit - len(kept), 0)]
    if (
        0 < length <= limit
        and reader.wrong_lengths < _WRONG_LENGTHS
        and (told := _by_length(reader, length)) is not None
    ):
        return bytes(kept) + told[0], told[1]
    while line := reader.next():
        if reader.at_mail(line):
            return bytes(kept), line
        if len(kept) < limit:
            kept += _unquoted(line)
    return bytes(kept), b""


def _by_length(reader: _Reader, length: int) -> tuple[bytes, bytes] | None:
    """A body of so many bytes, and the first line of the next mail; None where no mail, nor the end, comes after it."""
    lines: list[bytes] = []
    size = 0
    while size < length and (line := reader.next()):
        lines.append(line)
        size += len(line)
    after = [reader.next()]
    if after[-1] in _BLANK:
        after.append(reader.next())
    if size == length and (not after[-1] or reader.at_mail(after[-1])):
        bare = any(_FIRST.match(line) for line in lines)
        return b"".join(lines if bare else map(_unquoted, lines)), after[-1]
    reader.wrong_lengths += 1
    reader.put_back([*lines, *filter(None, after)])
    return None


def _unquoted(line: bytes) -> bytes:
    return line[1:] if line[:1] == b">" and _QUOTED.match(line) else line
