"""Feedback reports by mail (RFC 5965): one whole mail a message, or reports in JSON (XARF), one or several.

Abuse, fraud, virus, opt-out and other reports are complaints; `not-spam` and `auth-failure` (RFC 6591) are reports
that count in no rate. The shapes in which they come are in `streams.adapt.found_reports`. Read too are Apple Mail's
mails that unsubscribe (`X-Apple-Unsubscribe`). Where customer and stream are found: see `streams.adapt.mail_report`.
Automatic answers and mails about enrolments are no reports, and give no events (`streams.adapt.no_report`).

Many reporters hide who complained. Then the recipient is empty, and the provider is the reporter's; of an address
whose local part alone is hidden the domain is kept.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.event import MailEvent
from streams.adapt.arrival import arrived_ms
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import complete, domain_of
from streams.adapt.common import stable_id
from streams.adapt.feedback import Reporter, bare_address, feedback_type, hides_domain, named_addresses, set_recipient
from streams.adapt.found_reports import JMRP_RECIPIENT, TYPE, FoundReport, reports_in, xarf_reports
from streams.adapt.mail_report import (
    Report,
    addresses,
    campaign_of,
    customer_of,
    from_domain,
    leave_unnamed,
    message_id,
    names_sender,
    place_names,
    sent_ms,
)
from streams.adapt.mime import MAX_GROUPS, Headers, MimePart, date_ms, leaves, read_mail
from streams.adapt.no_report import is_no_report
from streams.adapt.places import MESSAGE_ID
from streams.adapt.sent_from import sent_from
from streams.adapt.trust import MOST_UNPROVEN, check_reporter
from streams.adapt.xarf import REPORTER, split_xarf

NAME = "arf"

_FORMER_SENDERS = ("x-original-from", "x-original-sender", "x-google-original-from", "return-path")


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each recipient that a report names, or one that names none.

    Raises:
        AdaptError: not such a mail, no date in it, no customer can be found, or its reporter is not believed.
    """
    found = _reports(raw, context)
    if found is None:
        return []
    many = len(found.reports) > 1
    events: list[MailEvent] = []
    for number, each in enumerate(found.reports, start=1):
        try:
            events += _events(each, context)
        except AdaptError as error:
            raise AdaptError(f"report {number}: {error}" if many else str(error)) from error
    if events:
        by_user = all(isinstance(each, Headers) for each in found.reports)
        mails = len(found.reports) if found.alone else 1
        options = context.options(NAME)
        check_reporter(found.headers, len(events), options, context, MOST_UNPROVEN, by_user=by_user, mails=mails)
    return events


class _Found(NamedTuple):
    """The header fields of the mail, none of reports without one, and what is in it. Reports that came `alone`, in no
    mail, are a batch, of which as many are taken as if each had come by itself."""

    headers: Headers
    reports: Sequence[FoundReport | Headers]
    alone: bool = False


def _reports(raw: bytes, context: Context) -> _Found | None:
    """The reports of a message, or the header fields of a mail that unsubscribes; None where it is none of these, and
    need not be."""
    if (batch := split_xarf(raw)) is not None:
        arrival, texts = batch
        return _Found(Headers(), list(xarf_reports(texts, arrival)), alone=True)
    mail = read_mail(raw)
    found = list(reports_in(mail, context.providers))
    if found:
        return _Found(mail.headers, [each for each in found if each is not None])
    if mail.headers.get("x-apple-unsubscribe").lower() == "true":
        return _Found(mail.headers, [mail.headers])
    if is_no_report(mail):
        return None
    raise AdaptError(f"the mail has no part of type {TYPE}{_instead(mail)}")


def _instead(mail: MimePart) -> str:
    """What it is instead, where that can be told."""
    if any(each.content_type == "message/delivery-status" for each in leaves(mail)):
        return "; it is a delivery status notification, whose format is `dsn`"
    return ""


def _events(found: FoundReport | Headers, context: Context) -> list[MailEvent]:
    if isinstance(found, Headers):
        return [complete(_unsubscribed(found, context), context)]
    fields, original = found.fields, found.original
    senders = [bare_address(each) for each in (*fields.all("original-mail-from"), *original.all("return-path"))]
    report = Report(
        found.headers,
        fields,
        original,
        [each for each in senders if not hides_domain(domain_of(each))],
        sent_from(found.headers, original, fields),
    )
    message = message_id(original) or fields.get("message-id").strip(" <>")
    unnamed = names_sender(report, message, context.options(NAME), context)
    base = _base(report, message, context, unnamed=unnamed)
    events = [complete(_for_recipient(base, report, each, context), context) for each in _recipients(report)]
    for event in events if unnamed else ():
        leave_unnamed(event, context.options(NAME))
    return events


def _base(report: Report, message: str, context: Context, *, unnamed: bool) -> MailEvent:
    """What all recipients of the report share. Its time is the report's, for that is when somebody complained; where
    it tells none, when it came."""
    fields, original = report.fields, report.original
    arrived = _first(date_ms(fields.get("arrival-date")), date_ms(fields.get("received-date")))
    moment = _first(sent_ms(report.headers), arrived_ms(report.headers), arrived)
    if moment is None:
        raise AdaptError("the report has no date that can be read")
    options = context.options(NAME)
    authors = (from_domain(original), *map(domain_of, report.senders), fields.get("reported-domain").lower())
    event = MailEvent(
        id=NAME,
        type="complained",
        time=moment,
        customer=MESSAGE_ID if unnamed else customer_of(report, options, context.owners),
        message_id=message,
        sending_ip=report.sending_ip,
        from_domain=next((each for each in authors if not hides_domain(each)), ""),
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
    fields = report.fields
    hosts = (
        fields.get("reporting-mta").rpartition(";")[2].strip(),
        from_domain(report.headers),
        fields.get(REPORTER),
        # Who wrote the mail before a list or a forwarder put its own address there.
        *(domain_of(each) for name in _FORMER_SENDERS for each in addresses(report.headers, name)[:1]),
    )
    reporter = Reporter(fields.all("source")[:1], hosts, fields.get("user-agent"))
    set_recipient(event, address, reporter, context.providers)
    names = (message_id(report.headers), base.message_id)
    # A mail that is sent again came at another time, and tells the same.
    told = 0 if sent_ms(report.headers) is None and arrived_ms(report.headers) is not None and any(names) else base.time
    event.id = stable_id(NAME, names[0], base.feedback_type, told, names[1], address, base.sending_ip)
    return event


def _recipients(report: Report) -> list[str]:
    """Whom the report names (RFC 5965 sections 3.2 and 3.3), each once; one empty text where it names nobody.

    The To header of the mail is asked last: it is what its author wrote, not whom it went to.
    """
    fields, original = report.fields, report.original
    for found in (
        fields.all("original-rcpt-to"),
        fields.all("removal-recipient"),
        original.all(JMRP_RECIPIENT),
        _only_addressee(original),
    ):
        usable = list(dict.fromkeys(address for each in found for address in named_addresses(each) if "@" in address))
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
    moment = _first(sent_ms(headers), arrived_ms(headers))
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
