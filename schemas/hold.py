"""Holds: alerts that nobody acts on until an operator has looked: many customers rose at once, or an incident may be
the cause."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import msgspec

from schemas.alert import HoldReason
from schemas.customer_event import decision_id
from schemas.wording import rfc3339

HOLD_SOURCE = "/repmon/holds"
#: What happens to a hold.
HoldEventKind = Literal["began", "confirmed", "released", "ended"]

#: So many customers are named in the event of a decision.
NAMED = 100
HOLD_TYPE = "org.repmon.hold.{kind}.v1"
#: The schema of `data`, in schemas/json/reputation.holds.schema.json, whose `$id` this begins with.
HOLD_DATA = "urn:repmon:reputation.holds#/$defs/Hold"


class DecisionOnHold(msgspec.Struct, frozen=True, kw_only=True):
    """Who confirmed or released what is held, when (epoch ms, UTC) and why, of how many customers (`count`). The first
    hundred of them by name are in `customers`."""

    by: str
    why: str
    time_ms: int
    count: int
    customers: tuple[str, ...] = ()


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold. Times are epoch ms, UTC.

    Held is what rose to `excessive` or worse after `from_ms` and until `until_ms`, when somebody was held last;
    `began_ms` is when the first was. `customers` is how many customers newly rose within `minutes`, more than `limit`
    (0 where the reason is an incident, which has no limit). `ended_ms` is when it was seen to be over, with nothing
    left to decide. `decision` is only of the event of one.
    """

    id: str
    reason: HoldReason
    began_ms: int
    from_ms: int
    until_ms: int
    customers: int
    limit: int = 0
    minutes: float = 0.0
    ended_ms: int | None = None
    decision: DecisionOnHold | None = None

    @property
    def over_ms(self) -> int:
        """Nobody comes into it after this time (epoch ms), unless it goes on before."""
        return self.until_ms + round(self.minutes * 60_000)


class HoldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The CloudEvent that operators get when a hold begins, when what is held is confirmed or released, and when it is
    over (`type` says which). A repeat has the same id, and a consumer drops it. `time` is RFC 3339, UTC."""

    id: str
    subject: str
    time: str
    data: Hold
    type: str = HOLD_TYPE.format(kind="began")
    specversion: Literal["1.0"] = "1.0"
    source: str = HOLD_SOURCE
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = HOLD_DATA


def hold_id(now_ms: int, minutes: float) -> str:
    """The id of a hold by the brake that begins now (epoch ms): 16 hex digits. Several monitors that see it begin
    within the same `minutes` give it the same id."""
    period = now_ms // max(1, round(minutes * 60_000))
    return blake2b(f"brake {minutes} {period}".encode(), digest_size=8).hexdigest()


def hold_event(hold: Hold, kind: Literal["began", "ended"], time: str) -> HoldEvent:
    """The event of its begin or end."""
    return HoldEvent(id=f"{hold.id}-{kind}", type=HOLD_TYPE.format(kind=kind), subject=hold.id, time=time, data=hold)


def hold_decided(
    hold: Hold, kind: Literal["confirmed", "released"], customers: Sequence[str], by: str, why: str, now_ms: int
) -> HoldEvent:
    """The event of what somebody decided at `now_ms` (epoch ms) of some who are held."""
    decision = DecisionOnHold(
        by=by, why=why, time_ms=now_ms, count=len(customers), customers=tuple(sorted(customers)[:NAMED])
    )
    return HoldEvent(
        id=decision_id(kind, hold.id, str(now_ms), *sorted(customers)),
        type=HOLD_TYPE.format(kind=kind),
        subject=hold.id,
        time=rfc3339(now_ms),
        data=msgspec.structs.replace(hold, decision=decision),
    )
