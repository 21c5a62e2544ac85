"""Lines of a system log: RFC 3164 (`Mar  3 10:11:12 host tag:`), with an RFC 3339 time, and RFC 5424.

A time of RFC 3164 has neither year nor zone. The zone is given; the year is the latest in which the time is not after
the time now, by more than a day for clocks that are ahead.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from schemas.times import epoch_ms, utc_time
from streams.adapt.base import AdaptError

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_PRIORITY = r"(?:<\d{1,3}>)?"
_TAG = r"(?P<tag>[^\s\[\]:]{1,128})(?:\[\d+\])?: ?(?P<text>.*)"
_OLD = re.compile(
    _PRIORITY
    + r"(?P<month>[A-Z][a-z]{2}) (?P<day>[ \d]?\d) (?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,9})?) (?P<host>\S+) "
    + _TAG
)
_ISO = re.compile(_PRIORITY + r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*) (?P<host>\S+) " + _TAG)
_NEW = re.compile(
    r"<\d{1,3}>1 (?P<time>\S+) (?P<host>\S+) (?P<tag>\S{1,128}) \S+ \S+ "
    r"(?:-|(?:\[[^\]]*\])+)(?: (?:\ufeff)?(?P<text>.*))?"
)
#: A leap day is at most eight years away (1896 to 1904).
_YEARS_BACK = 8
_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SyslogLine:
    """A line's time (epoch ms, UTC), the host that wrote it, the program's name without its process id, the text."""

    time_ms: int
    host: str
    tag: str
    text: str


def read_line(line: str, zone: tzinfo, now_ms: int | None) -> SyslogLine:
    """One line, without its end.

    `zone` is where times without an offset were written, `now_ms` (epoch ms, UTC) is for times without a year.

    Raises:
        AdaptError: not such a line, or its time is none.
    """
    if found := _NEW.fullmatch(line):
        return SyslogLine(_full(found["time"], zone), found["host"], found["tag"], found["text"] or "")
    if found := _ISO.fullmatch(line):
        return SyslogLine(_full(found["time"], zone), found["host"], found["tag"], found["text"])
    if found := _OLD.fullmatch(line):
        moment = _without_year(found["month"], found["day"], found["clock"], zone, now_ms)
        return SyslogLine(moment, found["host"], found["tag"], found["text"])
    raise AdaptError(f"{line[:40]!r} does not begin like a line of a system log")


def _full(text: str, zone: tzinfo) -> int:
    try:
        moment = datetime.fromisoformat(text)
        return epoch_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise AdaptError(f"the time {text[:40]!r} is not RFC 3339") from error


def _without_year(month: str, day: str, clock: str, zone: tzinfo, now_ms: int | None) -> int:
    written = f"{month} {day.strip()} {clock}"
    if now_ms is None:
        raise AdaptError(f"the time {written!r} has no year, and the time now is not known")
    latest = utc_time(now_ms) + _AHEAD
    for year in range(latest.year + 1, latest.year - _YEARS_BACK - 1, -1):
        try:
            start = f"{year}-{_MONTHS[month]:02}-{int(day):02}T{clock}"
            moment = datetime.fromisoformat(start).replace(tzinfo=zone)
        except (ValueError, KeyError):
            continue
        if moment <= latest:
            return epoch_ms(moment)
    raise AdaptError(f"the time {written!r} is not a time")
