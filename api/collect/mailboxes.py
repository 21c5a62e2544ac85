"""Which source a mail is for, by the address it was sent to and by what it is, and what is kept of it."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from api.collect.sources import PreparedSource

#: So much is looked at to tell a complaint from a bounce, in bytes.
LOOKED_AT = 200_000
#: What complaints have: reports of RFC 5965, Microsoft's without fields, XARF (RFC 9477), and AOL's.
_COMPLAINT = re.compile(
    rb'report-type="?feedback-report|^content-type:[ \t]*message/feedback-report|^x-hmxmroriginalrecipient:'
    rb"|^feedback-type:|^content-type:[ \t]*application/json;[^\r\n]*xarf|^from:[^\r\n]*scomp@aol\.net",
    re.IGNORECASE | re.MULTILINE,
)


def sources_of(address: str, sources: Iterable[PreparedSource]) -> list[PreparedSource]:
    """The sources that take mail to this address, in their order; `*` in theirs is anything."""
    lower = address.lower()
    return [each for each in sources if any(fnmatchcase(lower, pattern.lower()) for pattern in each.addresses)]


def source_for(mail: bytes, candidates: Sequence[PreparedSource]) -> PreparedSource:
    """The one of the candidates whose format the mail has: where complaints and bounces come to one address."""
    wanted = "arf" if _COMPLAINT.search(mail[:LOOKED_AT]) else "dsn"
    return next((each for each in candidates if each.format_name == wanted), candidates[0])


def traced(mail: bytes, sender: str, address: str, most: int) -> bytes:
    """The mail below who sent it to whom (RFC 5321 section 4.4), at most `most` bytes of both: what a report says
    stands before the mail that it is about."""
    head = f"Return-Path: <{sender}>\r\nX-Original-To: {address}\r\n"
    return (head.encode() + mail)[:most]
