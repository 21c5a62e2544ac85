"""A delivery status notification taken apart into one for each recipient, so that a recipient who cannot be read costs
nobody else. Pure.

Each is the whole mail with the fields of one recipient; two fields of our own tell whom else it was about, since what
the text says is looked at with all recipients in mind (`streams.adapt.notice_text`).
"""

import re

from streams.adapt.mime import MimePart, leaves, read_headers, read_mail

STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
#: The recipients of the whole mail, and whether any of its groups had an action.
REPORTED = "x-reported-recipient"
REPORTED_ACTION = "x-reported-action"
#: So many copies of a mail are made.
MOST = 50

_NAMES = ("original-recipient", "final-recipient", "x-actual-recipient")
_BLANK_LINES = re.compile(rb"(?:\r?\n[ \t]*){2,}")


def parts(raw: bytes) -> list[bytes]:
    """The mail for each of its recipients; the mail itself where it has one, or very many.

    Raises:
        AdaptError: it is no mail, or over a bound.
    """
    status = _status(raw)
    if status is None:
        return [raw]
    about, groups = _groups(status.body)
    if not 2 <= len(groups) <= MOST:
        return [raw]
    fields = [read_headers(each) for each in groups]
    named = [value for each in fields for name in _NAMES for value in each.all(name)]
    own = [f"{REPORTED}: {value}" for value in named]
    if any(each.get("action") or each.get("status") for each in fields):
        own.append(f"{REPORTED_ACTION}: yes")
    head = b"\n".join([*about, "\n".join(own).encode()])
    return [_with_status(raw, status, [head, each]) for each in groups]


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
    about = [each for each in pieces if not _is_about_a_recipient(each)]
    return about, [each for each in pieces if _is_about_a_recipient(each)]


def _is_about_a_recipient(piece: bytes) -> bool:
    fields = read_headers(piece)
    return bool(fields.get("final-recipient") or fields.get("original-recipient"))


def _with_status(raw: bytes, status: MimePart, groups: list[bytes]) -> bytes:
    at = raw.index(status.body)
    return raw[:at] + b"\n\n".join(groups) + b"\n" + raw[at + len(status.body) :]
