"""Notifications within mails: forwarded as attachments, or returned since nobody took them either. Pure."""

from collections.abc import Sequence

from streams.adapt.dsn_parts import STATUS_TYPES
from streams.adapt.mail_report import WHOLE, addresses
from streams.adapt.mime import Headers, MimePart, leaves, read_part
from streams.adapt.notice_text import NoticeText
from streams.adapt.prose import is_answer, is_notice

#: Forwarded within what was forwarded.
MOST_FORWARDED = 3
_REPORT = "multipart/report"
#: Local parts of addresses from which programs send notifications.
_DAEMONS = frozenset({"mailer-daemon", "postmaster"})


def forwarded_in(mail: MimePart, parts: Sequence[MimePart], text: NoticeText) -> list[MimePart]:
    """The notifications that are attached to a mail that is none itself, nor an automatic answer.

    Raises:
        AdaptError: an attached mail has too many parts, or they are nested too deeply.
    """
    if mail.content_type == _REPORT or not any(each.content_type in WHOLE for each in parts):
        return []
    if is_notice(mail, text) or is_answer(mail, text):
        return []
    return [each for each in _attached(parts) if _holds_notification(each)]


def _attached(parts: Sequence[MimePart]) -> list[MimePart]:
    return [read_part(each.decoded().lstrip(b"\r\n")) for each in parts if each.content_type in WHOLE]


def _holds_notification(mail: MimePart, depth: int = 1) -> bool:
    """Whether it is one, or was forwarded with one."""
    parts = leaves(mail)
    if any(each.content_type in STATUS_TYPES for each in parts):
        return True
    return depth < MOST_FORWARDED and any(_holds_notification(each, depth + 1) for each in _attached(parts))


def is_notification(returned: Headers) -> bool:
    """Whether a mail that came back was a notification itself: nobody's mail, sent with an empty envelope sender (RFC
    5321 section 4.5.5)."""
    if returned.get("content-type").lower().lstrip().startswith(_REPORT):
        return True
    senders = {address.rpartition("@")[0].lower() for address in addresses(returned, "from")}
    return [each.strip() for each in returned.all("return-path")] == ["<>"] and bool(senders & _DAEMONS)
