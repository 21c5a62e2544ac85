"""SparkPost (Bird) webhooks: a JSON array whose objects hold one event each in `msys`.

Format: https://developers.sparkpost.com/api/events/ ; the classes of bounces:
https://support.sparkpost.com/docs/deliverability/bounce-classification-codes .

Paths name fields of the event. The customer is `rcpt_meta.customer`, else the subaccount (`subaccount_id`), else
the account (`customer_id`). The message id is `message_id`, of which each recipient has one; `transmission_id` is
shared by all of a batch. `injection_time`, which all events have, is when SparkPost got the message.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec

from schemas.event import EventType, MailEvent
from schemas.providers import Providers
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id, text
from streams.adapt.feedback import Reporter, feedback_type, set_recipient
from streams.adapt.webhook import (
    FieldPaths,
    Fields,
    Text,
    first_text,
    inner_parts,
    json_body,
    kind_of,
    moment_ms,
    read_owned,
    records_body,
    sent_ms,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("sparkpost", customer=("rcpt_meta.customer", "subaccount_id", "customer_id"))

_TYPES: dict[str, EventType] = {
    "delivery": "delivered",
    "bounce": "bounced",
    "out_of_band": "bounced",
    "delay": "deferred",
    "policy_rejection": "rejected",
    "generation_failure": "rejected",
    "generation_rejection": "rejected",
    "spam_complaint": "complained",
    "list_unsubscribe": "unsubscribed",
    "link_unsubscribe": "unsubscribed",
}
#: Bounce classes that say one thing. Undetermined (1), soft (20), DNS (21), generic (40) and transient (70) are
#: left to our rules, which read the reply.
_CLASSES = {
    "10": "invalid_recipient",
    "22": "quota",
    "23": "message_too_large",
    "24": "connection",
    "30": "invalid_recipient",
    "50": "blocked",
    "51": "blocked",
    "52": "spam_content",
    "53": "policy",
    "54": "policy",
}
#: Temporary failures: soft, of DNS, timed out, transient. A bounce is the last word, so where no host refused the
#: message it was tried until its time was over.
_TRIED_AGAIN = frozenset({"20", "21", "24", "70"})
#: Nothing was sent: an administrator's rule, a suppression.
_SUPPRESSED = frozenset({"25", "26"})
#: Answers that came back as if they were bounces: auto-reply, subscribe, challenge.
_NO_BOUNCES = frozenset({"60", "80", "100"})
_UNSUBSCRIBE = "90"


class _Event(msgspec.Struct):
    type: str
    event_id: Text = None
    timestamp: int | float | str | None = None
    injection_time: int | float | str | None = None
    message_id: str | None = None
    transmission_id: Text = None
    rcpt_to: str | None = None
    raw_rcpt_to: str | None = None
    friendly_from: str | None = None
    msg_from: str | None = None
    sending_ip: str | None = None
    ip_pool: str | None = None
    bounce_class: Text = None
    error_code: Text = None
    raw_reason: str | None = None
    reason: str | None = None
    fbtype: str | None = None
    report_by: Text = None
    campaign_id: Text = None
    rcpt_tags: Any = None
    num_retries: Text = None
    transactional: Text | bool = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate; injections, opens, clicks and the ping that tests
    an address are left out.

    Raises:
        AdaptError: not such a body; names the record of an array, counted from 1.
    """
    read = partial(_read, providers=context.providers)
    body = json_body(raw)
    if any(map(_is_page, body.records)):
        body = records_body(parts(raw))
    return read_owned(body.each(_opened), read, FIELD_PATHS, context)


def parts(raw: bytes) -> list[bytes]:
    """The events of a body, each a body by itself (see `streams.adapt.apart`)."""
    return inner_parts(raw, lambda body: body["results"] if _is_page(body) else [body])


def _is_page(body: Fields) -> bool:
    """Whether it is an answer of the Events API."""
    return "msys" not in body and "type" not in body and isinstance(body.get("results"), list)


def _opened(record: Fields) -> Fields:
    """The event in `msys`, under whichever name its kind has; a bare event, as the Events API gives, as it is."""
    kinds = record.get("msys")
    if kinds is None:
        return record
    if not isinstance(kinds, dict) or not all(isinstance(each, dict) for each in kinds.values()):
        raise AdaptError("field `msys`: expected an object that holds an event")
    # Mail that came in has no type.
    event: Fields = next((each for kind, each in kinds.items() if kind != "relay_message"), {"type": ""})
    # The account itself is no subaccount.
    return {key: value for key, value in event.items() if key != "subaccount_id" or text(value) != "0"}


def _read(fields: Fields, providers: Providers) -> Iterable[MailEvent]:
    if kind_of(fields, "type") not in _TYPES:
        return
    record = typed(fields, _Event)
    kind = _kind(record)
    if kind is None:
        return
    recipient = record.raw_rcpt_to or record.rcpt_to or ""
    time = moment_ms(record.timestamp, "timestamp")
    identity = (record.type, record.message_id, record.transmission_id, recipient, time, record.num_retries)
    event = MailEvent(
        id=text(record.event_id) or stable_id(FIELD_PATHS.name, *identity),
        type=kind,
        time=time,
        customer="",
        stream_class="transactional" if text(record.transactional) == "1" else "bulk",
        message_id=record.message_id or text(record.transmission_id),
        recipient=recipient,
        sending_ip=record.sending_ip or "",
        ip_pool=record.ip_pool or "",
        from_domain=domain_of(record.friendly_from or record.msg_from or ""),
        diagnostic=record.raw_reason or record.reason or "",
        feedback_type=feedback_type(record.fbtype or "") if kind == "complained" else "",
        asynchronous=record.type == "out_of_band",
        campaign=text(record.campaign_id) or first_text(record.rcpt_tags),
        sent=sent_ms(record.injection_time),
    )
    if kind == "complained":
        # The host that reported it.
        set_recipient(event, recipient, Reporter(hosts=(text(record.report_by),)), providers)
    found = text(record.bounce_class)
    with_bounce_details(event, code=record.error_code, known=_CLASSES.get(found, ""))
    if event.type == "bounced" and found in _TRIED_AGAIN and not event.smtp_code:
        event.type = "expired"
    yield event


def _kind(record: _Event) -> EventType | None:
    kind = _TYPES[record.type]
    found = text(record.bounce_class)
    if kind == "bounced":
        if found in _NO_BOUNCES:
            return None
        if found == _UNSUBSCRIBE:
            return "unsubscribed"
    refused = kind == "rejected" and "suppress" in f"{record.raw_reason} {record.reason}".lower()
    return "suppressed" if refused or (kind == "bounced" and found in _SUPPRESSED) else kind
