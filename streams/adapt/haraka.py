"""What Haraka says of a recipient in its own way, in a delivery status notification (outbound/hmail.js of 2.8 to 3.1).

Beside a status stands its own reason, `5.1.2 (550 Tried all MXs shop.example)`. Such a reason stays with the recipient
through all attempts, as does the last reply of a host: which of the two came last is told by what ends the attempts.
What was given up after retries has `failed`, and 5.x.x in place of 4.x.x. Pure.
"""

import re
from typing import NamedTuple

from streams.adapt.mime import Headers
from streams.adapt.prose_phrases import TRIED_IN_VAIN

_BESIDE_STATUS = re.compile(r"\A\s*([245]\.\d{1,3}\.\d{1,3})\s*\((?:([245]\d\d) )?([^()]{3,500})")
#: In the `Received` field of a notification, whatever its template says.
_SENDER = "(haraka "


class Reason(NamedTuple):
    """A status, what was said with it, and whether that is a reply to be looked at for codes."""

    status: str
    diagnostic: str
    is_reply: bool


def reason_of(status: str, diagnostic: str) -> Reason | None:
    """The status and diagnostic that hold of a status with a reason beside it; None where there is none.

    A refusal for good, and a domain that takes no mail, end the attempts at once, so they came last; hosts that could
    not be reached, and temporary replies, are tried again.
    """
    found = _BESIDE_STATUS.match(status)
    if found is None:
        return None
    own, code, said = found[1], found[2], found[3]
    if diagnostic.startswith("5"):
        return Reason(own, diagnostic, True)
    if said.lower().startswith(TRIED_IN_VAIN):
        return Reason("", diagnostic, True) if diagnostic else Reason("4.4.1", said, True)
    # A code is Haraka's own: numbers in what it says beside it are of something else, such as an answer in HTTP.
    if code is not None and (not diagnostic or diagnostic.startswith("4")):
        return Reason(own, said, False)
    return Reason(own, diagnostic or said, True)


def is_sender(headers: Headers) -> bool:
    """Whether Haraka wrote a notification."""
    return any(_SENDER in each.lower() for each in headers.all("received"))


def gave_up_unsaid(fields: Headers) -> bool:
    """Whether a recipient's group of Haraka's says `failed` and not why. Refusals leave their reply there; so it was
    given up after an attempt of which nothing was kept, such as one for other recipients too."""
    silent = not any(fields.get(name) for name in ("status", "diagnostic-code", "remote-mta"))
    return fields.get("action").strip().lower() == "failed" and silent
