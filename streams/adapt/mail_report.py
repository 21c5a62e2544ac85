"""What feedback reports and delivery status notifications share: the mail they are about, and whose it was.

The options `customer`, `stream`, `sub_account` and `pool` name a place in the report:

- `sender` (the default for `customer`): the domain of the envelope sender, else that of the From header.
- `header.NAME`: a header field of the mail that the report is about.
- `field.NAME`: a field of the report's machine-readable part, for example `field.Original-Envelope-Id`.
- `verp:PATTERN`: a piece of the envelope sender. In the pattern `{}` is the piece, `*` is anything:
  `verp:bounce+{}+*@*` finds `acme` in `bounce+acme+iris=shop.example@mail.example`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.event import MailEvent
from streams.adapt.addresses import addresses_in
from streams.adapt.base import AdaptError, FormatOptions, fill
from streams.adapt.canonical import domain_of
from streams.adapt.mime import MAX_VALUE, Headers, MimePart, date_ms, read_headers, read_part, words

SENDER = "sender"

_WHOLE = frozenset({"message/rfc822", "message/global"})
_HEADERS_ONLY = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
_WILD = re.compile(r"(\{\}|\*)")
_RECEIVED_DATE = re.compile(r";([^;]*)$")


@dataclass(frozen=True, slots=True)
class Report:
    """A report by mail: its own header fields, those of its machine-readable part, those of the mail it is about,
    and the envelope senders of that mail as far as they are given, best first.
    """

    headers: Headers
    fields: Headers
    original: Headers
    senders: Sequence[str]


def original_of(parts: Sequence[MimePart]) -> Headers:
    """The header fields of the returned mail (RFC 3462 section 1, RFC 6522); none where it was not returned.

    Raises:
        AdaptError: they are too large.
    """
    for part in parts:
        if part.content_type in _WHOLE:
            return read_part(part.decoded().lstrip(b"\r\n")).headers
        if part.content_type in _HEADERS_ONLY:
            return read_headers(part.decoded())
    return Headers()


def sent_ms(headers: Headers) -> int | None:
    """When a mail was sent (epoch ms, UTC): its date, else when the last host took it in (RFC 5321 section 4.4)."""
    if (moment := date_ms(headers.get("date"))) is not None:
        return moment
    received = _RECEIVED_DATE.search(headers.get("received")[-MAX_VALUE:])
    return date_ms(received[1]) if received else None


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


def customer_of(report: Report, options: FormatOptions) -> str:
    """Whose mail the report is about.

    Raises:
        AdaptError: nobody is found and no default customer is configured, or the place is none.
    """
    place = options.customer or SENDER
    customer = options.customer_or_default(_find(place, report))
    if not customer:
        what = "no envelope sender and no From header" if place == SENDER else f"no value at `{place}`"
        raise AdaptError(f"{what} in the report, and no default customer is configured")
    return customer


def place_names(event: MailEvent, report: Report, options: FormatOptions) -> MailEvent:
    """The event with the stream and the IP pool of the mail that the report is about, where options say their place.

    Raises:
        AdaptError: the place is none.
    """
    return fill(event, options, lambda place: _find(place, report))


def _find(place: str, report: Report) -> str:
    kind, _, name = place.partition(".")
    if place == SENDER:
        domains = [domain_of(each) for each in report.senders]
        return next(filter(None, domains), "") or from_domain(report.original)
    if place.startswith("verp:"):
        pattern = place.removeprefix("verp:")
        return next(filter(None, (piece_of(pattern, each) for each in report.senders)), "")
    if kind == "header" and name:
        return _only(name, report.original)
    if kind == "field" and name:
        return _only(name, report.fields)
    raise AdaptError(
        f"the option `{place}` is not a place in reports; use `sender`, `header.NAME`, `field.NAME` or `verp:PATTERN`"
    )


def _only(name: str, headers: Headers) -> str:
    """The one value of a field. Where there are two, one of them was put there by somebody else."""
    values = sorted({words(value) for value in headers.all(name)})
    if len(values) > 1:
        raise AdaptError(f"header field `{name}` is there more than once, with different values")
    return values[0] if values else ""


def piece_of(pattern: str, address: str) -> str:
    """What stands at `{}` in an address that has the form of the pattern; empty for one that has another.

    Letter case does not count. Each `*` and `{}` ends where the text after it first occurs.

    Raises:
        AdaptError: the pattern does not have exactly one `{}`.
    """
    if pattern.count("{}") != 1:
        raise AdaptError(f"the pattern `{pattern}` needs exactly one `{{}}`")
    address = address.strip(" \t<>")
    lowered = address.lower()
    first, *rest = _WILD.split(pattern.lower())
    if not lowered.startswith(first):
        return ""
    position, found = len(first), ""
    for number in range(0, len(rest), 2):
        wild, literal = rest[number], rest[number + 1]
        last = number + 2 == len(rest)
        end = len(address) - len(literal) if last else lowered.find(literal, position)
        if end < position or not lowered.startswith(literal, end):
            return ""
        if wild == "{}":
            found = address[position:end]
        position = end + len(literal)
    return found
