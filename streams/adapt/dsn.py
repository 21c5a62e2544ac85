"""Delivery status notifications by mail (RFC 3464, RFC 6533): one whole mail a message.

`failed` is a bounce, `delayed` a deferral; `delivered`, `relayed` and `expanded` tell that the recipient's host took
the mail, which is a delivery. Such bounces come after the mail was handed on, so they are asynchronous. Also one
that a status of 4.x.x explains is final: the reporting host has given up (RFC 3464 section 2.3.3).

The recipient is `Original-Recipient`, the address that was sent to, and only without it `Final-Recipient`, to which
it may have been forwarded. The time is the recipient's last attempt, else the notification's date.

Where the customer and the stream are found: see `streams.adapt.mail_report`. The envelope sender is the address to
which the notification was sent (RFC 3461 section 6.1). Some mails that are no multipart/report are read as well:
see `streams.adapt.loose_bounces`.
"""

import re
from collections.abc import Iterable

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import complete, domain_of
from streams.adapt.common import reply_of, stable_id
from streams.adapt.loose_bounces import loose
from streams.adapt.mail_report import (
    Report,
    addresses,
    campaign_of,
    customer_of,
    from_domain,
    message_id,
    original_of,
    place_names,
    sent_ms,
)
from streams.adapt.mime import MAX_GROUPS, Headers, MimePart, date_ms, groups, leaves, read_mail
from streams.adapt.trust import check_reporter

NAME = "dsn"

_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
#: RFC 3464 section 2.3.3.
_ACTIONS: dict[str, EventType] = {
    "failed": "bounced",
    "delayed": "deferred",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
}
#: What the first digit of the status says where the action is missing or another word.
_CLASSES: dict[str, EventType] = {"5": "bounced", "4": "deferred", "2": "delivered"}
_STATUS = re.compile(r"\b([245])\.\d{1,3}\.\d{1,3}\b")
_UNDEFINED = re.compile(r"[245]\.0\.0")
#: `smtp; 550 ...`: the type before the text (RFC 3464 section 2.3.6).
_TYPED = re.compile(r"\A[A-Za-z][\w-]{0,20}[ \t]*;[ \t]*")
#: RFC 6533 section 3: a character of an address as `\\x{HEX}`.
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each recipient of the notification.

    Raises:
        AdaptError: not such a mail, a recipient without address or action, no date, no customer can be found,
            or its reporter is not believed.
    """
    mail = read_mail(raw)
    found, original = _groups(mail)
    about = next((each for each in found if each.get("reporting-mta") or each.get("arrival-date")), Headers())
    recipients = [each for each in found if each.get("final-recipient") or each.get("original-recipient")]
    if not recipients:
        raise AdaptError("the delivery status names no recipient")
    report = Report(mail.headers, about, original, _senders(mail.headers, about, original))
    base = _base(report, context)
    events = []
    for number, fields in enumerate(recipients, start=1):
        try:
            events.append(complete(_for_recipient(base, report, fields), context))
        except AdaptError as error:
            place = f"recipient {number}: " if len(recipients) > 1 else ""
            raise AdaptError(f"{place}{error}") from error
    check_reporter(mail.headers, len(events), context.options(NAME), context, MAX_GROUPS)
    return events


def _groups(mail: MimePart) -> tuple[list[Headers], Headers]:
    """The report's groups of fields, and the header fields of the returned mail."""
    parts = leaves(mail)
    for part in parts:
        if part.content_type in _STATUS_TYPES:
            return groups(part.decoded().lstrip(b"\r\n")), original_of(parts)
    read = loose(mail)
    if read is None:
        raise AdaptError("the mail has no part of type message/delivery-status")
    return read.groups, read.original


def _senders(headers: Headers, about: Headers, original: Headers) -> list[str]:
    named = [address for name in ("to", "x-original-to", "envelope-to") for address in addresses(headers, name)]
    traced = [_address(about.get("x-postfix-sender")), *original.all("return-path")]
    return [*named, *(each for each in traced if each)]


def _base(report: Report, context: Context) -> MailEvent:
    """What all recipients of the notification share."""
    options = context.options(NAME)
    original = report.original
    moments = (sent_ms(report.headers), date_ms(report.fields.get("arrival-date")))
    event = MailEvent(
        id=NAME,
        type="bounced",
        time=next((each for each in moments if each is not None), -1),
        customer=customer_of(report, options, context.owners),
        message_id=message_id(original) or _answered(report.headers),
        from_domain=from_domain(original) or next(filter(None, map(domain_of, report.senders)), ""),
        campaign=campaign_of(original),
        # What the host that took the mail in says takes precedence over the date that its sender wrote.
        sent=date_ms(report.fields.get("arrival-date")) or date_ms(original.get("date")) or 0,
    )
    return place_names(event, report, options, context.owners)


def _answered(headers: Headers) -> str:
    """The one message id that the notification is an answer to (RFC 3834 section 3.1.5), where nothing came back."""
    named = headers.get("in-reply-to").split()
    return named[0].strip("<>") if len(named) == 1 else ""


def _for_recipient(base: MailEvent, report: Report, fields: Headers) -> MailEvent:
    address = _recipient(fields)
    diagnostic = _TYPED.sub("", fields.get("diagnostic-code"), count=1)
    code, status = _codes(fields.get("status"), diagnostic)
    kind = _type(fields.get("action"), status)
    moment = date_ms(fields.get("last-attempt-date"))
    if moment is None:
        if base.time == -1:
            raise AdaptError("the delivery status has no date that can be read")
        moment = base.time_ms
    envelope = report.fields.get("original-envelope-id") or report.fields.get("x-postfix-queue-id")
    return msgspec.structs.replace(
        base,
        id=stable_id(NAME, kind, address, moment, base.message_id, envelope, message_id(report.headers)),
        type=kind,
        time=moment,
        recipient=address,
        smtp_code=code,
        enhanced_status=status,
        diagnostic=diagnostic,
        asynchronous=kind == "bounced",
        mx_host=_host(fields) if domain_of(address) == domain_of(_address(fields.get("final-recipient"))) else "",
    )


def _host(fields: Headers) -> str:
    """The host that answered for the final recipient: `dns; mx.shop.example (192.0.2.7)` (RFC 3464 section 2.3.5)."""
    kind, _, name = fields.get("remote-mta").partition(";")
    words = name.split()
    return words[0] if kind.strip().lower() == "dns" and words else ""


def _recipient(fields: Headers) -> str:
    """The address that was sent to: the first of the two that is one."""
    named = [_address(fields.get(name)) for name in ("original-recipient", "final-recipient")]
    found = _first_with_domain(named) or next(filter(None, named), "")
    if not found:
        raise AdaptError("neither `Original-Recipient` nor `Final-Recipient` is an address")
    return found


def _first_with_domain(named: Iterable[str]) -> str:
    return next((each for each in named if domain_of(each)), "")


def _address(value: str) -> str:
    """The address of a typed one, `rfc822; iris@shop.example` (RFC 3464 section 2.1.2)."""
    kind, semicolon, address = value.partition(";")
    if not semicolon:
        kind, address = "", value
    address = address.strip().strip("<>")
    if kind.strip().lower() == "utf-8":
        return _EMBEDDED.sub(_character, address)
    return address


def _character(found: re.Match[str]) -> str:
    point = int(found[1], 16)
    return chr(point) if point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF else found[0]


def _codes(status: str, diagnostic: str) -> tuple[int, str]:
    """(reply code, enhanced status). An undefined status (RFC 3463 section 3.1) gives way to the one in the reply."""
    code, said = reply_of(diagnostic)
    found = _STATUS.search(status[:100])
    given = found[0] if found else ""
    if said and (not given or (_UNDEFINED.fullmatch(given) and said[0] == given[0])):
        return code, said
    return code, given


def _type(action: str, status: str) -> EventType:
    """What the action says, else the first digit of the status."""
    word = re.split(r"[\s(;,.]", action.strip().lower(), maxsplit=1)[0]
    found = _ACTIONS.get(word) or _CLASSES.get(status[:1])
    if found is None:
        if not word:
            raise AdaptError("field `Action` is missing")
        raise AdaptError(f"field `Action`: unknown value {word[:40]!r}; known are {', '.join(_ACTIONS)}")
    return found
