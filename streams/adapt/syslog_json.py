"""Log lines as JSON objects: of journald, of Docker's log files, and of what passes syslog on as JSON.

- https://systemd.io/JOURNAL_EXPORT_FORMATS : a field that is not printable UTF-8 is an array of bytes, one that is
  there several times an array of values, one that is too long is null.
- https://docs.docker.com/engine/logging/drivers/json-file/ : `log`, `stream` and `time`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

#: Where each is looked for, the first that is there counts: journald, Docker, rsyslog, Fluent Bit and Filebeat.
_TEXTS = ("MESSAGE", "log", "message", "msg", "line")
_TAGS = ("SYSLOG_IDENTIFIER", "syslogtag", "programname", "program", "appname", "ident", "_COMM")
_HOSTS = ("_HOSTNAME", "hostname", "fromhost", "source", "host")
_TIMES = ("__REALTIME_TIMESTAMP", "time", "@timestamp", "timestamp", "timereported", "timegenerated", "date", "ts")
#: Digits of epoch µs and ms; fewer are seconds.
_MICROSECONDS = 16
_MILLISECONDS = 13

_DECODER: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class JsonLine:
    """What an object tells of a line. Its time is epoch ms or, where it is text, as it was written. One of
    a `container` may be of any program in it."""

    text: str
    tag: str
    host: str
    time_ms: int | None = None
    time: str = ""
    container: bool = False


def record_of(line: str) -> JsonLine | None:
    """The line in an object; None for what is no object or has no text."""
    try:
        fields = _DECODER.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    text = _first(fields, _TEXTS)
    if not text:
        return None
    tag = _first(fields, _TAGS).partition("[")[0].rstrip(":")
    when, container = _first(fields, _TIMES), "stream" in fields
    number = when.replace(".", "", 1)
    if number.isascii() and number.isdecimal():
        return JsonLine(text, tag, _first(fields, _HOSTS), _epoch(when), container=container)
    return JsonLine(text, tag, _first(fields, _HOSTS), time=when, container=container)


def _epoch(digits: str) -> int:
    whole = len(digits.partition(".")[0])
    if whole >= _MICROSECONDS:
        return int(digits[:_MICROSECONDS]) // 1000
    return int(digits[:_MILLISECONDS]) if whole >= _MILLISECONDS else round(float(digits) * 1000)


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := _text(fields.get(name)))), "")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and value:
        try:
            return bytes(value).decode("utf-8", "replace")
        except (TypeError, ValueError):
            return value[0] if isinstance(value[0], str) else ""
    return ""
