"""Feedback reports by mail (RFC 5965): one whole mail a message.

Abuse, fraud, virus, opt-out and other reports are complaints; `not-spam` and `auth-failure` (RFC 6591) are reports
that count in no rate. Read too are Microsoft's complaints (JMRP), which attach the mail and name the recipient in its
header `X-HmXmrOriginalRecipient`, and Apple Mail's mails that unsubscribe (`X-Apple-Unsubscribe`). Where the customer
and the stream are found: see `streams.adapt.mail_report`.

Many reporters hide who complained. Then the recipient is empty, and the provider is the reporter's; of an address
whose local part alone is hidden the domain is kept.
"""

import re

import msgspec

from schemas.event import MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import complete, domain_of
from streams.adapt.common import stable_id
from streams.adapt.feedback import feedback_type, reporting_provider
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
from streams.adapt.mime import MAX_GROUPS, Headers, MimePart, date_ms, leaves, read_headers, read_mail

NAME = "arf"

_TYPE = "message/feedback-report"
_JMRP_RECIPIENT = "x-hmxmroriginalrecipient"
#: Local parts that stand for a hidden one. RFC 6590 leaves the choice to the reporter; a hash cannot be recognized.
_HIDDEN = re.compile(
    r"[\[(]?(?:redacted|hidden|removed|undisclosed)(?:[-_.]?(?:address|recipients?|user))?[\])]?|x{3,}|\W*",
    re.IGNORECASE,
)


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each recipient that the report names, or one that names none.

    Raises:
        AdaptError: not such a mail, no date in it, or no customer can be found.
    """
    mail = read_mail(raw)
    parts = leaves(mail)
    original = original_of(parts)
    fields = _fields(parts)
    if fields is None:
        if mail.headers.get("x-apple-unsubscribe").lower() == "true":
            return [complete(_unsubscribed(mail.headers, context), context)]
        if not original.get(_JMRP_RECIPIENT):
            raise AdaptError(f"the mail has no part of type {_TYPE}")
        fields = Headers()
    senders = [*fields.all("original-mail-from"), *original.all("return-path")]
    report = Report(mail.headers, fields, original, senders)
    base = _base(report, context)
    return [complete(_for_recipient(base, report, each, context), context) for each in _recipients(report)]


def _fields(parts: list[MimePart]) -> Headers | None:
    for part in parts:
        if part.content_type == _TYPE:
            return read_headers(part.decoded().lstrip(b"\r\n"))
    return None


def _base(report: Report, context: Context) -> MailEvent:
    """What all recipients of the report share. Its time is the report's, for that is when somebody complained."""
    fields, original = report.fields, report.original
    arrived = _first(date_ms(fields.get("arrival-date")), date_ms(fields.get("received-date")))
    moment = _first(sent_ms(report.headers), arrived)
    if moment is None:
        raise AdaptError("the report has no date that can be read")
    options = context.options(NAME)
    event = MailEvent(
        id=NAME,
        type="complained",
        time=moment,
        customer=customer_of(report, options, context.owners),
        message_id=message_id(original) or fields.get("message-id").strip(" <>"),
        sending_ip=fields.get("source-ip"),
        from_domain=from_domain(original)
        or domain_of(fields.get("original-mail-from"))
        or fields.get("reported-domain").lower(),
        feedback_type=feedback_type(fields.get("feedback-type")),
        campaign=campaign_of(original),
        # What the host that took the mail in says takes precedence over the date that its sender wrote.
        sent=_first(arrived, date_ms(original.get("date"))) or 0,
    )
    return place_names(event, report, options, context.owners)


def _first(*moments: int | None) -> int | None:
    return next((each for each in moments if each is not None), None)


def _for_recipient(base: MailEvent, report: Report, address: str, context: Context) -> MailEvent:
    event = msgspec.structs.replace(base)
    local, _, domain = address.rpartition("@")
    if _HIDDEN.fullmatch(local):
        event.recipient_domain = domain
    else:
        event.recipient = address
    if not domain:
        mta = report.fields.get("reporting-mta").rpartition(";")[2].strip()
        event.provider = reporting_provider((mta, from_domain(report.headers)), context.providers)
    event.id = stable_id(
        NAME, message_id(report.headers), base.feedback_type, base.time, base.message_id, address, base.sending_ip
    )
    return event


def _recipients(report: Report) -> list[str]:
    """Whom the report names (RFC 5965 sections 3.2 and 3.3), each once; one empty text where it names nobody.

    The To header of the mail is asked last: it is what its author wrote, not whom it went to.
    """
    fields, original = report.fields, report.original
    named = [each for each in fields.all("original-rcpt-to") if "@" in each]
    for found in (named, fields.all("removal-recipient"), original.all(_JMRP_RECIPIENT), _only_addressee(original)):
        usable = list(dict.fromkeys(each.strip(" <>") for each in found if "@" in each))
        if len(usable) > MAX_GROUPS:
            raise AdaptError(f"the report names more than {MAX_GROUPS:,} recipients")
        if usable:
            return usable
    return [""]


def _only_addressee(original: Headers) -> list[str]:
    found = addresses(original, "to")
    return found if len(found) == 1 else []


def _unsubscribed(headers: Headers, context: Context) -> MailEvent:
    """A mail by which Apple Mail unsubscribes its user from a list: from the user, to the list's address for that."""
    moment = sent_ms(headers)
    if moment is None:
        raise AdaptError("the mail has no date that can be read")
    report = Report(headers, Headers(), Headers(), addresses(headers, "to"))
    address = next(iter(addresses(headers, "from")), "")
    options = context.options(NAME)
    event = MailEvent(
        id=stable_id(NAME, "unsubscribed", message_id(headers), moment, address),
        type="unsubscribed",
        time=moment,
        customer=customer_of(report, options, context.owners),
        recipient=address,
    )
    return place_names(event, report, options, context.owners)
