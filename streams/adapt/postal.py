"""Postal webhooks: one JSON object a request.

Format: https://docs.postalserver.io/developer/webhooks . The page shows only the payload; around it the server
sends `event`, `timestamp` and `uuid`, which stays the same when a request is repeated. The outer time is that of
the request, the payload's that of the delivery attempt.

Paths name fields of the body. Nothing in it names the mail server or organization, so the customer is the domain
of the sender unless an option says otherwise. The message id is that of the message header: Postal's own `id` is
unique only within one of its mail servers.

Not distinguished by the event's name, and so read from its `details`: a message that is held because the recipient
is on the suppression list, and one that failed because its tries were used up.
"""

import re
from collections.abc import Iterable

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id
from streams.adapt.webhook import (
    FROM_DOMAIN,
    FieldPaths,
    Fields,
    Text,
    bare_id,
    json_body,
    kind_of,
    moment_ms,
    read_owned,
    sent_ms,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("postal", customer=(FROM_DOMAIN,))

_TYPES: dict[str, EventType] = {
    "MessageSent": "delivered",
    "MessageDelayed": "deferred",
    "MessageDeliveryFailed": "bounced",
    "MessageBounced": "bounced",
    "MessageHeld": "suppressed",
}
_SUPPRESSED = "suppression list"
_USED_UP = "maximum number of delivery attempts"
#: What `details` tells of a delivery: `... by SMTP to mx.example.net (192.0.2.26) (from 2001:db8::15)`.
_FROM = re.compile(r"\(from ([0-9A-Fa-f.:]{2,45})\)")
_TO = re.compile(r" to ([0-9A-Za-z.-]{1,253}) \(")


class _Message(msgspec.Struct):
    message_id: str | None = None
    to: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    tag: str | None = None
    direction: str | None = None
    timestamp: int | float | str | None = None


class _Payload(msgspec.Struct):
    message: _Message | None = None
    original_message: _Message | None = None
    details: str | None = None
    output: str | None = None
    timestamp: int | float | str | None = None


class _Event(msgspec.Struct):
    event: str
    payload: _Payload
    timestamp: int | float | str | None = None
    uuid: Text = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """The event of a webhook that tells a recipient's fate; loads, clicks, messages held for other reasons and
    mail that came in are left out.

    Raises:
        AdaptError: not such a body.
    """
    return read_owned(json_body(raw), _read, FIELD_PATHS, context)


def _read(fields: Fields) -> Iterable[MailEvent]:
    kind = _TYPES.get(kind_of(fields, "event"))
    if kind is None:
        return
    record = typed(fields, _Event)
    payload = record.payload
    # A mail that came back is reported with the message that it is about, whatever the event is called.
    late = payload.original_message is not None
    message = payload.original_message or payload.message
    if message is None:
        raise AdaptError("field `message` is missing in `payload`")
    details = payload.details or ""
    found = "bounced" if late else _fate(kind, details.lower())
    if found is None or message.direction == "incoming":
        return
    time = moment_ms(payload.timestamp or record.timestamp, "timestamp")
    message_id = bare_id(message.message_id)
    address, host = _FROM.search(details), _TO.search(details)
    event = MailEvent(
        id=str(record.uuid or stable_id(FIELD_PATHS.name, record.event, message_id, message.to, time)),
        type=found,
        time=time,
        customer="",
        message_id=message_id,
        recipient=message.to or "",
        sending_ip=address[1] if address else "",
        from_domain=domain_of(message.from_ or ""),
        diagnostic=(payload.output or details).strip(),
        asynchronous=late,
        sent=sent_ms(message.timestamp),
        campaign=message.tag or "",
        mx_host=host[1] if host else "",
    )
    yield with_bounce_details(event, hard=True)


def _fate(kind: EventType, details: str) -> EventType | None:
    if kind == "suppressed":
        return kind if _SUPPRESSED in details else None
    return "expired" if kind == "bounced" and _USED_UP in details else kind
