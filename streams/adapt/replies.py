"""The codes in a server's reply, as servers and those who quote them write it. Pure.

RFC 5321 section 4.2 has a reply code, then a blank or a hyphen, then text, and RFC 2034 section 4 an enhanced status
code before the text. Quoted in logs, notifications and webhooks it is also `554:5.7.1 text`, `[550]`, `550 #5.1.0`,
`550;5.1.1`, `"550 5.1.1 text"`, `smtp; 550-5.1.1 text`.
"""

import re

#: How much of a text is looked at, in characters.
MOST = 400
#: As most are.
_USUAL = re.compile(r"([245]\d\d)[ -]([245]\.\d{1,3}\.\d{1,3})(?!\.?\d|\w)")
_CODE = re.compile(r"[245]\d\d(?![^\W_])")
#: What may stand before a code, besides blanks and a colon, and after it.
_OPENING = frozenset(";([<\"'#")
_AFTER = re.compile(r"[\s\-/_,;:#)\]>\"']|$|\.(?:\s|$)")
_AFTER_COLON = re.compile(r"[\s\-,;)]|$")
#: What stands before a colon within an IPv6 address, or a time.
_IN_ADDRESS = re.compile(r"(?::[0-9a-f]{0,4}|\d)\Z", re.IGNORECASE)
#: What follows numbers of something else: a unit, the rest of a telephone number.
_NO_REPLY = re.compile(
    r"\s?(?:(?:milli)?seconds?|secs?|minutes?|hours?|days?|bytes|[kmg]i?b|messages|recipients)\b|-\d{3}-?\d",
    re.IGNORECASE,
)
#: Ports for submission: `mx.shop.example 587: refused`.
_PORTS = ("465:", "587:")
_THEN_STATUS = re.compile(r"[\s:;,/_-]{0,3}[#(\[<]{0,2}([245]\.\d{1,3}\.\d{1,3})(?!\.?\d|\w)")
_STATUS = re.compile(r"(?:^|[\s#(\[<:;=])([245]\.\d\.\d{1,3})(?!\.?\d|\w)")


def reply_of(reply_text: str) -> tuple[int, str]:
    """(reply code, enhanced status) as they stand in a reply or a text that quotes one; 0 and empty where there is
    none. Of several statuses none of which follows the code the first of its class is taken."""
    if usual := _USUAL.match(reply_text):
        return int(usual[1]), usual[2]
    head = reply_text[:MOST]
    for found in _CODE.finditer(head):
        if _is_reply(head, found.start(), found.end()):
            if then := _THEN_STATUS.match(head, found.end()):
                return int(found[0]), then[1]
            others = _STATUS.findall(head)
            same = (each for each in others if each[0] == found[0][0])
            return int(found[0]), next(same, others[0] if others else "")
    status = _STATUS.search(head)
    return 0, status[1] if status else ""


def _is_reply(head: str, start: int, end: int) -> bool:
    """Whether the number that stands there is a reply code."""
    before = head[start - 1 : start]
    if before == ":":
        if not _AFTER_COLON.match(head, end) or _IN_ADDRESS.search(head[max(0, start - 6) : start - 1]):
            return False
    elif (before and before not in _OPENING and not before.isspace()) or not _AFTER.match(head, end):
        return False
    return head[start : end + 1] not in _PORTS and not _NO_REPLY.match(head, end)
