"""SocketLabs event webhooks: one JSON object a message, or an array of them.

Format: https://help.socketlabs.com/docs/event-webhooks-data-attributes . The vendor spells some names in two
ways (ServerId, ServerID), so letter case does not count. The options `customer` (default `ServerId`), `stream`,
`sub_account` and `pool` name a field, or a meta entry as `meta.KEY`. Complaints carry neither SubaccountId nor meta
data: who takes the customer from there needs a default customer for them.

A bounce that came after a delivery had been reported is not marked.
"""

from collections.abc import Iterable

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id, text, time_ms
from streams.adapt.feedback import feedback_type
from streams.adapt.gave_up import is_expiry
from streams.adapt.places import find_customer, in_words
from streams.adapt.replies import reply_of
from streams.adapt.webhook import (
    Fields,
    Text,
    expired_if_given_up,
    json_body,
    read_records,
    typed,
    with_last_reply,
)

NAME = "socketlabs"

_TYPES: dict[str, EventType] = {
    "delivered": "delivered",
    "sent": "delivered",
    "deferred": "deferred",
    "failed": "bounced",
    "complaint": "complained",
    "tracking": "unsubscribed",
}
#: FailureType 2, and FailureCode 9999: the address was on the suppression list, nothing was sent; 1: it is on it now
#: (https://help.socketlabs.com/docs/failed-messages-report-definitions).
_SUPPRESSED = frozenset({"2", "suppressed"})
_SUPPRESSED_CODE = "9999"
#: Codes that say one thing (https://help.socketlabs.com/docs/message-delivery-failure-codes). Where a reply was passed
#: on, that is asked, since servers on premises may have codes of their own.
_CLASSES = {
    "1002": "blocked",
    "1003": "blocked",
    "1004": "spam_content",
    "1006": "rate_limited",
    "1007": "virus",
    "2001": "invalid_recipient",
    "2002": "bad_domain",
    "2003": "invalid_recipient",
    "2004": "inactive_mailbox",
    "3001": "quota",
    "3002": "inactive_mailbox",
    "3003": "expired",
    "3005": "bad_domain",
    "4001": "expired",
    "4002": "expired",
    "4003": "expired",
    "4004": "expired",
}
#: An answer that asks whether the sender is a person.
_CHALLENGE = "1011"
_PERMANENT = frozenset({"1", "permanent", "hard"})
#: TrackingType of an unsubscribe, as a name or a number; 0 is a click, 1 an open.
_UNSUBSCRIBE = frozenset({"2", "unsubscribe"})


class _Meta(msgspec.Struct, rename="pascal"):
    key: str = ""
    value: str | int | float | bool | None = None


class _Data(msgspec.Struct, rename="pascal"):
    meta: list[_Meta] | None = None
    tags: list[str] | None = None


class _Event(msgspec.Struct):
    """The fields that are read, in lower case. `secretkey` is not among them and so is never kept."""

    type: str
    datetime: str
    address: str | None = None
    ippoolid: Text = None
    mailingid: Text = None
    messageid: Text = None
    fromaddress: str | None = None
    response: str | None = None
    localip: str | None = None
    remotemta: str | None = None
    reason: str | None = None
    deferralcode: Text = None
    bouncestatus: Text = None
    diagnosticcode: str | None = None
    failurecode: Text = None
    failuretype: Text = None
    trackingtype: Text = None
    fbltype: str | None = None
    data: _Data | None = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate; queued, opens and clicks are left out.

    Raises:
        AdaptError: not such a body; names the record of an array, counted from 1.
    """
    options = context.options(NAME)
    return read_records(json_body(raw), lambda record: _read(record, options), context)


def _read(written: Fields, options: FormatOptions) -> Iterable[MailEvent]:
    fields = {key.lower(): value for key, value in written.items()}
    name = fields.get("type")
    if not isinstance(name, str):
        raise AdaptError("field `Type` is missing or not text")
    kind = _TYPES.get(name.lower())
    if kind is None:
        return
    record = typed(fields, _Event)
    if kind == "unsubscribed" and text(record.trackingtype).lower() not in _UNSUBSCRIBE:
        return
    if kind == "bounced" and (
        text(record.failuretype).lower() in _SUPPRESSED or text(record.failurecode) == _SUPPRESSED_CODE
    ):
        kind = "suppressed"
    if kind == "bounced" and text(record.failurecode) == _CHALLENGE:
        return
    customer = find_customer(options, lambda place: _find(place, fields, record), "ServerId")
    if not customer:
        places = options.customer_places or ("ServerId",)
        raise AdaptError(f"no value at {in_words(places)}, and no default customer is configured")
    diagnostic = record.diagnosticcode or record.reason or record.response or ""
    code, status = reply_of(diagnostic)
    tags = record.data.tags if record.data else None
    event = MailEvent(
        id=_id(record),
        type=kind,
        time=time_ms(record.datetime),
        customer=customer,
        message_id=text(record.messageid),
        recipient=record.address or "",
        sending_ip=(record.localip or "") if kind == "delivered" else "",
        ip_pool=text(record.ippoolid),
        from_domain=domain_of(record.fromaddress or text(fields.get("from"))),
        smtp_code=code,
        enhanced_status=text(record.bouncestatus) or status,
        diagnostic=diagnostic,
        feedback_type=feedback_type(record.fbltype or "") if kind == "complained" else "",
        campaign=text(record.mailingid) or (tags[0] if tags else ""),
        mx_host=(record.remotemta or "").partition(" ")[0],
    )
    permanent = text(record.failuretype).lower() in _PERMANENT
    if kind == "bounced" and (not permanent or is_expiry(event.enhanced_status)):
        expired_if_given_up(event)
    if event.type == "bounced" and not event.smtp_code:
        _by_vendors_code(event, record)
    if event.type == "expired":
        with_last_reply(event)
    yield fill(event, options, lambda place: _find(place, fields, record))


def _by_vendors_code(event: MailEvent, record: _Event) -> None:
    """What the vendor says of a failure without a reply. A server that could not be reached was tried for days."""
    known = _CLASSES.get(text(record.failurecode), "")
    if known == "expired":
        event.type = "expired"
    else:
        event.bounce_class = known


def _find(place: str, fields: Fields, record: _Event) -> str:
    """The value of a field or, for `meta.KEY`, of a meta entry."""
    if place.startswith("meta."):
        entries = (record.data.meta if record.data else None) or []
        wanted = place.removeprefix("meta.")
        return next((text(each.value) for each in entries if each.key == wanted), "")
    return text(fields.get(place.lower()))


def _id(record: _Event) -> str:
    """The format has no event id; these fields tell any two events of one message apart."""
    return stable_id(
        NAME,
        record.type.lower(),
        record.messageid,
        record.mailingid,
        record.address,
        record.datetime,
        record.failurecode,
    )
