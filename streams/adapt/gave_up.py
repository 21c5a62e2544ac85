"""Given up after retries: what the last word on a message says of that, and the last reply in it. Pure.

A message that finally failed with a temporary status was tried until its sender gave up: RFC 3464 section 2.3.3 has
`failed` with a status of class 4 for it, and RFC 3463 section 3.5 x.4.7, delivery time expired. Many senders write that
in words, with the last reply in brackets.
"""

import re
from dataclasses import dataclass

#: What is looked at, in characters.
_MOST = 2_000
_EXPIRED = re.compile(r"[45]\.4\.7")
#: The words of senders that gave up. Only where nothing else is said by a code: an account may have expired, too.
_WORDS = re.compile(
    r"\b(?:(?:message|delivery|delivery time|queue time|retry time|retry timeout|queue)(?: has)? (?:expired|exceeded)"
    r"|exceeded (?:the )?max(?:imum)? (?:time|number of|retr)"
    r"|too (?:old|long in (?:the )?queue)\b|in (?:the )?queue too long|retry (?:time|timeout|limit) (?:limit )?exceeded"
    r"|(?:maximum|max)(?: number of)? (?:delivery attempts|retries|retry|tries)"
    r"|giving up|gave up|given up|delivery (?:attempts )?timed out"
    r"|unable to deliver (?:this |the )?message (?:in|after|within))",
    re.IGNORECASE,
)
#: A temporary reply, at the begin or behind what quotes it: `<421 4.4.2 ...>`, `last error: 450 ...`.
_REPLY = re.compile(r"(?:^|[<(\[:;\"'>])[ \t]{0,3}(4\d\d)(?:[ -]#?(4\.\d{1,3}\.\d{1,3})?|$)")


@dataclass(frozen=True, slots=True)
class LastReply:
    """The last temporary reply (4yz) in a text; 0 and empty where there is none. `text` begins with it."""

    code: int = 0
    status: str = ""
    text: str = ""


def gave_up(code: int, status: str, diagnostic: str) -> bool:
    """Whether the last word on a message means that it was tried in vain until its time was over.

    `code` and `status` are those of that word, 0 and empty where there are none. A permanent status or reply decides
    against it, whatever the text says, but for x.4.7.
    """
    if is_expiry(status):
        return True
    if status[:1] in ("4", "5") and not status.endswith(".0.0"):
        return status.startswith("4")
    if 400 <= code <= 599:
        return code < 500 or (_says_so(diagnostic) and last_reply(diagnostic).code > 0)
    return status.startswith("4") or _says_so(diagnostic)


def is_expiry(status: str) -> bool:
    """Whether a status is x.4.7, delivery time expired."""
    return _EXPIRED.fullmatch(status) is not None


def last_reply(diagnostic: str) -> LastReply:
    """The last temporary reply in what a sender that gave up says."""
    text = diagnostic[:_MOST]
    found = next(reversed(list(_REPLY.finditer(text))), None)
    if found is None:
        return LastReply()
    said = text[found.start(1) :]
    # The bracket that quotes it ends it.
    if text[found.start()] == "<" and (end := said.rfind(">")) > 0:
        said = said[:end]
    return LastReply(int(found[1]), found[2] or "", said.strip())


def _says_so(diagnostic: str) -> bool:
    return _WORDS.search(diagnostic[:_MOST]) is not None
