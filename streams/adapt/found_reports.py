"""The feedback reports in a mail, in each of the shapes in which they come.

- A part `message/feedback-report` (RFC 5965), also one that a gateway called text or a file.
- A report in JSON (XARF), as a part or attached.
- No machine-readable part, as AOL's were and Microsoft's (JMRP) may be: the mail that somebody complained about is
  attached, and a known reporter sends it, or a header of it names who complained.
- Reports that were forwarded as attachments, as mails or as files that hold one: each of them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from schemas.feedback_loops import load_feedback_loops
from schemas.providers import Providers
from streams.adapt.base import AdaptError
from streams.adapt.json_parts import json_parts
from streams.adapt.mail_report import WHOLE, addresses, from_domain, original_of
from streams.adapt.mime import Headers, MimePart, leaves, read_headers, read_part
from streams.adapt.xarf import is_xarf, read_xarf

TYPE = "message/feedback-report"
#: Microsoft's header for who complained.
JMRP_RECIPIENT = "x-hmxmroriginalrecipient"
#: Reports forwarded within what was forwarded.
MOST_FORWARDED = 3

#: The content types that gateways give a part they do not know.
_UNKNOWN = frozenset({"text/plain", "application/octet-stream", "message/plain", "text/feedback-report"})
_JSON = frozenset({"application/json", "application/xarf+json", "text/json", "application/octet-stream", "text/plain"})
#: Those of an attached file that holds a mail, and how its name ends.
_FILES = frozenset({"application/octet-stream", "application/eml", "application/x-eml", "message/eml", "text/plain"})
_MAIL_FILE = re.compile(r"name\*?(?:\d\*?)?=[^;]{0,300}\.(?:eml|email|arf)\b", re.IGNORECASE)
_FIELD = re.compile(rb"^(?:Feedback-Type)[ \t]*:", re.IGNORECASE | re.MULTILINE)
#: Subjects of complaints without a machine-readable part: AOL's, Microsoft's.
_COMPLAINT = re.compile(r"complain|abuse|feedback|spam|client tos notification|junk|жалоб", re.IGNORECASE)
#: Local parts from which nothing but complaints comes: Microsoft's, AOL's, Yahoo's and Validity's.
REPORTERS = frozenset({"staff", "scomp", "feedback", "feedbackloop", "fbl"})
_BOUNCE = frozenset({"message/delivery-status", "message/disposition-notification", "message/global-delivery-status"})


@dataclass(frozen=True, slots=True)
class FoundReport:
    """A report: the header fields of the mail it came in, its own, and those of the mail it is about."""

    headers: Headers
    fields: Headers
    original: Headers = field(default_factory=Headers)


def reports_in(mail: MimePart, providers: Providers, depth: int = 0) -> Iterator[FoundReport | None]:
    """The reports; None for each that is about something else than mail.

    Raises:
        AdaptError: a bound on parts or header fields is passed, or JSON that should be a report is none.
    """
    parts = leaves(mail)
    fields = _fields(parts)
    document = next((each for each in parts if each.content_type in _JSON and is_xarf(each.decoded())), None)
    if document is not None:
        found = xarf_reports(json_parts(document.decoded()), mail.headers)
        yield from found
        if not found:
            yield None
    elif fields is not None:
        yield FoundReport(mail.headers, fields, original_of(parts) or _loose_original(parts))
    else:
        yield from _without_fields(mail, parts, providers, depth)


def xarf_reports(texts: Sequence[bytes], headers: Headers) -> list[FoundReport]:
    """Those of reports in JSON that are about mail; they came in a mail with these header fields, of which one alone
    has the id.

    Raises:
        AdaptError: one of them is no JSON, and which.
    """
    found: list[FoundReport] = []
    several = len(texts) > 1
    above = Headers({name: each for name, each in headers.fields.items() if name != "message-id" or not several})
    for number, text in enumerate(texts, start=1):
        try:
            report = read_xarf(text)
        except AdaptError as error:
            raise AdaptError(f"report {number}: {error}" if several else str(error)) from error
        if report is not None:
            above = Headers(
                {name: each for name, each in headers.fields.items() if name != "message-id" or not several}
            )
            found.append(FoundReport(_over(above, report.headers), report.fields, report.original))
    return found


def _without_fields(
    mail: MimePart, parts: list[MimePart], providers: Providers, depth: int
) -> Iterator[FoundReport | None]:
    inner = [
        read_part(each.decoded().lstrip(b"\r\n")) for each in parts if each.content_type in WHOLE or _is_file(each)
    ]
    if depth < MOST_FORWARDED:
        forwarded = [found for each in inner for found in reports_in(each, providers, depth + 1)]
        if forwarded:
            yield from forwarded
            return
    original = original_of(parts)
    if original.get(JMRP_RECIPIENT) or (original and _complains(mail, parts, providers)):
        yield FoundReport(mail.headers, Headers(), original)


def _is_file(part: MimePart) -> bool:
    """Whether a part is a mail that was saved as a file and attached: its content type is that of any file."""
    named = (part.headers.get("content-disposition"), part.headers.get("content-type"))
    return part.content_type in _FILES and any(map(_MAIL_FILE.search, named))


def _fields(parts: list[MimePart]) -> Headers | None:
    named = [each for each in parts if each.content_type == TYPE]
    like_it = (each for each in parts if each.content_type in _UNKNOWN and _FIELD.match(_start(each)))
    part = named[0] if named else next(like_it, None)
    return read_headers(part.decoded().lstrip(b"\r\n")) if part else None


def _start(part: MimePart) -> bytes:
    """The text from its first field on; a report's fields come in any order (RFC 5965 section 3.1)."""
    text = part.decoded().lstrip(b"\r\n")[:4_000]
    block = text.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0]
    found = _FIELD.search(block)
    return block[found.start() :] if found and read_headers(block).get("version") else b""


def _loose_original(parts: list[MimePart]) -> Headers:
    """The mail that is returned as plain text: the last part, where that begins with the header fields of one."""
    if len(parts) < 3 or parts[-1].content_type == TYPE:
        return Headers()
    headers = read_part(parts[-1].decoded().lstrip(b"\r\n")).headers
    return headers if headers.get("message-id") or headers.get("received") else Headers()


def _complains(mail: MimePart, parts: list[MimePart], providers: Providers) -> bool:
    """Whether a mail that returns another is a complaint of a known reporter, and no bounce."""
    if any(each.content_type in _BOUNCE for each in parts):
        return False
    local = next(iter(addresses(mail.headers, "from")), "").partition("@")[0].lower()
    if local in ("mailer-daemon", "postmaster"):
        return False
    known = load_feedback_loops().is_reporter(from_domain(mail.headers), providers)
    return known and (local in REPORTERS or _COMPLAINT.search(mail.headers.get("subject")) is not None)


def _over(headers: Headers, others: Headers) -> Headers:
    """The header fields of the mail, with others where it has none."""
    return Headers({**others.fields, **headers.fields})
