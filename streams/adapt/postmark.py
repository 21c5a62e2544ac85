"""Postmark webhooks: one JSON object a request.

Format: https://postmarkapp.com/developer/webhooks/webhooks-overview and its pages on bounces, deliveries, spam
complaints and subscription changes; the types of bounces:
https://postmarkapp.com/developer/api/bounce-api#bounce-types .

Paths name fields of the body. The customer is `Metadata.customer`, else the server (`ServerID`); the stream is
`MessageStream`, Postmark's own word for it.
"""

from collections.abc import Iterable

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id
from streams.adapt.webhook import (
    FieldPaths,
    Fields,
    Text,
    json_body,
    kind_of,
    moment_ms,
    read_owned,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("postmark", customer=("Metadata.customer", "ServerID"), stream=("MessageStream",))

#: Where each record keeps its time.
_TIMES = {
    "Delivery": "DeliveredAt",
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "SubscriptionChange": "ChangedAt",
}
#: Of the examples that Postmark posts to try an address.
_NO_MESSAGE = "00000000-0000-0000-0000-000000000000"
_EXAMPLE = "Test"
#: What mail that comes in has instead of a type (https://postmarkapp.com/developer/webhooks/inbound-webhook).
_CAME_IN = ("FromFull", "OriginalRecipient")
#: By which field records without a type are known.
_BEFORE = {"DeliveredAt": "Delivery", "BouncedAt": "Bounce"}
#: What bounces of these types are. Types that are in neither table are mails that came back and tell nothing about
#: the recipient: replies by machine, changes of address, requests to subscribe, tests.
_BOUNCES: dict[str, EventType] = {
    "HardBounce": "bounced",
    "SoftBounce": "bounced",
    "DnsError": "bounced",
    "SpamNotification": "bounced",
    "VirusNotification": "bounced",
    "BadEmailAddress": "bounced",
    "Blocked": "bounced",
    "DMARCPolicy": "bounced",
    "Unknown": "bounced",
    "Transient": "deferred",
    "Unsubscribe": "unsubscribed",
    "SpamComplaint": "complained",
    "ManuallyDeactivated": "suppressed",
    "SMTPApiError": "rejected",
    "TemplateRenderingFailed": "rejected",
}
_CLASSES = {
    "BadEmailAddress": "invalid_recipient",
    "SpamNotification": "spam_content",
    "VirusNotification": "virus",
    "DMARCPolicy": "auth_failure",
    "Blocked": "blocked",
}


class _Event(msgspec.Struct):
    RecordType: str
    ID: Text = None
    Type: str | None = None
    MessageID: str | None = None
    Email: str | None = None
    Recipient: str | None = None
    From: str | None = None
    Description: str | None = None
    Details: str | None = None
    Tag: str | None = None
    DeliveredAt: str | None = None
    BouncedAt: str | None = None
    ChangedAt: str | None = None
    SuppressSending: bool = False
    SuppressionReason: str | None = None
    Origin: str | None = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """The event of a delivery, bounce, complaint or unsubscription; opens, clicks and the rest are left out.

    Raises:
        AdaptError: not such a body.
    """
    return read_owned(json_body(raw), _read, FIELD_PATHS, context)


def _read(fields: Fields) -> Iterable[MailEvent]:
    fields = _named(fields)
    if kind_of(fields, "RecordType") not in _TIMES:
        return
    record = typed(fields, _Event)
    kind = _kind(record)
    if kind is None or (record.MessageID == _NO_MESSAGE and record.Tag == _EXAMPLE):
        return
    recipient = record.Email or record.Recipient or ""
    written = _TIMES[record.RecordType]
    time = moment_ms(getattr(record, written), written)
    # A complaint has an id of its own series; that of a bounce may be the same number.
    own = (record.ID,) if record.ID else (record.MessageID, recipient, time)
    event = MailEvent(
        id=stable_id(FIELD_PATHS.name, record.RecordType, *own),
        type=kind,
        time=time,
        customer="",
        message_id=record.MessageID or "",
        recipient=recipient,
        from_domain=domain_of(record.From or ""),
        diagnostic=record.Details or record.Description or "",
        campaign=record.Tag or "",
    )
    hard = record.Type == "HardBounce"
    yield with_bounce_details(event, known=_CLASSES.get(record.Type or "", ""), hard=hard, permanent=hard)


def _named(fields: Fields) -> Fields:
    """The fields with the type of the record, which bounces and deliveries did not have before modular webhooks."""
    if "RecordType" not in fields and all(fields.get(each) for each in _CAME_IN):
        return {**fields, "RecordType": "Inbound"}
    if not fields.get("RecordType") and (name := next((each for each in _BEFORE if fields.get(each)), None)):
        return {**fields, "RecordType": _BEFORE[name]}
    return fields


def _kind(record: _Event) -> EventType | None:
    if record.RecordType == "Delivery":
        return "delivered"
    if record.RecordType == "SpamComplaint":
        return "complained"
    if record.RecordType == "Bounce":
        return _BOUNCES.get(record.Type or "")
    # A change that follows a bounce or a complaint repeats it; one that ends a suppression is none, nor is one that the
    # customer or Postmark's staff made.
    by_recipient = record.SuppressionReason == "ManualSuppression" and record.Origin in (None, "", "Recipient")
    return "unsubscribed" if record.SuppressSending and by_recipient else None
