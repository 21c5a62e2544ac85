"""Unisender Go (UniOne) webhooks: events in `events_by_user`, or one event a request.

Formats: https://godocs.unisender.ru/web-api-ref#callback-format and
https://docs.unione.io/en/web-api-ref#webhook-callback-format ; the statuses:
https://godocs.unisender.ru/email-statuses . Times are UTC without an offset.

Paths name fields of the event, next to which `user_id`, `project_id` and `project_name` stand. The customer is
`metadata.customer`, else the project (`project_id`), else the user (`user_id`). The message id is `job_id`.
"""

from collections.abc import Iterable, Iterator

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import MAX_NAME
from streams.adapt.common import stable_id, text
from streams.adapt.webhook import (
    FieldPaths,
    Fields,
    inner_parts,
    json_body,
    moment_ms,
    read_owned,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths("unisender", customer=("metadata.customer", "project_id", "user_id"))

_OF_USER = ("user_id", "project_id", "project_name")
_STATUS_EVENT = "transactional_email_status"
#: A soft bounce is not the last word: the message may still be delivered.
_TYPES: dict[str, EventType] = {
    "delivered": "delivered",
    "hard_bounced": "bounced",
    "soft_bounced": "deferred",
    "spam": "complained",
    "unsubscribed": "unsubscribed",
}
#: Delivery statuses of messages that were not sent, because the address had failed or was unsubscribed before or
#: the mailing had been refused as spam.
_SUPPRESSED = frozenset({"err_unsubscribed", "err_unreachable", "err_skip_letter", "err_spam_skipped"})
#: What was to be tried again, once the time for that is over.
_GAVE_UP = "err_giveup"
_CLASSES = {
    "err_user_unknown": "invalid_recipient",
    "err_user_inactive": "inactive_mailbox",
    "err_mailbox_discarded": "inactive_mailbox",
    "err_no_dns": "bad_domain",
    "err_no_smtp": "connection",
    "err_mailbox_full": "quota",
    "err_domain_inactive": "bad_domain",
    "err_spam_rejected": "spam_content",
    "err_blacklisted": "blocked",
    "err_too_large": "message_too_large",
    "err_destination_misconfigured": "routing_dns",
}


class _Delivery(msgspec.Struct):
    delivery_status: str | None = None
    destination_response: str | None = None


class _Event(msgspec.Struct):
    status: str
    email: str | None = None
    event_time: int | float | str | None = None
    job_id: str | None = None
    delivery_info: _Delivery | None = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each record that tells a recipient's fate; sends, opens, clicks and blocks of whole servers are
    left out.

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


def _events(body: Fields) -> Iterator[object]:
    """The events of a body, each with what names its user in addition to its own fields."""
    if "events_by_user" not in body:
        yield body
        return
    for user in _array(body["events_by_user"], "events_by_user"):
        if not isinstance(user, dict):
            raise AdaptError("field `events_by_user`: expected an array of objects")
        shared = {key: _name(user[key], key) for key in _OF_USER if key in user}
        for event in _array(user.get("events"), "events"):
            if isinstance(event, dict):
                inner = event.get("event_data")
                yield {**shared, **event, **(inner if isinstance(inner, dict) else {})}
            else:
                yield event


def _name(value: object, field: str) -> str:
    """A name or number; it is looked at once for each event, so it must be short."""
    found = text(value)
    if len(found) > MAX_NAME:
        raise AdaptError(f"field `{field}`: longer than {MAX_NAME} characters")
    return found


def _array(value: object, field: str) -> list[object]:
    if not isinstance(value, list):
        raise AdaptError(f"field `{field}`: expected an array of objects")
    return value


def _read(fields: Fields) -> Iterable[MailEvent]:
    name = fields.get("event_name")
    if name is None:
        raise AdaptError("field `event_name` is missing")
    status_name = fields.get("status")
    kind = _TYPES.get(status_name) if name == _STATUS_EVENT and isinstance(status_name, str) else None
    if kind is None:
        return
    record = typed(fields, _Event)
    delivery = record.delivery_info or _Delivery()
    verdict = delivery.delivery_status or ""
    if verdict in _SUPPRESSED and kind in ("bounced", "deferred"):
        kind = "suppressed"
    elif verdict == _GAVE_UP and kind in ("bounced", "deferred"):
        kind = "expired"
    time = moment_ms(record.event_time, "event_time")
    event = MailEvent(
        id=stable_id(FIELD_PATHS.name, record.status, record.job_id, record.email, time),
        type=kind,
        time=time,
        customer="",
        message_id=record.job_id or "",
        recipient=record.email or "",
        diagnostic=delivery.destination_response or verdict,
    )
    yield with_bounce_details(event, known=_CLASSES.get(verdict, ""), hard=True)
