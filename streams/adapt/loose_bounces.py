"""Bounce mails that are no multipart/report: what of them can be read all the same.

Two kinds tell recipients in a form that can be relied on:

- the fields of RFC 3464 as plain text, where a mail host took the parts apart or spoilt their boundary;
- `X-Failed-Recipients`, a header of Exim (https://www.exim.org/exim-html-current/doc/html/spec_html/) and of Google
  Groups, with the reason in the text.
"""

import re
from dataclasses import dataclass

from streams.adapt.mail_report import addresses
from streams.adapt.mime import MAX_VALUE, Headers, MimePart, groups, read_part

#: Only what a mail system sent is looked through: people quote bounces in their own mails.
_SYSTEMS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "mdaemon"})
_FIRST_FIELD = re.compile(
    rb"^(?:Reporting-MTA|Original-Recipient|Final-Recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
#: The line above the returned mail.
_COPY = re.compile(r"^-{3,6} ?(?:This is a copy of|Original message|The body of the message).*$", re.MULTILINE)
#: What is looked through for each recipient, in characters: reasons stand at the beginning.
MAX_REASONS = 50_000
MAX_DIAGNOSTIC = 2_000
MAX_NAMED = 100


@dataclass(frozen=True, slots=True)
class Loose:
    """The groups of fields as RFC 3464 has them, and the header fields of the returned mail."""

    groups: list[Headers]
    original: Headers


def loose(mail: MimePart) -> Loose | None:
    """The bounces of such a mail; None where it is of neither kind.

    Raises:
        AdaptError: over a bound.
    """
    local, _, _ = next(iter(addresses(mail.headers, "from")), "").partition("@")
    if local.lower() in _SYSTEMS and (found := _FIRST_FIELD.search(mail.body)):
        return _plain_fields(mail.body[found.start() :])
    failed = addresses(mail.headers, "x-failed-recipients")[:MAX_NAMED]
    return _named_in_header(failed, mail.text()) if failed else None


def _plain_fields(block: bytes) -> Loose:
    found = groups(block)
    original = next((each for each in found if each.get("message-id") or each.get("received")), Headers())
    return Loose(found, original)


def _named_in_header(failed: list[str], text: str) -> Loose:
    copy = _COPY.search(text)
    reasons = (text[: copy.start()] if copy else text)[:MAX_REASONS]
    returned = text[copy.end() :].lstrip() if copy else ""
    made = []
    for address in failed:
        reason = _reason(address, reasons, alone=len(failed) == 1)
        fields = {"final-recipient": f"rfc822;{address}", "action": "failed", "diagnostic-code": reason}
        made.append(Headers({name: [value] for name, value in fields.items()}))
    return Loose(made, read_part(returned.encode()).headers)


def _reason(address: str, text: str, *, alone: bool) -> str:
    """What the text says of an address: the lines after it up to a blank one; of a single address else the end of
    the text, where mail hosts put the reason.
    """
    place = re.search(rf"^[ \t<]*{re.escape(address)}[>:]?.*$", text, re.IGNORECASE | re.MULTILINE)
    if place is None:
        rest = [line for line in text.split("\n\n") if line.strip()] if alone else []
        said = max(rest[1:], key=_indented, default=rest[0] if rest else "")
    else:
        said = text[place.start() :].partition("\n\n")[0].partition("\n")[2]
    return " ".join(said[:MAX_VALUE].split())[:MAX_DIAGNOSTIC]


def _indented(paragraph: str) -> bool:
    return paragraph.startswith(("  ", "\t"))
