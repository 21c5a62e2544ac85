"""A delivery status notification taken apart into one for each recipient, so that a recipient who cannot be read costs
nobody else. One about very many is first taken apart into some about fewer, since each is the whole mail again. Pure.

Each is the whole mail with the fields of one recipient; two fields of our own tell whom else it was about, since what
the text says is looked at with all recipients in mind (`streams.adapt.notice_text`).
"""

import re

from streams.adapt.mime import MimePart, leaves, read_headers, read_mail

STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
#: The recipients of the whole mail, and whether any of its groups had an action.
REPORTED = "x-reported-recipient"
REPORTED_ACTION = "x-reported-action"
#: So many copies of a mail are made at once.
MOST = 50
#: Characters in which other recipients are told of: what a mail may hold beside its own fields (`streams.adapt.mime`).
MOST_TOLD = 100_000

_NAMES = ("original-recipient", "final-recipient", "x-actual-recipient")
_BLANK_LINES = re.compile(rb"\n[ \t]*(?:\r?\n[ \t]*)+")
_ABOUT_A_RECIPIENT = re.compile(rb"^(?:final|original)-recipient[ \t]*:[ \t]*(?:\r?\n[ \t]+)?\S", re.I | re.M)


def parts(raw: bytes) -> list[bytes]:
    """The mail for each of its recipients; of more than `MOST` for so many groups of them that follow one another,
    which may be taken apart again. The mail itself where it has one recipient.

    Raises:
        AdaptError: it is no mail, or over a bound.
    """
    status = _status(raw)
    if status is None:
        return [raw]
    about, groups = _groups(status.body)
    if len(groups) < 2:
        return [raw]
    if not any(read_headers(each).get(REPORTED) for each in about):
        about.append(_told(groups))
    head, size = b"\n".join(about), -(-len(groups) // MOST)
    return [_with_status(raw, status, [head, *groups[at : at + size]]) for at in range(0, len(groups), size)]


def count(raw: bytes) -> int:
    """How many recipients a mail is about, at least 1.

    Raises:
        AdaptError: it is no mail, or over a bound.
    """
    status = _status(raw)
    return max(1, len(_groups(status.body)[1])) if status is not None else 1


def _told(groups: list[bytes]) -> bytes:
    """Fields that tell whom the whole mail was about."""
    fields = [read_headers(each) for each in groups]
    named = [f"{REPORTED}: {value}" for each in fields for name in _NAMES for value in each.all(name)]
    own = f"{REPORTED_ACTION}: yes\n" if any(each.get("action") or each.get("status") for each in fields) else ""
    told = "\n".join(named)[:MOST_TOLD]
    return (own + told[: told.rfind("\n")] if len(told) == MOST_TOLD else own + told).encode()


def joined(mails: list[bytes]) -> bytes:
    """One mail about the recipients of several that `parts` made of one."""
    status = _status(mails[0])
    if status is None or len(mails) == 1:
        return mails[0]
    others = [_status(each) for each in mails[1:]]
    groups = [group for each in others if each is not None for group in _groups(each.body)[1]]
    return _with_status(mails[0], status, [status.body.strip(b"\r\n"), *groups])


def _status(raw: bytes) -> MimePart | None:
    """The status part, where it is there as it was written."""
    found = next((part for part in leaves(read_mail(raw)) if part.content_type in STATUS_TYPES), None)
    plain = found is not None and found.headers.get("content-transfer-encoding").lower() in ("", "7bit", "8bit")
    return found if found is not None and plain and found.body and found.body in raw else None


def _groups(body: bytes) -> tuple[list[bytes], list[bytes]]:
    """The groups of fields about the mail, and those about recipients."""
    pieces = [each.strip(b"\r\n") for each in _BLANK_LINES.split(body) if each.strip()]
    about: list[bytes] = []
    groups: list[bytes] = []
    for each in pieces:
        (groups if _ABOUT_A_RECIPIENT.search(each) else about).append(each)
    return about, groups


def _with_status(raw: bytes, status: MimePart, groups: list[bytes]) -> bytes:
    at = raw.index(status.body)
    return raw[:at] + b"\n\n".join(groups) + b"\n" + raw[at + len(status.body) :]
