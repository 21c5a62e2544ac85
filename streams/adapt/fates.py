"""What became of a recipient, by the fields of a delivery status notification (RFC 3464 section 2.3) and what is said.

`failed` with a status of 4.x.x, or after replies that were temporary, was given up after retries, which is `expired`
(RFC 3464 section 2.3.3, RFC 3463 section 3.5); some hosts then write 5.x.x all the same (Exim, Haraka).
"""

import re

from schemas.event import EventType
from streams.adapt.base import AdaptError
from streams.adapt.gave_up import is_expiry
from streams.adapt.prose_phrases import EXPIRED_FOR_SURE, GAVE_UP
from streams.adapt.replies import reply_of

#: RFC 3464 section 2.3.3, and what hosts write in its place.
_ACTIONS: dict[str, EventType] = {
    "failed": "bounced",
    "failure": "bounced",
    "fail": "bounced",
    "error": "bounced",
    "undeliverable": "bounced",
    "undelivered": "bounced",
    "bounced": "bounced",
    "rejected": "bounced",
    "expired": "expired",
    "delayed": "deferred",
    "delay": "deferred",
    "deferred": "deferred",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
}
STANDARD = ("failed", "delayed", "delivered", "relayed", "expanded")
#: Answers to `sendmail -bv` and address verification of Postfix: no mail was sent.
PROBES = frozenset({"deliverable"})
#: What the first digit of the status, or of the reply, says where the action is missing or another word.
_CLASSES: dict[str, EventType] = {"5": "bounced", "4": "deferred", "2": "delivered"}
_STATUS = re.compile(r"\b([245])\.\d{1,3}\.\d{1,3}\b")
_CODE = re.compile(r"\b([245])\d\d\b")
_UNDEFINED = re.compile(r"[245]\.0\.0")
#: Codes where some hosts put them: `ERROR_CODE :550, ERROR_CODE :5.1.1`, `said 550`, `returned '550 5.1.1 ...'`.
_LOOSE_CODE = re.compile(
    r"(?:code|said|reply|status|error|below)\W{1,4}([45]\d\d)\b|['\"(=]([45]\d\d)[ -]", re.IGNORECASE
)
_LOOSE_STATUS = re.compile(r"(?<![\w.])([45]\.\d{1,3}\.\d{1,3})(?![\w.])")
#: How much of a diagnostic is looked at for codes, in characters.
_HEAD = 400


def codes(status: str, diagnostic: str) -> tuple[int, str]:
    """(reply code, enhanced status) of a status field and a reply. An undefined status (RFC 3463 section 3.1) gives way
    to the one in the reply, and so does one of another class than a temporary reply, or an undefined temporary one than
    a permanent reply; a defined one may be of a host that keeps what was refused for good (`soft_bounce` of Postfix).
    """
    code, said = reply_of(diagnostic)
    if 200 <= code <= 299 and not status.lstrip().startswith("2"):
        code = 0  # A number of something else, or a reply that was no failure.
    if not code and (loose := _LOOSE_CODE.search(diagnostic[:_HEAD])):
        code = int(loose[1] or loose[2])
    if not said.startswith(("4", "5")) and (near := _LOOSE_STATUS.search(diagnostic[:_HEAD])):
        said = near[1]
    found = _STATUS.search(status[:100])
    given = found[0] if found else ""
    if not code and not found and (plain := re.match(r"\s*([245]\d\d)\b", status[:20])):
        code = int(plain[1])
    if said and (not given or (_UNDEFINED.fullmatch(given) and said[0] == given[0])):
        return code, said
    if 400 <= code <= 499 and given.startswith("5"):
        return code, said if said.startswith("4") else ""
    if 500 <= code <= 599 and given == "4.0.0" and said[:1] != "4" and not is_expiry(said):
        return code, said
    return code, given


def action_word(action: str) -> str:
    """The action without what is said beside it: `relayed (to non-DSN-aware mailer)`."""
    return re.split(r"[\s(;,.]", action.strip().lower(), maxsplit=1)[0]


def fate(action: str, code: int, status: str, diagnostic: str) -> EventType | None:
    """What an action says, else the first digit of the status or of the reply; None where nothing says it.

    Raises:
        AdaptError: the action is another word than is known, and neither status nor reply says more.
    """
    word = action_word(action)
    kind = _ACTIONS.get(word) or _CLASSES.get(status[:1]) or _CLASSES.get(str(code)[:1])
    if kind is None:
        if not word:
            return None
        raise AdaptError(f"field `Action`: unknown value {word[:40]!r}; known are {', '.join(STANDARD)}")
    said = diagnostic.lower()
    if kind == "deferred":
        return "expired" if any(phrase in said for phrase in EXPIRED_FOR_SURE) else kind
    return "expired" if kind == "bounced" and _gave_up(code, status, said) else kind


def _gave_up(code: int, status: str, said: str) -> bool:
    if status.startswith("4") or is_expiry(status) or (400 <= code <= 499 and not status.startswith("5")):
        return True
    return any(phrase in said for phrase in (EXPIRED_FOR_SURE if 500 <= code <= 599 else GAVE_UP))
