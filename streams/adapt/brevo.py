"""Brevo (Sendinblue) webhooks of transactional and of marketing mail: one JSON object a request, or an array.

Formats: https://developers.brevo.com/docs/transactional-webhooks and
https://developers.brevo.com/docs/marketing-webhooks . The field `id` is the webhook's, not the event's.

Times are `ts_epoch`, else `ts_event`, else `ts`: only the first is always UTC, the others have been seen in the
account's time zone. Events of campaigns have `ts_sent`, when the campaign was sent, in UTC.

Paths name fields of the event. Nothing in an event names the account, so the customer is looked for in the header
that was given with the message, if that is a JSON object (`X-Mailin-custom.customer`); who sends without needs
the option or a default customer.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id, text
from streams.adapt.webhook import (
    FieldPaths,
    Fields,
    Text,
    bare_id,
    first_text,
    json_body,
    kind_of,
    moment_ms,
    read_owned,
    sent_ms,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("brevo", customer=("X-Mailin-custom.customer",))

_TYPES: dict[str, EventType] = {
    "delivered": "delivered",
    "hard_bounce": "bounced",
    "soft_bounce": "bounced",
    "invalid_email": "bounced",
    "invalid": "bounced",
    "deferred": "deferred",
    "blocked": "suppressed",
    "error": "rejected",
    "spam": "complained",
    "complaint": "complained",
    "unsubscribed": "unsubscribed",
    "unsubscribe": "unsubscribed",
}
#: Fields of webhooks that are about no mail that was sent, and name no event: SMS, and mail that came in.
_OTHERS = frozenset({"msg_status", "items"})
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_HARD = frozenset({"hard_bounce", "invalid_email", "invalid"})


class _Event(msgspec.Struct, rename={"message_id": "message-id"}):
    event: str
    email: str | None = None
    message_id: str | None = None
    ts_epoch: int | float | str | None = None
    ts_event: int | float | str | None = None
    ts: int | float | str | None = None
    ts_sent: int | float | str | None = None
    reason: str | None = None
    sending_ip: str | None = None
    sender_email: str | None = None
    tag: Any = None
    tags: Any = None
    camp_id: Text = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate; requests, opens, clicks and changes of lists are
    left out.

    Raises:
        AdaptError: not such a body; names the record of an array, counted from 1.
    """
    return read_owned(json_body(raw), _read, FIELD_PATHS, context)


def _read(fields: Fields) -> Iterable[MailEvent]:
    if "event" not in fields and not _OTHERS.isdisjoint(fields):
        return
    # In its API the same events are in camel case.
    name = _CAMEL.sub("_", kind_of(fields, "event")).lower()
    kind = _TYPES.get(name)
    if kind is None:
        return
    record = typed(fields, _Event)
    time = moment_ms(record.ts_epoch or record.ts_event or record.ts, "ts_epoch")
    message_id = bare_id(record.message_id)
    event = MailEvent(
        id=stable_id(FIELD_PATHS.name, name, message_id, record.camp_id, record.email, time),
        type=kind,
        time=time,
        customer="",
        message_id=message_id,
        recipient=record.email or "",
        sending_ip=record.sending_ip or "",
        from_domain=domain_of(record.sender_email or ""),
        diagnostic=(record.reason or "").strip(),
        campaign=first_text(record.tags) or first_text(record.tag) or text(record.camp_id),
        sent=sent_ms(record.ts_sent),
    )
    yield with_bounce_details(event, hard=name in _HARD, permanent=name in _HARD)
