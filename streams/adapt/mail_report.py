"""What feedback reports and delivery status notifications share: the mail they are about, and whose it was.

The options `customer`, `stream`, `sub_account` and `pool` name a place of `streams.adapt.places`, or `field.NAME`: a
field of the report's machine-readable part, for example `field.Original-Envelope-Id`. Here `sender`, the default for
`customer`, is the domain of the From header where no envelope sender is known.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.event import MailEvent
from streams.adapt.addresses import addresses_in
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.canonical import domain_of
from streams.adapt.feedback import hides_domain
from streams.adapt.mime import MAX_VALUE, Headers, MimePart, date_ms, read_headers, read_part
from streams.adapt.owners import Owners
from streams.adapt.places import (
    MESSAGE_ID,
    SHARED,
    AmbiguousError,
    SentMail,
    find_customer,
    in_words,
    only_value,
    shared_place,
)

SENDER = "sender"

#: Parts that are whole mails.
WHOLE = frozenset({"message/rfc822", "message/global"})
HEADERS_ONLY = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
#: So many hosts of a mail are asked when they took it in.
MOST_HOPS = 10
_RECEIVED_DATE = re.compile(r";([^;]*)$")


@dataclass(frozen=True, slots=True)
class Report:
    """A report by mail: its own header fields, those of its machine-readable part, those of the mail it is about,
    and the envelope senders of that mail as far as they are given, best first, and the address it was sent from.
    """

    headers: Headers
    fields: Headers
    original: Headers
    senders: Sequence[str]
    sending_ip: str = ""


def original_of(parts: Sequence[MimePart]) -> Headers:
    """The header fields of the returned mail (RFC 3462 section 1, RFC 6522); none where it was not returned.

    Raises:
        AdaptError: they are too large.
    """
    for part in parts:
        if part.content_type in WHOLE:
            return read_part(part.decoded().lstrip(b"\r\n")).headers
        if part.content_type in HEADERS_ONLY:
            return read_headers(part.decoded())
    return Headers()


def sent_ms(headers: Headers) -> int | None:
    """When a mail was sent (epoch ms, UTC): its date, else when the last host took it in (RFC 5321 section 4.4)."""
    if (moment := date_ms(headers.get("date"))) is not None:
        return moment
    return received_ms(headers)


def received_ms(headers: Headers) -> int | None:
    """When the last host took a mail in (epoch ms, UTC); where that cannot be read, the one before it."""
    dates = (_RECEIVED_DATE.search(each[-MAX_VALUE:]) for each in headers.all("received")[:MOST_HOPS])
    moments = (date_ms(each[1]) for each in dates if each)
    return next((each for each in moments if each is not None), None)


def message_id(headers: Headers) -> str:
    """The Message-ID without its angle brackets, which are no part of it (RFC 5322 section 3.6.4)."""
    return headers.get("message-id").strip(" <>")


def from_domain(headers: Headers) -> str:
    """The domain of the From header; empty where there is none."""
    return domain_of(next(iter(addresses(headers, "from")), ""))


def campaign_of(headers: Headers) -> str:
    """The campaign, in either spelling that senders use for its header; empty where there is none."""
    return headers.get("x-campaignid") or headers.get("x-campaign-id")


def addresses(headers: Headers, name: str) -> list[str]:
    """The addresses in the first fields of a name."""
    return [address for value in headers.all(name)[:10] for address in addresses_in(value)]


def customer_of(report: Report, options: FormatOptions, owners: Owners) -> str:
    """Whose mail the report is about.

    Raises:
        AdaptError: nobody is found and no default customer is configured, or the place is none.
    """
    customer = find_customer(options, lambda place: _find(place, report, owners), SENDER)
    if not customer:
        places = options.customer_places or (SENDER,)
        what = "no envelope sender and no From header" if places == (SENDER,) else f"no value at {in_words(places)}"
        raise AdaptError(f"{what} in the report, and no default customer is configured")
    return customer


def names_sender(report: Report, message: str, options: FormatOptions, context: Context) -> bool:
    """Whether the customer of a report is to be found by the id of the message that it is about, for no other place
    names one.

    Raises:
        AdaptError: a place is none.
    """
    if not context.find_by_message or not message or MESSAGE_ID not in options.customer_places:
        return False
    try:
        return not find_customer(
            replace(options, default_customer=""), lambda place: _find(place, report, context.owners), SENDER
        )
    except AmbiguousError:
        return True


def leave_unnamed(event: MailEvent, options: FormatOptions) -> None:
    """Leave the customer of a checked event to be found by its message id: no name begins with NUL. The default
    customer is behind it."""
    event.customer = f"\0{options.default_customer}"


def is_unnamed(event: MailEvent) -> bool:
    """Whether an event's customer is to be found by its message id."""
    return event.customer[:1] == "\0"


def default_of(event: MailEvent) -> str:
    """Whose an unnamed event is if nobody is found; empty for nobody's."""
    return event.customer[1:]


def place_names(event: MailEvent, report: Report, options: FormatOptions, owners: Owners) -> MailEvent:
    """The event with the stream and the IP pool of the mail that the report is about, where options say their place.

    Raises:
        AdaptError: the place is none.
    """
    return fill(event, options, lambda place: _find(place, report, owners))


def _find(place: str, report: Report, owners: Owners) -> str:
    kind, _, name = place.partition(".")
    if kind == "field" and name:
        return only_value(name, report.fields.all(name))
    mail = SentMail(report.senders, report.original.all, report.sending_ip, _author_domains(report))
    found = shared_place(place, mail, owners)
    if found is None:
        raise AdaptError(f"the option `{place}` is not a place in reports; use `field.NAME`, {SHARED}")
    author = from_domain(report.original)
    return found or (author if place == SENDER and not hides_domain(author) else "")


def _author_domains(report: Report) -> list[str]:
    return [from_domain(report.original), *(each.lower() for each in report.fields.all("reported-domain"))]
