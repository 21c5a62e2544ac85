"""Given up after retries: what the last word on a message says of that, and the last reply in it. Pure.

A message that finally failed with a temporary status was tried until its sender gave up: RFC 3464 section 2.3.3 has
`failed` with a status of class 4 for it, and RFC 3463 section 3.5 x.4.7, delivery time expired. Many senders write that
in words, with the last reply in brackets.
"""

import re
from dataclasses import dataclass

from streams.adapt.prose_phrases import EXPIRED_FOR_SURE, GAVE_UP

#: What is looked at, in characters.
_MOST = 2_000
#: RFC 3463 section 3.5; the others are Exchange Online's.
_EXPIRED = re.compile(r"[45]\.4\.(?:7|300|316|317)")
#: What vendors write of themselves, besides what mail hosts write.
_VENDORS = (
    "exceeded max",
    "too old",
    "maximum number of delivery attempts",
    "unable to deliver message within",
    "gave up",
)
#: A temporary reply, at the begin or behind what quotes it: `<421 4.4.2 ...>`, `last error: 450 ...`.
_REPLY = re.compile(
    r"(?:^|[<(\[:;\"'>])[ \t]{0,3}(4\d\d)(?:(?:[ -]|[:;,\])] ?(?=\D|4\.))[#(\[]?(4\.\d{1,3}\.\d{1,3})?|$)"
)


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
    said = diagnostic[:_MOST].lower()
    if 400 <= code <= 599:
        return code < 500 or any(phrase in said for phrase in EXPIRED_FOR_SURE)
    return status.startswith("4") or any(phrase in said for phrase in (*GAVE_UP, *_VENDORS))


def is_expiry(status: str) -> bool:
    """Whether a status says that the time for delivery expired: x.4.7."""
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
