"""SendGrid event webhooks: a JSON array of events a message.

Format: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event . Custom arguments stand
next to the format's own fields; the options `customer` (default `customer`), `stream`, `sub_account` and `pool` name
the argument that holds them, or another field. Without it, the customer is `subuser`.

SendGrid does not mark a bounce that came after a delivery had been reported.
"""

from collections.abc import Iterable

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.common import stable_id, text
from streams.adapt.field_paths import find_field
from streams.adapt.places import in_words
from streams.adapt.replies import reply_of
from streams.adapt.webhook import (
    Fields,
    Text,
    bare_id,
    expired_if_given_up,
    first_text,
    json_body,
    kind_of,
    moment_ms,
    read_records,
    typed,
    with_last_reply,
)

NAME = "sendgrid"

_TYPES: dict[str, EventType] = {
    "delivered": "delivered",
    "bounce": "bounced",
    "dropped": "suppressed",
    "deferred": "deferred",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
}
#: Reasons of a drop for which the message itself was not taken in. For the others nothing is sent to the address.
_REFUSED = ("spam content", "invalid smtpapi header", "recipient list over package quota")
#: The message id of all examples that SendGrid posts to try an address.
_EXAMPLE = "14c5d75ce93.dfd.64b469@ismtpd-555"
#: In the other events, `ip` is the recipient's.
_SENDING = frozenset({"delivered", "bounce", "deferred"})
#: SendGrid's bounce classifications that say one thing. `Mailbox Unavailable` (full or closed), `Technical
#: Failure` and `Unclassified` are left to our rules, unless the type says that the address is not at fault.
_CLASSES = {
    "invalid address": "invalid_recipient",
    "content": "spam_content",
    "reputation": "blocked",
    "frequency or volume too high": "rate_limited",
}
#: Hosts that were not found, did not answer or broke off: refusals by nobody.
_TECHNICAL = "technical failure"


class _Pool(msgspec.Struct):
    name: str | None = None


class _Event(msgspec.Struct, rename={"smtp_id": "smtp-id"}):
    event: str
    timestamp: int | float | str | None = None
    email: str | None = None
    sg_event_id: str | None = None
    sg_message_id: str | None = None
    smtp_id: str | None = None
    ip: str | None = None
    pool: _Pool | None = None
    status: Text = None
    reason: str | None = None
    response: str | None = None
    type: str | None = None
    bounce_classification: str | None = None
    attempt: Text = None
    category: str | list[str] | None = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record of the body that tells a recipient's fate; opens and clicks are left out.

    Raises:
        AdaptError: not such a body; names the record of an array, counted from 1.
    """
    options = context.options(NAME)
    return read_records(json_body(raw), lambda record: _read(record, options), context)


def _read(fields: Fields, options: FormatOptions) -> Iterable[MailEvent]:
    kind = _TYPES.get(kind_of(fields, "event").lower())
    if kind is None:
        return
    record = typed(fields, _Event)
    if (record.smtp_id or "").strip("<>") == _EXAMPLE:
        return
    if kind == "suppressed" and (record.reason or "").lower().startswith(_REFUSED):
        kind = "rejected"
    time = moment_ms(record.timestamp, "timestamp")
    places = options.customer_places or ("customer",)
    found = next(filter(None, (find_field(place, fields) for place in (*places, "subuser"))), "")
    customer = options.customer_or_default(found)
    if not customer:
        raise AdaptError(f"no custom argument {in_words(places)}, no `subuser`, and no default customer is configured")
    diagnostic = record.reason or record.response or ""
    code, status = reply_of(diagnostic)
    event = MailEvent(
        id=record.sg_event_id or _id(record),
        type=kind,
        time=time,
        customer=customer,
        message_id=bare_id(record.smtp_id) or record.sg_message_id or "",
        recipient=record.email or "",
        sending_ip=(record.ip or "") if record.event in _SENDING else "",
        ip_pool=(record.pool.name or "") if record.pool else "",
        smtp_code=code,
        enhanced_status=text(record.status) or status,
        diagnostic=diagnostic,
        bounce_class=_bounce_class(record) if kind == "bounced" else "",
        feedback_type="abuse" if kind == "complained" else "",
        campaign=first_text(record.category),
    )
    if kind == "bounced":
        _given_up(event, record)
    yield fill(event, options, lambda place: find_field(place, fields))


def _given_up(event: MailEvent, record: _Event) -> None:
    """A message that is deferred for 72 hours becomes a bounce
    (https://www.twilio.com/docs/glossary/expired): of type `expired`, or `blocked` with the last, temporary reply.
    """
    if record.type == "expired":
        event.type = "expired"
    else:
        expired_if_given_up(event)
    if event.type == "expired":
        with_last_reply(event)


def _bounce_class(record: _Event) -> str:
    """SendGrid's own verdict where it is clear.

    Type `blocked` means that the address is not at fault, so such a bounce must not become a hard one.
    """
    said = (record.bounce_classification or "").lower()
    known = _CLASSES.get(said, "")
    if record.type == "blocked":
        if said == _TECHNICAL:
            return "connection"
        return known if known not in ("", "invalid_recipient") else "blocked"
    return known


def _id(record: _Event) -> str:
    return stable_id(
        NAME,
        record.event,
        record.sg_message_id,
        record.smtp_id,
        record.email,
        record.timestamp,
        record.attempt,
    )
