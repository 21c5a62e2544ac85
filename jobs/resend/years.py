"""Logs without years (RFC 3164) in which a leap day stands: it tells the year of what came before it, too.

A time without a year is of the latest year in which it is not of the future (`streams.adapt.syslog_times`). A leap day
is often of an earlier one; so the files are looked at for one first, and where it is found their lines are given the
year that they were written in.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO

from jobs.resend.ingest_file import Readable
from jobs.resend.unpack import PIECE, unpacked
from schemas.times import utc_time
from streams.adapt import AdaptError

_TIME = re.compile(rb"(?:\xef\xbb\xbf)?(?:<\d{1,3}>)?([A-Z][a-z]{2} [ \d]?\d) (?=\d\d:\d\d)")
_LEAP_DAY = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|\n)(?:<\d{1,3}>)?Feb 29 \d\d:\d\d")
#: The longest that `_LEAP_DAY` takes, in bytes.
_LONGEST = 20
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_LEAP = (2, 29)
#: A month that is earlier by more than these is of the next year: lines of several programs cross.
_HALF_A_YEAR = 6


class Years:
    """Gives lines, one after another, the years that a leap day among them tells. `now_ms` is epoch ms, UTC."""

    def __init__(self, now_ms: int) -> None:
        self._until = (utc_time(now_ms) + timedelta(days=1)).timetuple()[:3]
        #: The latest leap day's that is not of the future.
        self._leap_year = next(each for each in range(self._until[0], 0, -1) if self._is_leap(each))
        self._year = self._month = 0

    def told(self, line: bytes) -> bytes:
        """The line with its year; as it is where it has one, or is of no such log, or would be of the future."""
        found = _TIME.match(line)
        month, day = _date(found[1]) if found else (0, 0)
        if found is None or not month:
            return line
        self._go_on(month, day)
        if (self._year, month, day) > self._until:
            return line
        return line[: found.end()] + f"{self._year} ".encode() + line[found.end() :]

    def _go_on(self, month: int, day: int) -> None:
        if not self._year:
            self._year = self._leap_year - ((month, day) > _LEAP)
        elif self._month - month > _HALF_A_YEAR:
            self._year += 1
        elif month - self._month > _HALF_A_YEAR:
            self._year -= 1
        self._month = month
        if (month, day) == _LEAP and not self._is_leap(self._year):
            self._year = next(
                (each for each in range(self._year, self._until[0] + 1) if self._is_leap(each)), self._year
            )

    def _is_leap(self, year: int) -> bool:
        """Whether it has a leap day that is not of the future."""
        return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) and (year, *_LEAP) <= self._until


class WithYears:
    """A log whose lines are given their years as it is read."""

    def __init__(self, lines: Readable, years: Years) -> None:
        self._lines, self._years = lines, years
        self._at_begin = True

    def read(self, size: int = -1, /) -> bytes:
        """What a log is not read by: as it is."""
        return self._lines.read(size)

    def readline(self, size: int = -1, /) -> bytes:
        """A line, which is longer by its year, or so many bytes of it."""
        line = self._lines.readline(size)
        begins, self._at_begin = self._at_begin, line.endswith(b"\n")
        return self._years.told(line) if begins else line


def years_of(paths: Iterable[Path], now_ms: int | None) -> Years | None:
    """What gives the lines of these logs, in this order, their years; None where none has a leap day without a year, or
    the time now is not known. What cannot be read is passed over here."""
    if now_ms is None:
        return None
    for path in paths:
        with suppress(OSError, AdaptError), path.open("rb") as file:
            if has_leap_day(unpacked(file)[0]):
                return Years(now_ms)
    return None


def has_leap_day(stream: IO[bytes]) -> bool:
    """Whether a log that begins without a year has a leap day. To look costs a hundredth of what reading it does."""
    piece = stream.read(PIECE)
    if _TIME.match(piece) is None:
        return False
    held = b""
    while piece:
        if b"Feb 29 " in (text := held + piece) and _LEAP_DAY.search(text):
            return True
        held, piece = text[-_LONGEST:], stream.read(PIECE)
    return False


def _date(text: bytes) -> tuple[int, int]:
    """`Feb 29` as (2, 29); (0, 0) for no month."""
    month, day = text[:3], text[4:]
    return (_MONTHS[month], int(day)) if month in _MONTHS else (0, 0)
