"""A line of Exim's main log that tells something of a message, wherever it begins: behind a system log's own head, or a
container's. Pure."""

import re
from typing import NamedTuple

from streams.adapt.base import FormatOptions
from streams.adapt.exim_lines import MESSAGE_ID
from streams.adapt.syslog import container_text, read_line
from streams.adapt.syslog_times import full_time

_STAMP = r"(\d{4}-\d\d-\d\d \d\d:\d\d):(\d\d)(?:\.(\d{1,9}))?(?: ([+-]\d{4}))? "
#: A line of a message, wherever it begins: behind a system log's own head, or a container's.
_LINE = re.compile(rf"{_STAMP}(?:\[\d{{1,10}}\] )?({MESSAGE_ID}) (\S{{2,200}}) ?(.*)", re.ASCII | re.DOTALL)
_ANY_LINE = re.compile(_STAMP, re.ASCII)
_BARE = re.compile(rf"(?:\[\d{{1,10}}\] )?({MESSAGE_ID}) (\S{{2,200}}) ?(.*)", re.DOTALL)
#: Of a line that was too long for the system log: its first part, or one that follows (chapter "Log files", section
#: "Logging to syslog").
_FIRST_PART = re.compile(r"^\[1[/\\]\d{1,4}\] ")
_NEXT_PART = re.compile(r"\[\d{1,4}[/\\]\d{1,4}\] ")
#: How the second line of warnings begins, where the blank before it is gone.
_REST = "Suggested action: "


class EximLine(NamedTuple):
    """A line of a message: epoch ms (UTC), the host that wrote it or empty, the id, what it is, the rest."""

    time_ms: int
    host: str
    id: str
    flag: str
    said: str


def key_of(line: EximLine) -> str:
    """Ids are unique on one host."""
    return f"{line.id} {line.host}" if line.host else line.id


def read_entry(line: str, options: FormatOptions, now_ms: int | None) -> EximLine | None:
    """A line of a message; None for another line of the log.

    Raises:
        AdaptError: it is no line of a log.
    """
    host = ""
    found = _LINE.match(line)
    if found is None:
        if _says_nothing(line):
            return None
        inner = container_text(line)
        found = _LINE.match(inner)
        if found is None:
            if inner is not line and _says_nothing(inner):
                return None
            outer = read_line(line, options.time_zone, now_ms)
            host, text = outer.host, _FIRST_PART.sub("", outer.text, count=1)
            if _NEXT_PART.match(text):
                return None
            found = _LINE.match(text)
            if found is None:
                bare = _BARE.match(text)
                return EximLine(outer.time_ms, host, bare[1], bare[2], bare[3]) if bare else None
    minute, second, fraction, offset, queue_id, flag, said = found.groups()
    return EximLine(full_time(minute, second, fraction, offset, options.time_zone), host, queue_id, flag, said)


def _says_nothing(text: str) -> bool:
    """Whether it is a line of no message, or the rest of one."""
    return text[:1] in ("", " ", "\t") or _ANY_LINE.match(text) is not None or text.startswith(_REST)
