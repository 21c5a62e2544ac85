"""The address that a mail was sent from, out of what its recipient's host wrote above it."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from streams.adapt.mime import MAX_VALUE, Headers

_IP = r"\[?(?:IPv6:)?([0-9A-Fa-f:.]{3,45})\]?"
#: An address among other text: a port, a name, a second address.
_AMONG = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
#: Microsoft's subject of its complaints (JMRP).
_SUBJECT = re.compile(rf"message from {_IP}", re.IGNORECASE)
#: RFC 7208 section 9.1, `client-ip=` of Received-SPF; and what Microsoft and others write into Authentication-Results.
_CHECKED = re.compile(rf"(?:client-ip=|sender IP is |smtp\.remote-ip=|policy\.iprev=|designates ){_IP}", re.IGNORECASE)


def sent_from(headers: Headers, original: Headers, fields: Headers) -> str:
    """The address from a report's field, its subject, or what the host wrote that checked SPF; empty where none does.

    The fields `Received` are not asked: which of them the provider wrote about our host cannot be told.
    """
    return next(filter(None, map(_address, _said(headers, original, fields))), "")


def _said(headers: Headers, original: Headers, fields: Headers) -> Iterator[str]:
    yield fields.get("source-ip")
    for pattern, values in (
        (_SUBJECT, headers.all("subject")[:1]),
        (_CHECKED, original.all("received-spf")[:1]),
        (_CHECKED, original.all("authentication-results")[:1]),
    ):
        for value in values:
            if found := pattern.search(value[:MAX_VALUE]):
                yield found[1]
    yield original.get("x-originating-ip")


def _address(text: str) -> str:
    bare = text.strip(" []<>\t").removeprefix("IPv6:").rstrip(".")
    among = _AMONG.search(bare)
    for each in (bare, among[0] if among else ""):
        try:
            return str(ip_address(each))
        except ValueError:
            continue
    return ""
