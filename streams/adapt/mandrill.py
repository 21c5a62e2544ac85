"""Mailchimp Transactional (Mandrill) webhooks: a JSON array in the form field `mandrill_events`, or by itself.

Formats: https://mailchimp.com/developer/transactional/docs/webhooks/ and
https://mandrill.zendesk.com/hc/en-us/articles/205583307-Message-Event-Webhook-Format .

`send` says that the message went out, `delivered` that a server took it in; only the latter is a delivery here,
so the webhook must be subscribed to it. `ts` is the event's time, `msg.ts` that at which the message was sent.

Paths name fields of the event. The customer is `msg.metadata.customer`, else `msg.subaccount`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id
from streams.adapt.form import form_fields, is_form
from streams.adapt.json_parts import json_parts
from streams.adapt.webhook import (
    FieldPaths,
    Fields,
    first_text,
    json_body,
    moment_ms,
    read_owned,
    sent_ms,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("mandrill", customer=("msg.metadata.customer", "msg.subaccount"))

#: How the ids of the examples begin that Mandrill sends to try an address.
_EXAMPLE = "exampleaaaa"
#: The field of a form that holds the events.
FORM_FIELD = "mandrill_events"

_TYPES: dict[str, EventType] = {
    "delivered": "delivered",
    "hard_bounce": "bounced",
    "soft_bounce": "bounced",
    "deferral": "deferred",
    "reject": "rejected",
    "spam": "complained",
    "unsub": "unsubscribed",
}
#: Reasons of a rejection for which the address stands on the list of those that get no mail.
_SUPPRESSED = frozenset({"hard-bounce", "soft-bounce", "spam", "unsub", "custom"})
#: Mandrill's descriptions of bounces that say one thing.
_CLASSES = {
    "bad_mailbox": "invalid_recipient",
    "invalid_domain": "bad_domain",
    "mailbox_full": "quota",
}


class _Attempt(msgspec.Struct):
    source_ip: str | None = None
    diag: str | None = None


class _Reject(msgspec.Struct):
    reason: str | None = None


class _Message(msgspec.Struct, rename={"id": "_id"}):
    id: str | None = None
    ts: int | float | str | None = None
    email: str | None = None
    sender: str | None = None
    diag: str | None = None
    bounce_description: str | None = None
    reject: _Reject | None = None
    smtp_events: list[_Attempt] | None = None
    tags: Any = None
    template: str | None = None


class _Event(msgspec.Struct, rename={"id": "_id"}):
    event: str
    ts: int | float | str | None = None
    id: str | None = None
    msg: _Message = msgspec.field(default_factory=_Message)


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate; sends, opens, clicks, mail that came in and changes
    of lists are left out.

    Raises:
        AdaptError: not such a body; names the record, counted from 1.
    """
    return read_owned(json_body(_events(raw)), _read, FIELD_PATHS, context)


def parts(raw: bytes) -> list[bytes]:
    """The events of a body, each a body by itself (see `streams.adapt.apart`).

    Raises:
        AdaptError: no such form.
    """
    return json_parts(_events(raw))


def _events(raw: bytes) -> bytes:
    """The array of events, which may stand in a form."""
    if not is_form(raw):
        return raw
    values = form_fields(raw).get(FORM_FIELD)
    if values is None:
        raise AdaptError(f"form field `{FORM_FIELD}` is missing")
    return values[0].encode()


def _read(fields: Fields) -> Iterable[MailEvent]:
    name = fields.get("event")
    if name is None and "type" not in fields:
        raise AdaptError("field `event` is missing")
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        return
    record = typed(fields, _Event)
    message = record.msg
    if (message.id or record.id or "").startswith(_EXAMPLE):
        return
    if kind == "rejected" and message.reject and message.reject.reason in _SUPPRESSED:
        kind = "suppressed"
    time = moment_ms(record.ts, "ts")
    message_id = message.id or record.id or ""
    last = message.smtp_events[-1] if message.smtp_events else _Attempt()
    refused = message.reject.reason if message.reject else None
    event = MailEvent(
        id=stable_id(FIELD_PATHS.name, record.event, message_id, message.email, time),
        type=kind,
        time=time,
        customer="",
        message_id=message_id,
        recipient=message.email or "",
        sending_ip=last.source_ip or "",
        from_domain=domain_of(message.sender or ""),
        diagnostic=message.diag or last.diag or refused or "",
        campaign=first_text(message.tags) or message.template or "",
        sent=sent_ms(message.ts),
    )
    known = _CLASSES.get(message.bounce_description or "", "")
    hard = record.event == "hard_bounce"
    yield with_bounce_details(event, known=known, hard=hard, permanent=hard)
