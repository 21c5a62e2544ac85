"""Events as routes see them. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from schemas.alert import AlertData
from schemas.deployment import Deployment, names_no_deployment
from schemas.errors import InvalidInputError
from schemas.times import epoch_ms
from schemas.wording import rfc3339

PREFIX, SUFFIX = "org.repmon.", ".v1"
ALERT = f"{PREFIX}alert."


class EventError(InvalidInputError):
    """What was read is no event as they are sent; the message says why."""


class _Named(msgspec.Struct):
    customer: str = ""


class _Envelope(msgspec.Struct):
    id: str
    type: str
    source: str
    time: str
    subject: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


_envelope = msgspec.json.Decoder(_Envelope).decode
_alert = msgspec.json.Decoder(AlertData).decode
_named = msgspec.json.Decoder(_Named).decode
_DATETIME = datetime


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One CloudEvent. `kind` is its type without prefix and version (`alert.opened`), `lane` whose order it keeps,
    `alert` its data where it is an alert, `text` the event as it was read, and `time_ms` epoch ms, UTC."""

    id: str
    source: str
    kind: str
    subject: str
    customer: str
    lane: str
    time_ms: int
    text: str
    alert: AlertData | None = None

    def plain(self) -> Any:
        """The event as plain data."""
        return msgspec.json.decode(self.text)


def read_event(raw: bytes | str) -> Event:
    """An event of the topics of alerts, incidents and holds.

    Raises:
        EventError: it is none.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode()
        found = _envelope(text)
        time_ms = epoch_ms(msgspec.convert(found.time, type=_DATETIME))
        rfc3339(time_ms)  # a time of the year 9999 with an offset may be one of the year 10000
        alert = _alert(found.data) if found.type.startswith(ALERT) else None
        customer = alert.customer if alert is not None else _customer(found.data)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise EventError(f"not an event as a CloudEvent: {error}") from error
    return Event(
        id=found.id,
        source=found.source,
        kind=found.type.removeprefix(PREFIX).removesuffix(SUFFIX),
        subject=found.subject,
        customer=customer,
        lane=customer or found.subject,
        time_ms=time_ms,
        text=text,
        alert=alert,
    )


def with_source(event: str, here: Deployment) -> str:
    """The event as it was sent: what people decide is stored before it is known who sends it."""
    plain = msgspec.json.decode(event)
    if names_no_deployment(plain["source"]):
        plain["source"] = here.source(plain["source"])
    return msgspec.json.encode(plain).decode()


def _customer(data: msgspec.Raw) -> str:
    try:
        return _named(data).customer
    except msgspec.DecodeError:
        return ""
