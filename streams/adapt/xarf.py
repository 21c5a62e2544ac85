"""XARF, the JSON form of abuse reports: version 4 (https://xarf.org/docs/specification/) and those before it, which
RFC 9477 (complaints to the address in CFBL-Address) allows in place of ARF.

A report is turned into the fields that ARF has for the same, so that both are read in one way.
"""

import binascii
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import msgspec

from schemas.event import MAX_EVENT_BYTES
from streams.adapt.base import AdaptError
from streams.adapt.common import plain, stable_id
from streams.adapt.cut_json import made_whole
from streams.adapt.field_paths import find_field
from streams.adapt.json_parts import json_parts, one_message
from streams.adapt.mime import Headers, read_headers, read_part

#: What a report of mail is called: the category of version 4, the classes and types of those before.
_TYPES = {
    "spam": "abuse",
    "bulk-messaging": "abuse",
    "bulk_messaging": "abuse",
    "complaint": "abuse",
    "phishing": "fraud",
    "fraud": "fraud",
    "malware": "virus",
}
#: By what a report is known, of each version.
_MARKS = ("xarf_version", "reporterinfo")
_MAIL = frozenset({"", "smtp", "email", "mail"})
#: Samples of a report that are looked at.
_MOST_SAMPLES = 20
#: A report so large may have been cut off where it came in: a mail's first megabyte is kept, and base64 in it is
#: three quarters of that.
_MAY_BE_CUT = 500_000
_BASE64 = re.compile(r"[A-Za-z0-9+/]{60}")
#: Reporters' field of no other format, for their domain.
REPORTER = "x-reporter-domain"

_DECODER = msgspec.json.Decoder(dict[str, Any])
_BOM = b"\xef\xbb\xbf"
#: What stands above reports that came alone: one field that tells when.
_ABOVE = re.compile(rb"Delivery-Date:[^\r\n]{0,80}\r\n\r\n")


class XarfReport(msgspec.Struct, frozen=True):
    """A report: header fields that a mail with it would have, its fields, and those of the mail it is about."""

    headers: Headers
    fields: Headers
    original: Headers


def is_xarf(raw: bytes) -> bool:
    """Whether JSON text looks like such a report, or several of them, without reading it."""
    head = raw[:MAX_EVENT_BYTES].lower()
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return begin in (b"{", b"[") and any(f'"{mark}"'.encode() in head for mark in _MARKS)


def arrived_xarf(raw: bytes, field: bytes) -> bytes:
    """Reports alone, below the header field that tells when they came."""
    return field + b"\r\n\r\n" + raw


def split_xarf(raw: bytes) -> tuple[Headers, list[bytes]] | None:
    """The header fields above reports alone, and each of them: one, an array, or several joined or a line each. None
    where it is something else, such as a mail with a report in it: that has more fields than ours."""
    field, body = _head(raw)
    if not is_xarf(body):
        return None
    text = body.removeprefix(_BOM)
    # What was cut off may be one alone, whose parts are none.
    return read_headers(field), [text] if len(text) >= _MAY_BE_CUT and made_whole(text) else json_parts(text)


def xarf_parts(raw: bytes) -> list[bytes]:
    """Each of several reports as a message by itself; the message itself where it is no such thing."""
    found = split_xarf(raw)
    if found is None or len(found[1]) < 2:
        return [raw]
    field = _head(raw)[0]
    return [field + each for each in found[1]]


def xarf_joined(parts: list[bytes]) -> bytes:
    """One message of several that `xarf_parts` made of one."""
    if len(parts) == 1:
        return parts[0]
    return _head(parts[0])[0] + one_message([_head(each)[1] for each in parts])


def _head(raw: bytes) -> tuple[bytes, bytes]:
    """(the field of ours with the blank line behind it, what follows)."""
    found = _ABOVE.match(raw)
    return (found[0], raw[found.end() :]) if found else (b"", raw)


def read_xarf(raw: bytes) -> XarfReport | None:
    """A report about mail; None for one about something else, such as attacks or web sites.

    Raises:
        AdaptError: not JSON.
    """
    record = _record(raw.removeprefix(_BOM))
    version_4 = bool(find_field("xarf_version", record))
    named = _TYPES.get(find_field("type" if version_4 else "Report.ReportType", record).lower())
    if named is None or not _is_about_mail(record, version_4=version_4):
        return None
    return XarfReport(_headers(record, raw), _fields(record, named), _original(record))


def _record(text: bytes) -> dict[str, Any]:
    """The report; of a large one that was cut off what is there of it."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        for each in made_whole(text) if len(text) >= _MAY_BE_CUT else ():
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return _DECODER.decode(each)
        raise AdaptError(f"the XARF report cannot be read: {plain(error)}") from error


def _is_about_mail(record: dict[str, Any], *, version_4: bool) -> bool:
    if version_4:
        protocol = find_field("protocol", record).lower()
        # Early reports of version 4 call the category a class.
        return _first(record, "category", "class").lower() == "messaging" and protocol in _MAIL
    # Before, phishing and malware were web sites unless a mail was told of.
    told = ("Report.SmtpMailFromAddress", "Report.SmtpRcptToAddress")
    return find_field("Report.ReportType", record).lower() == "spam" or any(find_field(each, record) for each in told)


def _headers(record: dict[str, Any], raw: bytes) -> Headers:
    contact = _first(record, "reporter.contact", "ReporterInfo.ReporterOrgEmail", "ReporterInfo.ReporterContactEmail")
    return _made(
        {
            "message-id": _first(record, "report_id", "Report.ReportID", "ReportID") or stable_id(raw.hex()),
            "date": _date(_first(record, "timestamp", "Report.Date")),
            "from": contact,
        }
    )


def _fields(record: dict[str, Any], named: str) -> Headers:
    return _made(
        {
            "feedback-type": named,
            "source-ip": _first(record, "source_identifier", "Report.SourceIp", "Report.Source.IP"),
            "original-mail-from": _first(
                record, "smtp_from", "Report.SmtpMailFromAddress", "Report.AdditionalInfo.SMTPFrom"
            ),
            "original-rcpt-to": _first(record, "smtp_to", "Report.SmtpRcptToAddress"),
            "message-id": _first(record, "message_id", "Report.SmtpMessageId"),
            REPORTER: _first(record, "reporter.domain", "ReporterInfo.ReporterOrgDomain"),
        }
    )


def _original(record: dict[str, Any]) -> Headers:
    """The header fields of the mail, from the first sample that is one."""
    report = _member(record, "report")
    samples = _member(record, "evidence") or _member(report, "samples") or _member(report, "attachment")
    for sample in samples[:_MOST_SAMPLES] if isinstance(samples, list) else ():
        kind = _first(sample, "content_type", "ContentType").partition(";")[0].strip().lower()
        if kind not in ("message/rfc822", "text/rfc822-headers", "message/global"):
            continue
        text = _member(sample, "payload") or _member(sample, "data")
        if isinstance(text, str):
            return read_part(_decoded(text, sample)).headers
    return Headers()


def _decoded(text: str, sample: object) -> bytes:
    if _member(sample, "base64encoded") is False:
        return text.encode()
    try:
        return binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        pass
    try:
        return binascii.a2b_base64(text[: len(text) // 4 * 4]) if _BASE64.match(text) else text.encode()
    except (binascii.Error, ValueError):
        return text.encode()


def _member(fields: object, name: str) -> Any:
    if not isinstance(fields, dict):
        return None
    return next((value for key, value in fields.items() if isinstance(key, str) and key.lower() == name), None)


def _first(record: object, *paths: str) -> str:
    return next(filter(None, (find_field(path, record) for path in paths)), "")


def _made(values: dict[str, str]) -> Headers:
    return Headers({name: [value] for name, value in values.items() if value})


def _date(text: str) -> str:
    """An RFC 3339 time as mails write it; as it is where it is none, since old reports have those of mails."""
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return text
    return format_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
