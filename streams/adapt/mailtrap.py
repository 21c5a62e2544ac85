"""Mailtrap webhooks of sent mail: a JSON object whose `events` is an array.

Format: https://docs.mailtrap.io/email-api-smtp/advanced/webhooks ; what each event means:
https://docs.mailtrap.io/email-api-smtp/analytics/statuses-and-events .

Paths name fields of the event. The customer is `custom_variables.customer`, else the sending domain
(`sending_domain_name`); the stream is `sending_stream`, which also tells transactional from bulk mail.
"""

from collections.abc import Iterable

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id
from streams.adapt.webhook import (
    FieldPaths,
    Fields,
    Text,
    inner_parts,
    json_body,
    kind_of,
    moment_ms,
    read_owned,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths(
    "mailtrap", customer=("custom_variables.customer", "sending_domain_name"), stream=("sending_stream",)
)

#: After a soft bounce and a suspension (a domain that is not verified) Mailtrap tries ten times more.
_TYPES: dict[str, EventType] = {
    "delivery": "delivered",
    "bounce": "bounced",
    "soft bounce": "deferred",
    "soft_bounce": "deferred",
    "suspension": "deferred",
    "reject": "rejected",
    "spam": "complained",
    "unsubscribe": "unsubscribed",
}


class _Event(msgspec.Struct):
    event: str
    timestamp: int | float | str | None = None
    event_id: Text = None
    message_id: str | None = None
    email: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    sending_stream: str | None = None
    sending_domain_name: str | None = None
    category: Text = None
    reason: str | None = None
    response: str | None = None
    response_code: Text = None
    bounce_category: str | None = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate; opens and clicks are left out.

    Raises:
        AdaptError: not such a body; names the record, counted from 1.
    """
    return read_owned(json_body(raw).unfolded(_events), _read, FIELD_PATHS, context)


def parts(raw: bytes) -> list[bytes]:
    """The events of a body, each a body by itself (see `streams.adapt.apart`).

    Raises:
        AdaptError: no such body.
    """
    return inner_parts(raw, _events)


def _events(body: Fields) -> list[object]:
    events = body.get("events", [body] if "event" in body else None)
    if not isinstance(events, list):
        raise AdaptError("field `events`: expected an array of events")
    return events


def _read(fields: Fields) -> Iterable[MailEvent]:
    kind = _TYPES.get(kind_of(fields, "event"))
    if kind is None:
        return
    record = typed(fields, _Event)
    reason = (record.reason or "").lower()
    if kind == "rejected" and ("suppress" in reason or "unsubscribe" in reason):
        kind = "suppressed"
    time = moment_ms(record.timestamp, "timestamp")
    event = MailEvent(
        id=str(record.event_id or stable_id(FIELD_PATHS.name, record.event, record.message_id, record.email, time)),
        type=kind,
        time=time,
        customer="",
        stream_class="transactional" if record.sending_stream == "transactional" else "bulk",
        message_id=record.message_id or "",
        recipient=record.email or "",
        from_domain=domain_of(record.from_ or "") or record.sending_domain_name or "",
        diagnostic=record.response or record.reason or "",
        campaign=str(record.category or ""),
    )
    yield with_bounce_details(event, code=record.response_code, hard=True)
