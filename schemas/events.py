"""Whatever event of ours: read by its `type`."""

from typing import get_args

import msgspec

from schemas.alert import ALERT_TYPE, AlertEvent, TransitionKind
from schemas.breaker_event import BREAKER_TYPE, BreakerEvent, BreakerEventKind
from schemas.customer_event import CUSTOMER_TYPE, CustomerEvent, CustomerEventKind
from schemas.hold import HOLD_TYPE, HoldEvent, HoldEventKind
from schemas.incident import INCIDENT_TYPE, IncidentEvent, IncidentEventKind

AnyEvent = AlertEvent | BreakerEvent | CustomerEvent | HoldEvent | IncidentEvent

#: By what their types begin with; docs/alerts.md has all types.
KINDS: dict[str, type[AnyEvent]] = {
    "org.repmon.alert": AlertEvent,
    "org.repmon.breaker": BreakerEvent,
    "org.repmon.customer": CustomerEvent,
    "org.repmon.hold": HoldEvent,
    "org.repmon.incident": IncidentEvent,
}

#: All types of each.
TYPES: dict[type[msgspec.Struct], tuple[str, ...]] = {
    AlertEvent: tuple(ALERT_TYPE.format(kind=kind) for kind in get_args(TransitionKind)),
    CustomerEvent: tuple(CUSTOMER_TYPE.format(kind=kind) for kind in get_args(CustomerEventKind)),
    HoldEvent: tuple(HOLD_TYPE.format(kind=kind) for kind in get_args(HoldEventKind)),
    BreakerEvent: tuple(BREAKER_TYPE.format(kind=kind) for kind in get_args(BreakerEventKind)),
    IncidentEvent: tuple(INCIDENT_TYPE.format(kind=kind) for kind in get_args(IncidentEventKind)),
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
