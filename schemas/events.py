"""Whatever event of ours: read by its `type`."""

import msgspec

from schemas.alert import AlertEvent
from schemas.customer_event import CustomerEvent
from schemas.hold import HoldEvent
from schemas.incident import IncidentEvent

AnyEvent = AlertEvent | CustomerEvent | HoldEvent | IncidentEvent

#: By what their types begin with; docs/alerts.md has all types.
KINDS: dict[str, type[AnyEvent]] = {
    "org.repmon.alert": AlertEvent,
    "org.repmon.customer": CustomerEvent,
    "org.repmon.hold": HoldEvent,
    "org.repmon.incident": IncidentEvent,
}


class _Typed(msgspec.Struct):
    type: str


_TYPED = msgspec.json.Decoder(_Typed)
_DECODERS = {start: msgspec.json.Decoder(kind) for start, kind in KINDS.items()}


def read_event(value: bytes) -> AnyEvent:
    """The event in a message's value.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is none.
    """
    found = _TYPED.decode(value).type
    # org.repmon.customer.suspended.v1
    decoder = _DECODERS.get(found.rsplit(".", 2)[0])
    if decoder is None:
        raise msgspec.ValidationError(f"{found!r} is not one of our types - at `$.type`")
    return decoder.decode(value)
