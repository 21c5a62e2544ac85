"""Mailgun webhooks: an event in `event-data`, and the form fields of webhooks made before 2018.

Formats: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads and
https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure . Events read from the Events
API, without the envelope or as a page of `items`, are taken as well.

Paths name fields of the event (or names of form fields). The customer is the user variable `customer`
(`user-variables.customer`), else the sending domain (`domain.name`, `domain`), else the account (`account.id`).

`flags.is-delayed-bounce` marks a failure that came after the delivery had been reported.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from schemas.event import EventType, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.canonical import domain_of
from streams.adapt.common import stable_id, text
from streams.adapt.field_paths import find_field
from streams.adapt.form import Form, form_fields, is_form
from streams.adapt.webhook import (
    Body,
    FieldPaths,
    Fields,
    Text,
    bare_id,
    first_text,
    inner_parts,
    json_body,
    kind_of,
    moment_ms,
    read_owned,
    records_body,
    typed,
    with_bounce_details,
)

FIELD_PATHS = FieldPaths(
    "mailgun", customer=("user-variables.customer", "customer", "domain.name", "domain", "account.id")
)

_TYPES: dict[str, EventType] = {
    "delivered": "delivered",
    "failed": "bounced",
    "rejected": "rejected",
    "complained": "complained",
    "unsubscribed": "unsubscribed",
}
_FORM_TYPES: dict[str, EventType] = {
    "delivered": "delivered",
    "bounced": "bounced",
    "dropped": "suppressed",
    "complained": "complained",
    "unsubscribed": "unsubscribed",
}
#: Names of events in forms that are left out.
_FORM_OTHERS = frozenset({"opened", "clicked", "stored"})
#: Reason of a permanent failure: the tries were used up.
_OLD = "old"
#: Mailgun's own codes: too old; not sent to an address that bounced, unsubscribed or complained before
#: (https://help.mailgun.com/hc/en-us/articles/360011804533).
_TOO_OLD = "602"
#: Mailgun's own too: the domain has no mail host. As a last word it is permanent, whatever it looks like
#: (https://help.mailgun.com/hc/en-us/articles/360012750413).
_NO_HOST = "498"
_NOT_SENT = frozenset({"605", "606", "607"})


class _Headers(msgspec.Struct, rename="kebab"):
    message_id: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")


class _Message(msgspec.Struct):
    headers: _Headers | None = None


class _Status(msgspec.Struct, rename="kebab"):
    code: Text = None
    enhanced_code: Text = None
    bounce_code: Text = None
    message: str | None = None
    description: str | None = None
    attempt_no: Text = None
    mx_host: str | None = None


class _Envelope(msgspec.Struct, rename="kebab"):
    sender: str | None = None
    sending_ip: str | None = None


class _Flags(msgspec.Struct, rename="kebab"):
    is_delayed_bounce: Any = None
    is_test_mode: Any = None
    is_system_test: Any = None
    is_routed: Any = None


class _Reject(msgspec.Struct):
    reason: str | None = None
    description: str | None = None


class _Event(msgspec.Struct, rename="kebab"):
    event: str
    id: str | None = None
    timestamp: int | float | str | None = None
    severity: str | None = None
    reason: str | None = None
    recipient: str | None = None
    message: _Message | None = None
    delivery_status: _Status | None = None
    envelope: _Envelope | None = None
    reject: _Reject | None = None
    flags: _Flags | None = None


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """The event of a webhook; opens, clicks and other events are left out.

    Raises:
        AdaptError: not such a body.
    """
    if is_form(raw):
        form = form_fields(raw)
        fields = {name: values[0] for name, values in form.items()}
        return read_owned(Body([fields], many=False), lambda _: _read_form(form), FIELD_PATHS, context)
    body = json_body(raw)
    if any(map(_is_page, body.records)):
        body = records_body(parts(raw))
    return read_owned(body.each(_opened), _read, FIELD_PATHS, context)


def parts(raw: bytes) -> list[bytes]:
    """The events of a body, each a body by itself (see `streams.adapt.apart`): a form is one."""
    return [raw] if is_form(raw) else inner_parts(raw, lambda body: body["items"] if _is_page(body) else [body])


def _is_page(body: Fields) -> bool:
    """Whether it is an answer of the Events API: https://documentation.mailgun.com/docs/mailgun/api-reference/ ."""
    return "event" not in body and "event-data" not in body and isinstance(body.get("items"), list)


def _opened(body: Fields) -> Fields:
    inner = body.get("event-data", body)
    if not isinstance(inner, dict):
        raise AdaptError("field `event-data`: expected an object")
    return inner


def _read(fields: Fields) -> Iterable[MailEvent]:
    kind = _TYPES.get(kind_of(fields, "event"))
    if kind is None:
        return
    record = typed(fields, _Event)
    flags = record.flags or _Flags()
    # What is sent in test mode reaches nobody, and what is routed came in.
    if True in (flags.is_test_mode, flags.is_system_test, flags.is_routed):
        return
    if kind == "bounced":
        kind = _failure(record)
    status = record.delivery_status or _Status()
    reject = record.reject or _Reject()
    headers = (record.message.headers if record.message else None) or _Headers()
    envelope = record.envelope or _Envelope()
    message_id = bare_id(headers.message_id)
    time = moment_ms(record.timestamp, "timestamp")
    # Mailgun's id is promised to be unique within a day only.
    own = (record.id,) if record.id else (record.event, message_id, record.recipient, status.attempt_no)
    event = MailEvent(
        id=stable_id(FIELD_PATHS.name, *own, time),
        type=kind,
        time=time,
        customer="",
        message_id=message_id,
        recipient=record.recipient or "",
        sending_ip=envelope.sending_ip or "",
        from_domain=domain_of(headers.from_ or envelope.sender or ""),
        diagnostic=status.message or status.description or reject.reason or reject.description or "",
        campaign=find_field("campaigns.id", fields) or first_text(fields.get("tags")),
        mx_host=status.mx_host or "",
        asynchronous=kind == "bounced" and flags.is_delayed_bounce is True,
    )
    no_host = kind == "bounced" and text(status.code) == _NO_HOST
    yield with_bounce_details(
        event,
        code=None if no_host else status.code,
        status=status.enhanced_code or status.bounce_code,
        known="bad_domain" if no_host else "",
        hard=True,
    )


def _failure(record: _Event) -> EventType:
    """What a `failed` event is: Mailgun tries again after a temporary one and never sent a suppressed one."""
    reason = (record.reason or "").lower()
    code = text(record.delivery_status.code) if record.delivery_status else ""
    if (record.severity or "").lower() == "temporary":
        # The last of the temporary ones may say that the message is given up
        # (https://feedback.mailgun.com/forums/914635-general-feedback/suggestions/37219720).
        return "expired" if reason == _OLD or code == _TOO_OLD else "deferred"
    if reason.startswith("suppress-"):
        return "suppressed"
    if code in _NOT_SENT:
        return "suppressed"
    return "expired" if reason == _OLD or code == _TOO_OLD else "bounced"


def _read_form(form: Form) -> Iterable[MailEvent]:
    """A form holds the event's fields and, next to them under names of their own, the sender's variables. Where the
    two share a name, the value that can be the event's is it.
    """
    name = _value(form, "event", lambda value: value in _FORM_TYPES or value in _FORM_OTHERS)
    if not name:
        other = _value(form, "event")
        raise AdaptError(f"form field `event` is missing{f': {other[:40]!r} is none of Mailgun' if other else ''}")
    kind = _FORM_TYPES.get(name)
    if kind is None:
        return
    if kind == "suppressed":
        kind = _dropped(_value(form, "reason"), _value(form, "code"))
    recipient = _value(form, "recipient", lambda value: "@" in value)
    message_id = bare_id(_value(form, "Message-Id") or _value(form, "message-id"))
    time = moment_ms(_value(form, "timestamp", lambda value: value.replace(".", "", 1).isdecimal()), "timestamp")
    event = MailEvent(
        id=stable_id(FIELD_PATHS.name, name, message_id, recipient, time),
        type=kind,
        time=time,
        customer="",
        message_id=message_id,
        recipient=recipient,
        diagnostic=_value(form, "error") or _value(form, "description"),
        campaign=_value(form, "campaign-id") or _value(form, "X-Mailgun-Tag") or _value(form, "tag"),
    )
    yield with_bounce_details(event, code=_value(form, "code"), hard=True)


def _dropped(reason: str, code: str) -> EventType:
    """What a `dropped` event of a form is: Mailgun dropped what was too old, what a host refused for good, and what it
    never sent.
    """
    if reason == _OLD or code == _TOO_OLD:
        return "expired"
    return "bounced" if len(code) == 3 and code[0] in "45" and code.isdecimal() else "suppressed"


def _value(form: Form, name: str, fits: Callable[[str], bool] = bool) -> str:
    return next((value for value in form.get(name, ()) if fits(value)), "")
