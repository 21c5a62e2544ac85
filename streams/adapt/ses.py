"""Amazon SES: events and notifications, by themselves, in an SNS envelope, from EventBridge, Firehose or Lambda.

Formats: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html ,
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and, for the envelope,
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html . SNS with raw message delivery
leaves the envelope out. What holds several is in `streams.adapt.ses_bundles`.

Paths name fields of the SES event. The customer is the message tag `customer` (`mail.tags.customer`), else the
account (`mail.sendingAccountId`). Message tags come only with event publishing, not with notifications.

`mail.sourceIp` is the host that handed the message to SES; the sending address is the tag `ses:outgoing-ip`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import decode, stable_id
from streams.adapt.feedback import feedback_type
from streams.adapt.field_paths import find_field
from streams.adapt.json_parts import json_parts
from streams.adapt.ses_bundles import is_bundle, unbundled
from streams.adapt.ses_names import BOUNCE_CLASSES, is_expired, is_suppressed
from streams.adapt.webhook import (
    FieldPaths,
    Fields,
    json_body,
    moment_ms,
    read_owned,
    records_body,
    sent_ms,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("ses", customer=("mail.tags.customer", "mail.sendingAccountId"), stream=("mail.tags.stream",))

#: What SES writes to try a topic; with raw message delivery it comes by itself.
_ANNOUNCED = b"Successfully validated SNS topic"
#: An event in an envelope in an envelope: EventBridge through SNS, SNS through SQS.
_MAX_ENVELOPES = 3
#: What EventBridge calls the events of mails (https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html).
_ABOUT_MAIL = frozenset(
    {
        "email sent", "email delivered", "email bounced", "email complaint received", "email rejected",
        "email rendering failed", "email delivery delayed", "email opened", "email clicked", "email subscription",
    }
)  # fmt: skip
#: Types and sub-types of bounces that say nothing by themselves.
_UNPROVEN = frozenset({"Transient", "Undetermined"})
_UNPROVEN_SUB_TYPES = frozenset({"General", "Undetermined"})
_OBJECT: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


class _Mail(msgspec.Struct, rename="camel"):
    message_id: str = ""
    timestamp: str | None = None
    source: str | None = None
    destination: list[str] = []
    tags: Any = None


class _Recipient(msgspec.Struct, rename="camel"):
    email_address: str = ""
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class _Bounce(msgspec.Struct, rename="camel"):
    bounce_type: str = ""
    bounce_sub_type: str = ""
    bounced_recipients: list[_Recipient] = []
    timestamp: str | None = None
    feedback_id: str = ""


class _Complaint(msgspec.Struct, rename="camel"):
    complained_recipients: list[_Recipient] = []
    complaint_feedback_type: str | None = None
    complaint_sub_type: str | None = None
    timestamp: str | None = None
    feedback_id: str = ""


class _Delivery(msgspec.Struct, rename="camel"):
    recipients: list[str] = []
    smtp_response: str | None = None
    timestamp: str | None = None


class _Delay(msgspec.Struct, rename="camel"):
    delayed_recipients: list[_Recipient] = []
    delay_type: str | None = None
    timestamp: str | None = None


class _Reject(msgspec.Struct, rename="camel"):
    reason: str | None = None
    error_message: str | None = None


class _Subscription(msgspec.Struct, rename="camel"):
    new_topic_preferences: dict[str, Any] | None = None
    timestamp: str | None = None


class _Event(msgspec.Struct, rename="camel"):
    mail: _Mail
    bounce: _Bounce = msgspec.field(default_factory=_Bounce)
    complaint: _Complaint = msgspec.field(default_factory=_Complaint)
    delivery: _Delivery = msgspec.field(default_factory=_Delivery)
    delivery_delay: _Delay = msgspec.field(default_factory=_Delay)
    reject: _Reject = msgspec.field(default_factory=_Reject)
    failure: _Reject = msgspec.field(default_factory=_Reject)
    subscription: _Subscription = msgspec.field(default_factory=_Subscription)


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each recipient of a bounce, delivery, delay, rejection or unsubscription; one for a complaint.
    Sends, opens, clicks, out-of-office replies, mail that came in, what SNS says about its subscription and what
    EventBridge says about the account are left out.

    Raises:
        AdaptError: not such a message; names the record of several, counted from 1.
    """
    if raw.startswith(_ANNOUNCED):
        return []
    body = json_body(raw)
    if any(is_bundle(record) for record in body.records):
        body = records_body(parts(raw))
    return read_owned(body.each(_opened), _read, FIELD_PATHS, context)


def parts(raw: bytes) -> list[bytes]:
    """The events of a body, each a body by itself (see `streams.adapt.apart`)."""
    found = [event for text in json_parts(raw) for event in unbundled(text)]
    return [event for event in found if not event.startswith(_ANNOUNCED)]


def _opened(record: Fields) -> Fields:
    """The SES event in its envelopes, which also say when it was published; empty for what is no event."""
    published: object = None
    for _ in range(_MAX_ENVELOPES):
        if "eventType" in record or "notificationType" in record:
            return record if published is None else {**record, "published": published}
        if _is_about_no_mail(record):
            return record
        published = record.get("Timestamp") or record.get("time")
        inner = record.get("detail")
        if isinstance(record.get("Message"), str):
            # SES and SNS announce themselves in plain words.
            inner = _json_or_none(record["Message"])
        if not isinstance(inner, dict):
            return record
        record = inner
    return record


def _json_or_none(message: str) -> object:
    try:
        return decode(_OBJECT, message.encode())
    except AdaptError:
        return None


def _read(record: Fields) -> Iterable[MailEvent]:
    kind = record.get("eventType") or record.get("notificationType")
    if not isinstance(kind, str):
        if "Type" in record or _is_about_no_mail(record):
            return []
        raise AdaptError("neither an event of SES nor a message of SNS: field `eventType` is missing")
    read = _READERS.get(kind)
    if read is None:
        return []
    event = typed(record, _Event)
    if (told := _TOLD_IN.get(kind)) and not isinstance(record.get(told), dict):
        raise AdaptError(f"field `{told}`: expected an object" if told in record else f"field `{told}` is missing")
    return read(record, event)


def _is_about_no_mail(record: Fields) -> bool:
    """Whether it is EventBridge's word on the account (recommendations of the advisor, the status of sending:
    https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html), or a mail that SES took in for Lambda.
    """
    kind = record.get("detail-type")
    if str(record.get("source")).startswith("aws.") and isinstance(kind, str):
        return kind.lower() not in _ABOUT_MAIL
    return record.get("eventSource") == "aws:ses"


def _base(record: Fields, event: _Event, kind: EventType, time: str | None, identity: str = "") -> MailEvent:
    """What all recipients share. Of several times the event's own counts, then when it was published."""
    written = time or record.get("published") or event.mail.timestamp
    tags = event.mail.tags
    return MailEvent(
        # The time of publishing may differ from copy to copy of one event, so it is no part of the id.
        id=stable_id(FIELD_PATHS.name, kind, event.mail.message_id, identity, time or ""),
        type=kind,
        time=moment_ms(written if isinstance(written, str) else None, "timestamp"),
        customer="",
        message_id=event.mail.message_id,
        sending_ip=find_field("ses:outgoing-ip", tags),
        from_domain=domain_of(event.mail.source or "") or find_field("ses:from-domain", tags).lower(),
        campaign=find_field("campaign", tags),
        sent=sent_ms(event.mail.timestamp),
    )


def _to(
    base: MailEvent,
    recipient: str,
    diagnostic: str = "",
    status: str | None = None,
    known: str = "",
    *,
    hard: bool = False,
) -> MailEvent:
    event = msgspec.structs.replace(base, id=stable_id(base.id, recipient), recipient=recipient, diagnostic=diagnostic)
    return with_bounce_details(event, status=status, known=known, hard=hard, permanent=hard)


def _bounced(record: Fields, event: _Event) -> Iterable[MailEvent]:
    bounce = event.bounce
    if _is_auto_reply(bounce):
        return
    kind: EventType = "bounced"
    if is_suppressed(bounce.bounce_sub_type):
        kind = "suppressed"
    elif is_expired(bounce.bounce_sub_type):
        kind = "expired"
    base = _base(record, event, kind, bounce.timestamp, bounce.feedback_id)
    known = BOUNCE_CLASSES.get(bounce.bounce_sub_type, "")
    hard = bounce.bounce_type == "Permanent"
    for each in bounce.bounced_recipients or [_Recipient()]:
        yield _to(base, each.email_address, each.diagnostic_code or "", each.status, known, hard=hard)


def _is_auto_reply(bounce: _Bounce) -> bool:
    """Whether a mailbox answered by itself: a bounce that no host reports. So SES publishes out-of-office replies, with
    recipients (as its simulator does for ooto@simulator.amazonses.com) or without:
    https://repost.aws/knowledge-center/ses-understand-soft-bounces .
    """
    return (
        bounce.bounce_type in _UNPROVEN
        and bounce.bounce_sub_type in _UNPROVEN_SUB_TYPES
        and not any(each.action or each.status or each.diagnostic_code for each in bounce.bounced_recipients)
    )


def _complained(record: Fields, event: _Event) -> Iterable[MailEvent]:
    """One complaint by one person. Where several recipients are named, one of them complained: all that is known
    is their mailbox provider, by which SES picked them.
    """
    complaint = event.complaint
    suppressed = is_suppressed(complaint.complaint_sub_type)
    kind: EventType = "suppressed" if suppressed else "complained"
    addresses = [each.email_address for each in complaint.complained_recipients]
    base = _base(record, event, kind, complaint.timestamp, complaint.feedback_id)
    found = _to(base, addresses[0] if len(addresses) == 1 else "")
    if len(addresses) > 1:
        found.recipient_domain = domain_of(addresses[0])
    if not suppressed:
        found.feedback_type = feedback_type(complaint.complaint_feedback_type or "")
    yield found


def _delivered(record: Fields, event: _Event) -> Iterable[MailEvent]:
    base = _base(record, event, "delivered", event.delivery.timestamp)
    for address in event.delivery.recipients or [""]:
        yield _to(base, address, event.delivery.smtp_response or "")


def _deferred(record: Fields, event: _Event) -> Iterable[MailEvent]:
    delay = event.delivery_delay
    base = _base(record, event, "deferred", delay.timestamp)
    for each in delay.delayed_recipients or [_Recipient()]:
        yield _to(base, each.email_address, each.diagnostic_code or delay.delay_type or "", each.status)


def _rejected(record: Fields, event: _Event) -> Iterable[MailEvent]:
    """SES took the message back: a virus, or a template that could not be filled in."""
    base = _base(record, event, "rejected", None)
    for address in event.mail.destination or [""]:
        yield _to(base, address, event.reject.reason or event.failure.error_message or "")


def _unsubscribed(record: Fields, event: _Event) -> Iterable[MailEvent]:
    wanted = event.subscription.new_topic_preferences or {}
    topics = wanted.get("topicSubscriptionStatus")
    statuses = topics if isinstance(topics, list) else []
    out = any(isinstance(each, dict) and each.get("subscriptionStatus") == "OptOut" for each in statuses)
    if out or wanted.get("unsubscribeAll") is True:
        base = _base(record, event, "unsubscribed", event.subscription.timestamp)
        for address in event.mail.destination or [""]:
            yield _to(base, address)


_READERS = {
    "Bounce": _bounced,
    "Complaint": _complained,
    "Delivery": _delivered,
    "DeliveryDelay": _deferred,
    "Reject": _rejected,
    "Rendering Failure": _rejected,
    "Subscription": _unsubscribed,
}
#: Where an event tells what happened. Of others nothing but their kind is needed.
_TOLD_IN = {"Bounce": "bounce", "Complaint": "complaint", "Delivery": "delivery", "DeliveryDelay": "deliveryDelay"}
