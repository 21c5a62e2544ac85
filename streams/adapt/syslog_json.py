"""Log lines as JSON objects: of journald, of Docker's log files, and of what passes syslog on as JSON.

- https://systemd.io/JOURNAL_EXPORT_FORMATS : a field that is not printable UTF-8 is an array of bytes, one that is
  there several times an array of values, one that is too long is null.
- https://docs.docker.com/engine/logging/drivers/json-file/ : `log`, `stream` and `time`.
- rsyslog and syslog-ng by template, Fluent Bit, Fluentd, Vector, Logstash, Filebeat (Elastic Common Schema, whose
  fields lie within others), GELF (https://go2docs.graylog.org/current/getting_in_log_data/gelf.html), Loki,
  OpenTelemetry and the clouds: each has names of its own for the same few things.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

#: Where each is looked for, the first that is there counts. Names are without regard to case, hyphens and leading
#: underscores; a dot leads into an object.
_TEXTS = (
    "message", "log", "msg", "full_message", "short_message", "line", "body", "jsonpayload.message", "textpayload",
    "syslogmessage", "event", "text", "content", "event.original", "rawmsg",
)  # fmt: skip
_TAGS = (
    "syslog_identifier", "syslogtag", "syslog_tag", "programname", "program", "appname", "app_name", "ident",
    "application_name", "processname", "process", "process.program", "process.name", "log.syslog.appname",
    "syslog.identifier", "journald.process.name", "labels.syslog_identifier", "labels.appname",
    "attributes.syslog_identifier", "attributes.appname", "attributes.syslog.appname", "jsonpayload.syslog_identifier",
    "jsonpayload.ident", "system.syslog.program", "tag", "comm", "service", "labels.comm",
)  # fmt: skip
_HOSTS = (
    "hostname", "fromhost", "sysloghost", "syslog_host", "logsource", "source_host", "computer", "source", "host",
    "host_from", "host.hostname", "host.name", "log.syslog.hostname", "labels.hostname", "labels.host",
)  # fmt: skip
_TIMES = (
    "realtime_timestamp", "source_realtime_timestamp", "isodate", "time", "@timestamp", "timestamp", "timereported",
    "timegenerated", "date", "ts", "eventtime", "event.created", "time_unix_nano", "timeunixnano",
)  # fmt: skip
#: How deep objects within objects are looked into.
_DEEPEST = 3
#: Digits of epoch µs and ms; fewer are seconds.
_MICROSECONDS = 16
_MILLISECONDS = 13

_DECODER: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class JsonLine:
    """What an object tells of a line. Its time is epoch ms or, where it is text, as it was written: of several places
    the texts in their order. One of a `container` may be of any program in it."""

    text: str
    tag: str
    host: str
    time_ms: int | None = None
    times: tuple[str, ...] = ()
    container: bool = False


def record_of(line: str) -> JsonLine | None:
    """The line in an object; None for what is no object or has no text."""
    try:
        decoded = _DECODER.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    fields = _plainly(decoded)
    text = _first(fields, _TEXTS)
    if not text:
        return None
    tag = _first(fields, _TAGS).partition("[")[0].rstrip(": ")
    host, container = _first(fields, _HOSTS), "stream" in fields
    written: list[str] = []
    for name in _TIMES:
        if not (when := _text(_at(fields, name))):
            continue
        number = when.replace(".", "", 1)
        if not written and number.isascii() and number.isdecimal():
            return JsonLine(text, tag, host, _epoch(when), container=container)
        written.append(when)
    return JsonLine(text, tag, host, times=tuple(written), container=container)


def _epoch(digits: str) -> int:
    whole = len(digits.partition(".")[0])
    if whole >= _MICROSECONDS:
        return int(digits[:_MICROSECONDS]) // 1000
    return int(digits[:_MILLISECONDS]) if whole >= _MILLISECONDS else round(float(digits) * 1000)


def _plainly(fields: Mapping[str, Any], depth: int = 1) -> dict[str, Any]:
    """Fields by their plain names; of two with one name the first counts."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        inner = _plainly(value, depth + 1) if isinstance(value, dict) and depth < _DEEPEST else value
        found.setdefault(name.lstrip("_").replace("-", "_").lower(), inner)
    return found


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := _text(_at(fields, name)))), "")


def _at(fields: Mapping[str, Any], path: str) -> object:
    """What is at a path: names may have dots in them."""
    if path in fields:
        return fields[path]
    name, dot, rest = path.partition(".")
    inner = fields.get(name)
    return _at(inner, rest) if dot and isinstance(inner, dict) else None


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
