"""Resend webhooks: one JSON object a request.

Formats: https://resend.com/docs/webhooks/event-types and https://resend.com/docs/dashboard/webhooks/body-parameters .
Resend sends through Amazon SES, whose sub-types of bounces it passes on. The event's id is in a header of the
request (`svix-id`) and not in the body; `to` names the recipients that the event is about.

Paths name fields of the body. The customer is the tag `customer` (`data.tags.customer`), else the domain of the
sender.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id
from streams.adapt.ses_names import BOUNCE_CLASSES, is_expired, is_suppressed
from streams.adapt.webhook import (
    FROM_DOMAIN,
    FieldPaths,
    Fields,
    first_text,
    json_body,
    kind_of,
    moment_ms,
    read_owned,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("resend", customer=("data.tags.customer", FROM_DOMAIN))

_TYPES: dict[str, EventType] = {
    "email.delivered": "delivered",
    "email.bounced": "bounced",
    "email.delivery_delayed": "deferred",
    "email.complained": "complained",
    "email.suppressed": "suppressed",
    "email.failed": "rejected",
}


class _Bounce(msgspec.Struct, rename="camel"):
    type: str | None = None
    sub_type: str | None = None
    message: str | None = None
    diagnostic_code: Any = None


class _Failed(msgspec.Struct):
    reason: str | None = None


class _Data(msgspec.Struct):
    email_id: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | list[str] | None = None
    bounce: _Bounce = msgspec.field(default_factory=_Bounce)
    failed: _Failed = msgspec.field(default_factory=_Failed)
    broadcast_id: str | None = None


class _Event(msgspec.Struct):
    type: str
    created_at: int | float | str | None = None
    data: _Data = msgspec.field(default_factory=_Data)


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each recipient of a webhook that tells their fate; sends, opens, clicks and events about
    contacts and domains are left out.

    Raises:
        AdaptError: not such a body.
    """
    return read_owned(json_body(raw), _read, FIELD_PATHS, context)


def _read(fields: Fields) -> Iterable[MailEvent]:
    kind = _TYPES.get(kind_of(fields, "type"))
    if kind is None:
        return
    record = typed(fields, _Event)
    data = record.data
    bounce = data.bounce
    # Older bodies say it in the message alone: `Resend has suppressed sending to this address ...`.
    if kind == "bounced" and (is_suppressed(bounce.sub_type) or "suppressed sending" in (bounce.message or "")):
        kind = "suppressed"
    elif kind == "bounced" and is_expired(bounce.sub_type):
        kind = "expired"
    time = moment_ms(record.created_at, "created_at")
    diagnostic = first_text(bounce.diagnostic_code) or bounce.message or data.failed.reason or ""
    known = BOUNCE_CLASSES.get(bounce.sub_type or "", "")
    # Older bodies have no type of bounce: Resend reported permanent ones only.
    hard = bounce.type in (None, "Permanent")
    for written in [data.to] if isinstance(data.to, str) else data.to or [""]:
        # `Name <address>` or an address alone.
        recipient = written.rpartition("<")[2].rstrip("> ")
        # A message is deferred time and again, but meets each other fate once.
        again = time if kind == "deferred" else ""
        event = MailEvent(
            id=stable_id(FIELD_PATHS.name, record.type, data.email_id or time, recipient, again),
            type=kind,
            time=time,
            customer="",
            message_id=data.email_id or "",
            recipient=recipient,
            from_domain=domain_of(data.from_ or ""),
            diagnostic=diagnostic,
            campaign=data.broadcast_id or "",
        )
        yield with_bounce_details(event, known=known, hard=hard, permanent=bounce.type == "Permanent")
