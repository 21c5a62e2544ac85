"""Addresses in header values (RFC 5322 section 3.4), without a parser for comments, which nest without end."""

import re

#: What is looked at of a value, in characters.
MAX_VALUE = 4_000

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"(?!@)')
_ANGLE = re.compile(r"<([^<>@\s]+@[^<>@\s]+)>[^<>]*$")
_BARE = re.compile(r'(?<![^\s<>,;:()])((?:"[^"]*"|[^\s<>,;:()@"]+)@[^\s<>,;:()@]+)')


def addresses_in(value: str) -> list[str]:
    """The addresses in a header value, in their order.

    Of one in angle brackets nothing before them counts: names are written to look like addresses.
    """
    entries = _QUOTED.sub("", value[:MAX_VALUE]).split(",")
    found = (_ANGLE.search(entry) or _BARE.search(entry) for entry in entries)
    return [each[1] for each in found if each]
