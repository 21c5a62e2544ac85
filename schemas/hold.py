"""Holds: alerts that nobody acts on until an operator has looked, since many customers rose at once."""

from hashlib import blake2b
from typing import Literal

import msgspec

from schemas.alert import HoldReason

HOLD_SOURCE = "/repmon/holds"
#: The schema of `data`, in schemas/json/reputation.holds.schema.json, whose `$id` this begins with.
HOLD_DATA = "urn:repmon:reputation.holds#/$defs/Hold"


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold. Times are epoch ms, UTC.

    Held is what rose to `excessive` or worse after `from_ms` and until `until_ms`, when somebody was held last;
    `began_ms` is when the first was. `customers` is how many customers newly rose within `minutes`, more than `limit`
    (0 where the reason is an incident, which has no limit).
    """

    id: str
    reason: HoldReason
    began_ms: int
    from_ms: int
    until_ms: int
    customers: int
    limit: int = 0
    minutes: float = 0.0


class HoldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The CloudEvent that operators get when a hold begins. A repeat has the same id, and a consumer drops it. `time`
    is RFC 3339, UTC."""

    id: str
    subject: str
    time: str
    data: Hold
    type: Literal["org.repmon.hold.began.v1"] = "org.repmon.hold.began.v1"
    specversion: Literal["1.0"] = "1.0"
    source: str = HOLD_SOURCE
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = HOLD_DATA


def hold_id(now_ms: int, minutes: float) -> str:
    """The id of a hold by the brake that begins now (epoch ms): 16 hex digits. Several monitors that see it begin
    within the same `minutes` give it the same id."""
    period = now_ms // max(1, round(minutes * 60_000))
    return blake2b(f"brake {minutes} {period}".encode(), digest_size=8).hexdigest()


def hold_event(hold: Hold, time: str) -> HoldEvent:
    """The event of its begin."""
    return HoldEvent(id=f"{hold.id}-began", subject=hold.id, time=time, data=hold)
