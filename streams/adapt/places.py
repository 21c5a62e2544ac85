"""Places at which every source finds the customer that knows of a mail more than its recipient.

Each format has places of its own besides. An option may name several places: the first that answers is taken.

- `sender`: the domain of the envelope sender.
- `verp:PATTERN`: a piece of the envelope sender. In the pattern `{}` is the piece, `*` is anything:
  `verp:bounce+{}+*@*` finds `acme` in `bounce+acme+iris=shop.example@mail.example`.
- `header.NAME`: a header field of the mail that was sent.
- `feedback-id.N`: part N (1 to 4) of its `Feedback-ID`, four parts with colons between them
  (https://support.google.com/mail/answer/6254652).
- `dkim`: who owns the domain (`d=`, RFC 6376 section 3.5) of its DKIM signatures.
- `domain`: who owns the domain of its envelope sender, of its From header, or one that a report names.
- `ip`: who owns the address that it was sent from.
- `message-id`: who sent the message with its Message-ID. Only ingest, which remembers that, finds a customer there, and
  only of reports by mail; it is asked last.

Owners are those of `Context.owners`. A place at which two different customers are found names nobody, since one of the
two was put there by somebody else.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from streams.adapt.base import AdaptError, FormatOptions
from streams.adapt.canonical import domain_of
from streams.adapt.mime import words
from streams.adapt.owners import Owners

#: The place that is asked when a report is counted.
MESSAGE_ID = "message-id"
#: Places by who owns a domain.
BY_DOMAIN = frozenset({"dkim", "domain"})
#: Said where an option is no place, with the format's own before it.
SHARED = "`sender`, `header.NAME`, `feedback-id.N`, `verp:PATTERN`, `dkim`, `domain`, `ip` or `message-id`"
#: Header fields of one name that are looked at.
MOST_FIELDS = 20
_PARTS = ("1", "2", "3", "4")

_WILD = re.compile(r"(\{\}|\*)")
#: A tag of a signature (RFC 6376 section 3.2). White space is allowed around its name and value.
_SIGNING_DOMAIN = re.compile(r"(?:^|;)\s*d\s*=\s*([^\s;]+)")


class AmbiguousError(AdaptError):
    """A place names two different customers; another place may still name one."""


def no_header(name: str) -> Sequence[str]:
    """The header fields of a mail of which none are known."""
    return ()


@dataclass(frozen=True, slots=True)
class SentMail:
    """What a record or a report tells of the mail that it is about, as far as customers are found by it.

    `senders` are envelope senders, the best first. `header` gives all values of a field, in whatever
    letter case its name is asked for. `address` is the IP address it was sent from, `domains` are those of its author.
    """

    senders: Sequence[str] = ()
    header: Callable[[str], Sequence[str]] = no_header
    address: str = ""
    domains: Sequence[str] = ()


def find_customer(options: FormatOptions, look: Callable[[str], str], *default_places: str) -> str:
    """The customer at the first place that answers, else the default one; empty where there is none.

    `look` gives the text at a place; `default_places` are asked where the options name none.

    Raises:
        AmbiguousError: no place answers, one of them since it names two, and there is no default customer.
        AdaptError: by `look`: a place is none.
    """
    doubt: AmbiguousError | None = None
    for place in options.customer_places or default_places:
        try:
            if found := look(place).strip():
                return found
        except AmbiguousError as error:
            doubt = doubt or error
    if doubt is not None and not options.default_customer:
        raise doubt
    return options.default_customer


def in_words(places: Sequence[str]) -> str:
    """Places in a sentence: `a`, `b` or `c`."""
    *most, last = (f"`{each}`" for each in places)
    return f"{', '.join(most)} or {last}" if most else last


def shared_place(place: str, mail: SentMail, owners: Owners) -> str | None:
    """What stands at one of the places above; empty where nothing does, None for a place that is none of them.

    Raises:
        AmbiguousError: it names two different customers.
        AdaptError: the number of a part or a pattern is none.
    """
    if place == "sender":
        return next(filter(None, map(domain_of, mail.senders)), "")
    if place.startswith("verp:"):
        pattern = place.removeprefix("verp:")
        return next(filter(None, (piece_of(pattern, each) for each in mail.senders)), "")
    kind, _, name = place.partition(".")
    if kind == "header" and name:
        return only_value(name, mail.header(name))
    if kind == "feedback-id":
        if name not in _PARTS:
            raise AdaptError(f"the option `feedback-id.{name}` is not a part of a Feedback-ID; they are 1 to 4")
        # A field that is there twice still names one customer where both do.
        return only_value(
            "Feedback-ID", filter(None, (_part(name, words(each)) for each in mail.header("feedback-id")))
        )
    return _owner(place, mail, owners)


def _owner(place: str, mail: SentMail, owners: Owners) -> str | None:
    if place == "dkim":
        return _only(place, map(owners.of_domain, signing_domains(mail)))
    if place == "domain":
        return _only(place, map(owners.of_domain, (*map(domain_of, mail.senders), *mail.domains)))
    if place == MESSAGE_ID:
        return ""
    return owners.of_address(mail.address) if place == "ip" else None


def signing_domains(mail: SentMail) -> list[str]:
    """The domains of its DKIM signatures. They are not verified: who sends mail may write any."""
    fields = mail.header("dkim-signature")[:MOST_FIELDS]
    return [found[1].lower() for value in fields if (found := _SIGNING_DOMAIN.search(value))]


def only_value(name: str, values: Iterable[str]) -> str:
    """The one value of a header field, its encoded words decoded; empty where it is not there.

    Raises:
        AmbiguousError: there are two. One of them was put there by somebody else.
    """
    found = sorted({words(value) for value in values})
    if len(found) > 1:
        raise AmbiguousError(f"header field `{name}` is there more than once, with different values")
    return found[0] if found else ""


def _only(place: str, customers: Iterable[str]) -> str:
    found = sorted({each for each in customers if each})
    if len(found) > 1:
        raise AmbiguousError(f"`{place}` names both `{found[0]}` and `{found[1]}`")
    return found[0] if found else ""


def _part(number: str, value: str) -> str:
    parts = value.split(":")
    return parts[int(number) - 1].strip() if len(parts) >= int(number) else ""


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
