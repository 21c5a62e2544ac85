"""Lines of a system log, as servers, journals and containers write them.

- RFC 3164 (`Mar  3 10:11:12 host tag[7]: text`), also with a fraction or a year, without the host, with the facility
  that BSD, AIX and busybox add, and with the message id of Solaris; the same with an RFC 3339 time; RFC 5424.
- What `journalctl` prints: all forms of `short` that tell a time of day, and JSON.
- A line within a line: Docker's log driver for syslog, `docker logs -t`, Docker's and Kubernetes' own files, other JSON
  with a line in it, what tools put before lines. The time is that of the inner line; where only the outer one has an
  offset, or the inner line no time, it is the outer's.
"""

import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from schemas.times import SECOND_MS
from streams.adapt.base import AdaptError
from streams.adapt.syslog_json import record_of
from streams.adapt.syslog_times import (
    full_time,
    goes_on,
    numbered,
    surely_latest,
    within_minute,
    yearless_time,
    zone_of,
)

#: How deep a line may lie in others.
_DEEPEST = 3

_STAMP = r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d)(?:[.,](\d{1,9}))?"
_OFFSET = r"(Z|[+-]\d\d(?::?\d\d)?)"
# Level in capitals, host (which never ends with a colon: then it is a tag), facility and level, tag, process id,
# message id of Solaris. A tag that begins like a time is the begin of a line within the line.
_HEAD = (
    r" {1,2}(?:<[\w.]{1,30}> )?(?:(?:DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|ALERT|EMERG) +)?"
    r"(?:(\S{0,254}[^\s:]) )?(?:[a-z]+\d?[.:][a-z]+\d? )?((?!\d{4}-\d\d-\d\dT)[^\s\[\]:]{1,128})(?:\[\d{1,10}\])?:"
    r"(?: \[ID \d{1,10} \w{1,20}\.\w{1,20}\])? ?(.*)"
)
_OLD = re.compile(
    r"(?:<\d{1,3}>)?([A-Z][a-z]{2} [ \d]?\d) (?:(\d{4}) )?(\d\d:\d\d):(\d\d)(?:[.,](\d{1,9}))?" + _HEAD,
    re.ASCII | re.DOTALL,
)
_ISO = re.compile(r"(?:<\d{1,3}>)?" + _STAMP + _OFFSET + "?" + _HEAD, re.ASCII | re.DOTALL)
_NEW = re.compile(
    r"(?:(?:\d{1,6} )?<\d{1,3}>1|1(?= \d{4}-)) (\S{1,64}) (\S{1,255}) (\S{1,128}) \S{1,128} \S{1,64} "
    # Within quotes a bracket should have a backslash before it (section 6.3.3), and may have none.
    r"(?:-|(?:\[(?:[^\]\\\"]|\\.|\"(?:[^\"\\]|\\.)*\")*\])+)(?: (?:\ufeff)? ?(.*))?",
    re.ASCII | re.DOTALL,
)
_RFC3339 = re.compile(_STAMP + _OFFSET + "?", re.ASCII)
_YEARLESS = re.compile(r"([A-Z][a-z]{2} [ \d]?\d) (\d\d:\d\d):(\d\d)(?:[.,](\d{1,9}))?", re.ASCII)
#: `journalctl -o short-full` and what writes it without the day of the week; and `-o short-unix`.
_WEEKDAY = re.compile(
    r"(?:[A-Z][a-z]{2} )?" + _STAMP + r" ([A-Z]{1,6}|[+-]\d\d(?:\d\d)?)" + _HEAD,
    re.ASCII | re.DOTALL,
)
_UNIX = re.compile(r"(\d{9,11})\.(\d{3,6})" + _HEAD, re.ASCII | re.DOTALL)
#: Before another line: its time and, in Kubernetes' files, the stream and whether the line is whole.
_TIMED = re.compile(_STAMP + _OFFSET + r"?(?: (stdout|stderr) [FP])? (.*)", re.ASCII | re.DOTALL)
#: Fluentd's files: time, tag, and the record as JSON (https://docs.fluentd.org/formatter/out_file).
_TABBED = re.compile(_STAMP + _OFFSET + r"?\t\S{1,255}\t(\{.*)", re.ASCII | re.DOTALL)
#: Before another line: the container's name, as `docker compose logs`, `docker service logs` and `kubectl logs
#: --prefix` write it.
_NAMED = re.compile(
    r"(?:[\w.~/@-]{1,255}(?: std(?:out|err))? +\| |\[[^\]\s]{1,255}\] |\d{1,6} (?=<)|(?:data: |\x1e)(?=\{))(.*)",
    re.DOTALL,
)
#: Before another line: what else tools put there, such as names of pods (stern), of files and numbers of lines (grep).
_PREFIXED = re.compile(
    r"(?:[^\s:]{1,255}(?: {1,4}|: ?)){1,3}?(?=\{\"|[A-Z][a-z]{2} [ \d]?\d |\d{4}-\d\d-\d\d[T ]\d)(.*)", re.DOTALL
)
#: Colours of terminals (ECMA-48, SGR).
_COLOUR = re.compile(r"\x1b\[[\d;]{0,20}m")
#: What begins with the id of a message is no tag.
_NO_TAG = re.compile(r"(?=[A-Za-z]*\d)[0-9A-Za-z]{5,20}: ", re.ASCII)
#: A program's own head within a line whose head is Docker's: its name has the service in it.
_PROGRAM_INSIDE = re.compile(r"([^\s\[\]:/]{1,64}(?:/[^\s\[\]:]{1,64}))\[\d{1,10}\]: (.*)", re.DOTALL)
#: A line without its time.
_TAGGED = re.compile(r"(?:(\S{0,254}[^\s:]) )?([^\s\[\]:]{1,128})(?:\[\d{1,10}\])?: ?(.*)", re.ASCII | re.DOTALL)
_BEGIN = re.compile(
    r"<\d{1,3}>|\{\"|(?:[A-Z][a-z]{2} )?\d{4}-\d\d-\d\d[T ]|[A-Z][a-z]{2} [ \d]?\d (?:\d{4} )?\d\d:", re.ASCII
)
#: What the system log says of itself: that lines were repeated, that it still runs, where a journal begins.
_OF_ITSELF = re.compile(
    r"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]?\d [\d:]{8}|\d{4}-\d\d-\d\dT\S{8,30})(?: \S{1,255})?? "
    r"(?:(?:--- )?last message repeated \d{1,9} times?(?: ---)?|-- MARK --)"
    r"|-- [A-Z].{2,300} --|-- Boot \w{1,40} --"
)
#: AIX, of lines of other hosts.
_FORWARDED = re.compile(r"(.{8,40}) Message forwarded from (\S{1,255}): (.*)", re.DOTALL)

#: How priorities and JSON begin.
_OPENING = frozenset("<{")
_MONTHS_OF_31 = "Jan|Mar|May|Jul|Aug|Oct|Dec"
#: The begin of nearly all lines, for formats that are read in millions of them: time, host and tag. What does not have
#: it may be a line all the same (`read_line`); what has it may hold another (`may_hold_another`). The time is one.
USUAL = (
    rf"((?:(?:{_MONTHS_OF_31}) (?:[ 0][1-9]|[12]\d|3[01])|(?:Apr|Jun|Sep|Nov) (?:[ 0][1-9]|[12]\d|30)"
    r"|Feb (?:[ 0][1-9]|[12]\d)) "
    r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
    r"|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))"
    r" ([^\s:]{1,255}) ([^\s\[\]:]{1,128})\[\d{1,10}\]: "
)


class SyslogLine(NamedTuple):
    """A line's time (epoch ms, UTC), the host that wrote it, the program's name without its process id, the text.

    Host and program are empty where the line does not tell them."""

    time_ms: int
    host: str
    tag: str
    text: str


class LogClock:
    """Tells the times of usual lines. `zone` is where times without an offset were written."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        # The minute of the time before as it was written, with its offset; its begin; from when until when that is so
        # (epoch ms).
        self._minute = self._offset = ""
        self._yearless = False
        self._begin = self._from_ms = self._until_ms = 0

    def time_ms(self, written: str, now_ms: int | None) -> int:
        """Epoch ms of a time as `USUAL` takes it.

        Raises:
            AdaptError: it has no year, and the time now is not known; or it has a day that its month has not.
        """
        if written[:1].isdecimal():
            minute, second, rest = written[:16], written[17:19], written[19:]
            if rest[:1] == ".":
                end = -1 if rest[-1] == "Z" else -6
                fraction, offset = rest[1:end], rest[end:]
            else:
                fraction, offset = "", rest
            if minute != self._minute or offset != self._offset:
                self._begin = full_time(minute, second, None, offset, self._zone) - int(second) * SECOND_MS
                self._minute, self._offset, self._yearless = minute, offset, False
            return self._begin + within_minute(second, fraction)
        minute, second = written[:12], written[13:]
        if minute != self._minute or now_ms is None or not self._from_ms <= now_ms < self._until_ms:
            day, clock = minute[:6], minute[7:]
            begin = yearless_time(day, clock, second, None, self._zone, now_ms) - int(second) * SECOND_MS
            if self._yearless and now_ms is not None:
                begin = goes_on(begin, self._begin, day, clock, self._zone, now_ms)
            self._begin = begin
            self._from_ms, self._until_ms = surely_latest(begin)
            self._minute, self._yearless = minute, True
        return self._begin + int(second) * SECOND_MS


def read_line(line: str, zone: tzinfo, now_ms: int | None) -> SyslogLine:
    """One line, without its end.

    `zone` is where times without an offset were written, `now_ms` (epoch ms, UTC) is for times without a year.

    Raises:
        AdaptError: not such a line, or its time is none.
    """
    found = _read(line, zone, now_ms, None, 0)
    if found is None:
        raise AdaptError(f"{line[:40]!r} does not begin like a line of a system log")
    return found


def container_text(line: str) -> str:
    """What a program in a container wrote: without what Docker, Kubernetes and their tools put before it, or around it
    as JSON; of another line the line itself."""
    for _ in range(_DEEPEST):
        if line.startswith("{"):
            record = record_of(line)
            # With the program's name it is a line of a system log.
            if record is None or record.tag:
                return line
            return record.text.rstrip("\r\n")
        # Logs of programs have times without an offset.
        if (found := _TIMED.fullmatch(line)) and found[4]:
            line = found[6]
        elif found := _NAMED.fullmatch(line) or _PREFIXED.fullmatch(line):
            line = found[1]
        elif "\x1b" in line:
            line = _COLOUR.sub("", line)
    return line


def may_hold_another(text: str) -> bool:
    """Whether a text may be a line itself: nearly none begins so."""
    return text[3:4] == " " or text[4:5] == "-" or text[:1] in _OPENING


def _read(line: str, zone: tzinfo, now_ms: int | None, outer_ms: int | None, depth: int) -> SyslogLine | None:
    """`outer_ms` is the time of the line around it, where that has an offset: by it a time without one is known."""
    absolute = True
    if found := _OLD.fullmatch(line):
        day, year, clock, second, fraction, host, tag, text = found.groups()
        absolute = False
        if outer_ms is not None:
            moment = outer_ms
        elif year:
            moment = full_time(numbered(year, day, clock), second, fraction, None, zone)
        else:
            moment = yearless_time(day, clock, second, fraction, zone, now_ms)
    elif found := _ISO.fullmatch(line):
        minute, second, fraction, offset, host, tag, text = found.groups()
        absolute = offset is not None
        moment = (
            outer_ms if outer_ms is not None and not absolute else full_time(minute, second, fraction, offset, zone)
        )
    elif found := _NEW.fullmatch(line):
        moment, absolute = _rfc3339(found[1], zone)
        host, tag, text = found[2].strip("-") and found[2], found[3].partition("[")[0], found[4] or ""
    else:
        return _wrapped(line, zone, now_ms, outer_ms, depth)
    if may_hold_another(text) and depth < _DEEPEST and _BEGIN.match(text):
        inner = _read(text, zone, now_ms, moment if absolute else None, depth + 1)
        if inner is not None:
            return inner
    return _of_program(SyslogLine(moment, host or "", tag, text))


def _of_program(line: SyslogLine) -> SyslogLine:
    """The line itself, or the one in it that has no time of its own: what a container wrote, behind Docker's tag."""
    found = _PROGRAM_INSIDE.fullmatch(line.text)
    return SyslogLine(line.time_ms, line.host, found[1], found[2]) if found else line


def holds_program(text: str) -> bool:
    """Whether a text is a line but for its time (see `_of_program`)."""
    return _PROGRAM_INSIDE.match(text) is not None


def _wrapped(line: str, zone: tzinfo, now_ms: int | None, outer_ms: int | None, depth: int) -> SyslogLine | None:
    """Forms that are rare."""
    if found := _WEEKDAY.fullmatch(line):
        minute, second, fraction, name, host, tag, text = found.groups()
        moment = full_time(minute, second, fraction, zone_of(name, minute, zone), zone)
        return SyslogLine(moment, host or "", tag, text)
    if _OF_ITSELF.fullmatch(line):
        return SyslogLine(outer_ms or 0, "", "", "")
    if found := _UNIX.fullmatch(line):
        whole, fraction, host, tag, text = found.groups()
        return SyslogLine(int(whole) * SECOND_MS + within_minute("0", fraction), host or "", tag, text)
    return _around(line, zone, now_ms, outer_ms, depth) if depth < _DEEPEST else None


def _around(line: str, zone: tzinfo, now_ms: int | None, outer_ms: int | None, depth: int) -> SyslogLine | None:
    """Lines with another in them."""
    if line.startswith("{"):
        return _json(line, zone, now_ms, outer_ms, depth)
    if found := _TABBED.fullmatch(line):
        minute, second, fraction, offset, rest = found.groups()
        return _json(rest, zone, now_ms, full_time(minute, second, fraction, offset, zone), depth + 1)
    if "\x1b" in line:
        return _read(_COLOUR.sub("", line), zone, now_ms, outer_ms, depth + 1)
    if found := _TIMED.fullmatch(line):
        minute, second, fraction, offset, stream, rest = found.groups()
        moment = full_time(minute, second, fraction, offset, zone)
        inner = _inner(rest, zone, now_ms, moment, depth, absolute=offset is not None)
        # Kubernetes says that it is a line of a container: of a script in it, or the end of a line that was too long.
        return SyslogLine(moment, "", "", rest) if inner is None and stream else inner
    if found := _NAMED.fullmatch(line) or _FORWARDED.fullmatch(line) or _PREFIXED.fullmatch(line):
        return _read(" ".join(found.groups()), zone, now_ms, outer_ms, depth + 1)
    return None


def _inner(
    text: str, zone: tzinfo, now_ms: int | None, moment: int, depth: int, *, absolute: bool
) -> SyslogLine | None:
    """A line within another, or the end of one whose time stands in the other."""
    if _BEGIN.match(text) and (inner := _read(text, zone, now_ms, moment if absolute else None, depth + 1)):
        return inner
    found = _TAGGED.fullmatch(text)
    return SyslogLine(moment, found[1] or "", found[2], found[3]) if found else None


def _json(line: str, zone: tzinfo, now_ms: int | None, outer_ms: int | None, depth: int) -> SyslogLine | None:
    record = record_of(line)
    if record is None:
        return None
    moment, absolute = record.time_ms, True
    if moment is None:
        moment, absolute = _written_time(record.times, zone, now_ms)
    if moment is None:
        moment = outer_ms
    text = record.text.rstrip("\r\n")
    known = moment if absolute else None
    if _BEGIN.match(text) and (inner := _read(text, zone, now_ms, known, depth + 1)):
        return inner
    if moment is None:
        return None
    if record.tag:
        return _of_program(SyslogLine(moment, record.host, record.tag, text.lstrip(" ")))
    if (found := _TAGGED.fullmatch(text)) and not _NO_TAG.match(text):
        return SyslogLine(moment, record.host or found[1] or "", found[2], found[3])
    return SyslogLine(moment, record.host, "", text) if record.container or found else None


def _written_time(times: Sequence[str], zone: tzinfo, now_ms: int | None) -> tuple[int | None, bool]:
    """The first of the times that is one (epoch ms), and whether it has an offset; None where none is."""
    for written in times:
        if _RFC3339.fullmatch(written):
            return _rfc3339(written, zone)
        if found := _YEARLESS.fullmatch(written):
            day, clock, second, fraction = found.groups()
            return yearless_time(day, clock, second, fraction, zone, now_ms), False
    return None, True


def _rfc3339(text: str, zone: tzinfo) -> tuple[int, bool]:
    """A whole time, and whether it has an offset."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise AdaptError(f"the time {text[:40]!r} is not RFC 3339")
    minute, second, fraction, offset = found.groups()
    return full_time(minute, second, fraction, offset, zone), offset is not None
