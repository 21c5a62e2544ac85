"""MailerSend webhooks: one JSON object a request.

Format: https://developers.mailersend.com/api/v1/webhooks.html .

Paths name fields of the body. The customer is the id of the sending domain (`domain_id`), else the domain of the
sender: nothing else in the body tells whose the mail is. The message id is that of the message
(`data.email.message.id`), which the sending call returned.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id
from streams.adapt.webhook import (
    FROM_DOMAIN,
    FieldPaths,
    Fields,
    first_text,
    json_body,
    moment_ms,
    read_owned,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("mailersend", customer=("domain_id", FROM_DOMAIN))

#: How the names of events begin that are about one message. The others (tests of an address, verifications, changes of
#: the on-hold list, mail that came in, maintenance) need not have `data`.
_OF_MESSAGES = "activity."
_TYPES: dict[str, EventType] = {
    "delivered": "delivered",
    "hard_bounced": "bounced",
    "soft_bounced": "bounced",
    "deferred": "deferred",
    "spam_complaint": "complained",
    "unsubscribed": "unsubscribed",
}


class _Recipient(msgspec.Struct):
    email: str | None = None


class _Message(msgspec.Struct):
    id: str | None = None


class _Mail(msgspec.Struct):
    id: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    message: _Message | None = None
    recipient: _Recipient | None = None
    tags: Any = None


class _Morph(msgspec.Struct):
    reason: str | None = None
    readable_reason: str | None = None


class _Data(msgspec.Struct):
    type: str
    id: str | None = None
    created_at: int | float | str | None = None
    email: _Mail = msgspec.field(default_factory=_Mail)
    morph: Any = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """The event of a webhook that tells a recipient's fate; sends, opens, clicks and events that are not about one
    message are left out.

    Raises:
        AdaptError: not such a body.
    """
    return read_owned(json_body(raw), _read, FIELD_PATHS, context)


def _read(fields: Fields) -> Iterable[MailEvent]:
    name, data = fields.get("type"), fields.get("data")
    if isinstance(name, str) and not name.startswith(_OF_MESSAGES):
        return
    if not isinstance(data, dict):
        raise AdaptError("field `data` is missing or not an object")
    kind = _TYPES.get(data["type"]) if isinstance(data.get("type"), str) else None
    if kind is None:
        return
    record = typed(data, _Data)
    mail = record.email
    # `morph` is the object that the event made: of a bounce or complaint, its reason.
    morph = typed(_only(record.morph), _Morph)
    recipient = (mail.recipient.email if mail.recipient else None) or ""
    message_id = (mail.message.id if mail.message else None) or mail.id or ""
    time = moment_ms(record.created_at, "created_at")
    event = MailEvent(
        id=record.id or stable_id(FIELD_PATHS.name, record.type, message_id, recipient, time),
        type=kind,
        time=time,
        customer="",
        message_id=message_id,
        recipient=recipient,
        from_domain=domain_of(mail.from_ or ""),
        diagnostic=morph.reason or morph.readable_reason or "",
        campaign=first_text(mail.tags),
    )
    hard = record.type == "hard_bounced"
    yield with_bounce_details(event, hard=hard, permanent=hard)


def _only(morph: object) -> Fields:
    """The object, or the one of a list; none where it is anything else, as of events that have none."""
    found = morph[0] if isinstance(morph, list) and len(morph) == 1 else morph
    return found if isinstance(found, dict) else {}
