"""Delivery status notifications by mail (RFC 3464, RFC 6533), and other mails that tell the same: one mail a message.

`failed` is a bounce, or `expired` where the reporting host has given up after retries; `delayed` is a deferral (see
`streams.adapt.fates`). They come after the mail was handed on, so failures are asynchronous. `delivered`, `relayed` and
`expanded` tell that the recipient's host took the mail, which the log has told already: they are events only with the
option `deliveries`.

The recipient is `Original-Recipient`, the address that was sent to, and only without it `Final-Recipient`, to which
it may have been forwarded. The time is the recipient's last attempt, else the notification's date, else when it came
(`streams.adapt.arrival`); when the mail was sent is unknown unless the notification tells. Where no reply
stands beside a recipient, the text of the notification is looked at (`streams.adapt.notice_text`).

Where the customer and the stream are found: see `streams.adapt.mail_report`. The envelope sender is the address to
which the notification was sent (RFC 3461 section 6.1). Mails without a report are read where they name recipients
(`streams.adapt.prose`), rejections that come as receipts (RFC 8098, RFC 5429), and notifications that somebody
forwarded as attachments. What is no such mail, such as an automatic answer, gives no event, nor does what became of a
notification itself.
"""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from schemas.event import MailEvent
from streams.adapt.arrival import arrived_ms
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import complete, domain_of
from streams.adapt.common import stable_id
from streams.adapt.dsn_parts import REPORTED, REPORTED_ACTION, STATUS_TYPES
from streams.adapt.fates import PROBES, action_word, codes, fate
from streams.adapt.forwarded import MOST_FORWARDED, forwarded_in, is_notification
from streams.adapt.haraka import gave_up_unsaid, is_sender, reason_of
from streams.adapt.mail_report import (
    Report,
    addresses,
    campaign_of,
    customer_of,
    from_domain,
    message_id,
    original_of,
    place_names,
    received_ms,
    sent_ms,
)
from streams.adapt.mime import MAX_GROUPS, Headers, MimePart, date_ms, groups, leaves, read_mail
from streams.adapt.notice_text import NoticeText, notice_text
from streams.adapt.prose import ONCE, is_answer, is_notice, named_in, prose
from streams.adapt.trust import check_reporter

NAME = "dsn"

_RECEIPT_TYPES = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
#: In the text of a receipt (RFC 8098) by which a filter of the recipient's host rejects a mail (RFC 5429 section 2.2).
_REJECTED = ("reject", "refuse", "quota", "not delivered", "could not be delivered", "undeliver")
#: `smtp; 550 ...`: the type before the text (RFC 3464 section 2.3.6).
_TYPED = re.compile(r"\A[A-Za-z][\w-]{0,20}[ \t]*;[ \t]*")
#: `550 User unknown`: a reply in place of a status.
_REPLY_AS_STATUS = re.compile(r"\A\s*([245]\d\d[ :;,-]\s*[\w#<(\[].{2,})")
#: A status with a subject (RFC 3463 section 2): 0 says nothing.
_SAYS_WHY = re.compile(r"\b[45]\.[1-9]\d{0,2}\.\d")
#: A reply that was no failure, such as the last one before a connection broke.
_NO_FAILURE = re.compile(r"\A[123]\d\d\b")
#: Around an address: a scheme before it, a comment or a semicolon behind it; and a name before one in brackets.
_AROUND = re.compile(r"\A(?:mailto|smtp):(?=\S{1,254}@)|\s{1,20}\([^()]{0,300}\)\Z|\s{0,20};\Z", re.IGNORECASE)
_NAMED = re.compile(r"[^<>]{1,300}\s<([^<>\s]{1,300}@[^<>\s]{1,300})>")
#: `X-Unix; 67`: how a program ended.
_EXIT = re.compile(r"\A\s*x-unix\s*;\s*\d{1,3}\s*\Z", re.IGNORECASE)
_HOST_NAME = re.compile(r"(?:[\w-]{1,63}\.){1,20}[A-Za-z][\w-]{1,62}\.?", re.ASCII)
#: RFC 6533 section 3: a character of an address as `\\x{HEX}`.
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
#: RFC 3461 section 4: a character of an address as `+HEX`. Those that xtext has no other way for, and all; a blank is
#: in quotes. People put numbers behind a plus: `iris+2024`.
_XTEXT_ONLY = re.compile(r'\+(2B|3D|20(?=[^"]*"))')
_XTEXT = re.compile(r"\+([0-7][0-9A-F])")


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each recipient of the notification whose fate is news; none for a mail that is no notification.

    Raises:
        AdaptError: a notification that names nobody, a recipient without address or of an unknown fate, no date, no
            customer can be found, or its reporter is not believed.
    """
    mail = read_mail(raw)
    events = _events(mail, context)
    if events:
        check_reporter(mail.headers, len(events), context.options(NAME), context, MAX_GROUPS)
    return events


def _events(mail: MimePart, context: Context, depth: int = 0) -> list[MailEvent]:
    parts = leaves(mail)
    text = notice_text(mail, parts)
    if depth < MOST_FORWARDED and (forwarded := forwarded_in(mail, parts, text)):
        return [event for each in forwarded for event in _events(each, context, depth + 1)]
    read = _groups(mail, parts, text)
    if read is None:
        return []
    found, original = read
    if is_notification(original):
        return []
    about = next((each for each in found if each.get("reporting-mta") or each.get("arrival-date")), Headers())
    recipients = [each for each in found if _names(each) and not _is_probe(each, about)]
    if not recipients:
        return []
    silent = not any(each.get("action") or each.get("status") or each.get(REPORTED_ACTION) for each in found)
    known = [_addresses_of(each) for each in recipients]
    reported = (_address(value).lower() for each in found for value in each.all(REPORTED))
    everybody = frozenset(reported).union(*known)
    by_haraka = is_sender(mail.headers)
    report = Report(mail.headers, about, original, _senders(mail.headers, about, original))
    base = None
    events = []
    for number, (fields, own) in enumerate(zip(recipients, known, strict=True), start=1):
        try:
            base = base or _base(report, context)
            event = _for_recipient(base, report, fields, _Said(text, own, everybody, silent, by_haraka))
            if event is not None and (event.type != "delivered" or context.options(NAME).deliveries):
                events.append(complete(event, context))
        except AdaptError as error:
            place = f"recipient {number}: " if len(recipients) > 1 else ""
            raise AdaptError(f"{place}{error}") from error
    return events


def _groups(mail: MimePart, parts: Sequence[MimePart], text: NoticeText) -> tuple[list[Headers], Headers] | None:
    """The groups of fields of the report, or of what stands for one, and the header fields of the returned mail; None
    where the mail is no notification of a failure."""
    original = original_of(parts) or text.returned
    status = next((part for part in parts if part.content_type in STATUS_TYPES), None)
    found: list[Headers] = []
    if status is not None:
        found = groups(status.decoded().lstrip(b"\r\n"), ONCE)
        if any(map(_names, found)):
            return _with_addresses(found, mail, text), original
    elif receipt := next((part for part in parts if part.content_type in _RECEIPT_TYPES), None):
        return _rejection(mail, receipt, text, original)
    elif any(part.content_type == "message/feedback-report" for part in parts):
        raise AdaptError("this is a feedback report; its format is `arf`")
    if status is None and is_answer(mail, text):
        return None
    notice = status is not None or is_notice(mail, text)
    read = prose(mail, parts, text, original, notice=notice)
    if read is not None:
        return [*found, *read.groups], read.returned
    if status is not None:
        raise AdaptError("the delivery status names no recipient")
    if "notificationType" in " ".join(text.lines[:3]):
        raise AdaptError("this is a notification of SES as a mail; let SNS send it over HTTPS, to the format `ses`")
    if not notice and mail.headers.get("from") and sent_ms(mail.headers) is not None:
        return None
    # Also what looks like a mail and is none: every mail has a sender and a date (RFC 5322 section 3.6).
    raise AdaptError("the mail has no part of type message/delivery-status, and its text names no recipient")


def _with_addresses(found: list[Headers], mail: MimePart, text: NoticeText) -> list[Headers]:
    """The groups. Where a recipient is no address but a pipe, a file or a host, it is the one that the text names."""
    without = [_names(each) and not any(map(_is_address, _addresses_of(each))) for each in found]
    if not any(without):
        return found
    named = list(dict.fromkeys([*addresses(mail.headers, "x-failed-recipients"), *named_in(mail, text)]))
    if len(named) != 1:
        return found
    one = {"original-recipient": [f"rfc822;{named[0]}"]}
    return [Headers({**each.fields, **one}) if lacks else each for each, lacks in zip(found, without, strict=True)]


def _is_address(named: str) -> bool:
    local, _, domain = named.rpartition("@")
    return (
        bool(domain or local)
        and not named.startswith(("|", "/", ":", "@"))
        and (" " not in named or local.startswith('"'))
    )


def _rejection(
    mail: MimePart, receipt: MimePart, text: NoticeText, original: Headers
) -> tuple[list[Headers], Headers] | None:
    """A receipt as what it tells where it rejects the mail; None where it tells that it was read, or not."""
    fields = next(filter(_names, groups(receipt.decoded().lstrip(b"\r\n"))), Headers())
    disposition = fields.get("disposition").lower()
    said = " ".join(text.lines).lower()
    # In the text, or in `Auto-Submitted: auto-replied (rejected)`, as Dovecot has it, where the text is another's.
    told = any(word in said for word in _REJECTED) or "reject" in mail.headers.get("auto-submitted").lower()
    if not told and not any(word in disposition for word in ("denied", "failed", "reject")):
        return None
    if "displayed" in disposition or not _names(fields):
        return None
    made = {**fields.fields, "action": ["failed"]}
    if not original.get("message-id") and (about := fields.get("original-message-id")):
        original = Headers({**original.fields, "message-id": [about]})
    return [Headers(made)], original


def _names(fields: Headers) -> bool:
    return bool(fields.get("final-recipient") or fields.get("original-recipient"))


def _is_probe(fields: Headers, about: Headers) -> bool:
    """Whether nothing was sent: what became of it would be `deliverable`, or, as Postfix has it, `undeliverable`."""
    word = action_word(fields.get("action"))
    return word in PROBES or (word == "undeliverable" and bool(about.get("x-postfix-queue-id")))


def _senders(headers: Headers, about: Headers, original: Headers) -> list[str]:
    named = [address for name in ("to", "x-original-to", "envelope-to") for address in addresses(headers, name)]
    traced = [_address(about.get("x-postfix-sender")), *original.all("return-path")]
    return [*named, *(each for each in traced if each)]


def _base(report: Report, context: Context) -> MailEvent:
    """What all recipients of the notification share."""
    options = context.options(NAME)
    original = report.original
    moments = (
        sent_ms(report.headers),
        arrived_ms(report.headers),
        date_ms(report.fields.get("arrival-date")),
        received_ms(original),
    )
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


class _Said(msgspec.Struct, frozen=True):
    """The text of the notification, and for whom it is looked at: the addresses of a recipient, and of all. `silent` is
    a notification whose groups say nothing but the recipients: it is about failures (Haraka)."""

    text: NoticeText
    own: AbstractSet[str]
    everybody: AbstractSet[str]
    silent: bool
    by_haraka: bool

    def beside(self, status: str) -> str:
        # Where a status says why, no words that may be about anything are needed.
        return self.text.of(self.own, self.everybody, guess=not _SAYS_WHY.search(status))


def _for_recipient(base: MailEvent, report: Report, fields: Headers, said: _Said) -> MailEvent | None:
    """The event of one recipient; None where nothing says what became of it, and of others something does."""
    address = _recipient(fields)
    diagnostic = _TYPED.sub("", fields.get("diagnostic-code"), count=1).strip()
    given = fields.get("status")
    no_failure = diagnostic if _NO_FAILURE.match(diagnostic) and not given.startswith("2") else ""
    if _EXIT.match(fields.get("diagnostic-code")):
        no_failure = diagnostic
    diagnostic = "" if no_failure else diagnostic
    reason = reason_of(given, diagnostic)
    if reason is not None:
        given, diagnostic = reason.status, reason.diagnostic
    elif not diagnostic:
        found = _REPLY_AS_STATUS.match(given)
        diagnostic = (found[1] if found else "") or said.beside(given) or no_failure
    code, status = codes(given, diagnostic if reason is None or reason.is_reply else "")
    kind = fate(fields.get("action"), code, status, diagnostic)
    if kind is None:
        if not said.silent:
            return None
        kind = "bounced"
    elif (said.silent and kind == "deferred") or (kind == "bounced" and gave_up_unsaid(fields) and said.by_haraka):
        kind = "expired"
    if kind != "delivered" and status.startswith("2"):
        status = ""
    moment = date_ms(fields.get("last-attempt-date"))
    if moment is None:
        if base.time == -1:
            raise AdaptError("the delivery status has no date that can be read")
        moment = base.time_ms
    envelope = report.fields.get("original-envelope-id") or report.fields.get("x-postfix-queue-id")
    names = (base.message_id, envelope, message_id(report.headers))
    # A mail that is sent again came at another time, and tells the same.
    told = 0 if moment == arrived_ms(report.headers) and sent_ms(report.headers) is None and any(names) else moment
    return msgspec.structs.replace(
        base,
        id=stable_id(NAME, kind, address, told, *names),
        type=kind,
        time=moment,
        recipient=address,
        smtp_code=code,
        enhanced_status=status,
        diagnostic=diagnostic,
        asynchronous=kind in ("bounced", "expired"),
        mx_host=_host(fields) if domain_of(address) == domain_of(_address(fields.get("final-recipient"))) else "",
    )


def _host(fields: Headers) -> str:
    """The host that answered for the final recipient: `dns; mx.shop.example (192.0.2.7)` (RFC 3464 section 2.3.5)."""
    kind, semicolon, name = fields.get("remote-mta").partition(";")
    if not semicolon:
        # Haraka leaves out the type, and may write an address.
        return kind.strip() if _HOST_NAME.fullmatch(kind.strip()) else ""
    words = name.split()
    return words[0] if kind.strip().lower() == "dns" and words else ""


def _recipient(fields: Headers) -> str:
    """The address that was sent to: the first of the two that is one."""
    final = _address(fields.get("final-recipient"))
    original = _without_xtext(_address(fields.get("original-recipient")), final)
    found = _first_with_domain((original, final)) or original or final
    if not found:
        raise AdaptError("neither `Original-Recipient` nor `Final-Recipient` is an address")
    return found


def _without_xtext(address: str, final: str) -> str:
    """An original recipient as it was, where a host left it in the encoding of the SMTP parameter ORCPT."""
    if "+" not in address or address.lower() == final.lower():
        return address
    whole = _XTEXT.sub(_character_of_xtext, address)
    if whole.lower() == final.lower():
        return whole
    # One `+` that must have been encoded shows that none in it stands for itself.
    encoded = _XTEXT_ONLY.search(address) and len(_XTEXT.findall(address)) == address.count("+")
    return whole if encoded else _XTEXT_ONLY.sub(_character_of_xtext, address)


def _character_of_xtext(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _addresses_of(fields: Headers) -> frozenset[str]:
    """All addresses by which the text may name a recipient, in lower case."""
    names = ("original-recipient", "final-recipient", "x-actual-recipient")
    return frozenset(each.lower() for name in names if (each := _address(fields.get(name))))


def _first_with_domain(named: Iterable[str]) -> str:
    return next((each for each in named if domain_of(each)), "")


def _address(value: str) -> str:
    """The address of a typed one, `rfc822; iris@shop.example` (RFC 3464 section 2.1.2)."""
    kind, semicolon, address = value.partition(";")
    if not semicolon:
        kind, address = "", value
    address = _AROUND.sub("", address.strip()).strip()
    if named := _NAMED.fullmatch(address):
        address = named[1]
    address = address.strip("<>")
    if kind.strip().lower() == "utf-8":
        return _EMBEDDED.sub(_character, address)
    return address


def _character(found: re.Match[str]) -> str:
    point = int(found[1], 16)
    return chr(point) if point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF else found[0]
