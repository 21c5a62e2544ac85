"""That a hook's breaker opened, or was closed, as CloudEvents 1.0 in JSON (topic `reputation.holds`, among holds)."""

from typing import Literal

import msgspec

from schemas.customer_event import decision_id
from schemas.wording import rfc3339

#: Nobody is acted on any more until a person has looked; then a person closed it.
BreakerEventKind = Literal["opened", "closed"]

BREAKER_SOURCE = "/repmon/hook"
BREAKER_TYPE = "org.repmon.breaker.{kind}.v1"
#: The schema of `data`, in schemas/json/reputation.holds.breaker.schema.json, whose `$id` this begins with.
BREAKER_DATA = "urn:repmon:reputation.holds.breaker#/$defs/BreakerChange"
#: Of which hook it is.
BREAKER_SUBJECT = "suspend-hook"


class BreakerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the breaker, when (`time_ms`, epoch ms, UTC), by whom (the hook itself, or a person) and why."""

    kind: BreakerEventKind
    by: str
    why: str
    time_ms: int


class BreakerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The CloudEvent. A repeat has the same id, and a consumer drops it. `time` is RFC 3339, UTC."""

    id: str
    subject: str
    time: str
    data: BreakerChange
    type: str
    specversion: Literal["1.0"] = "1.0"
    source: str = BREAKER_SOURCE
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = BREAKER_DATA


def breaker_event(change: BreakerChange) -> BreakerEvent:
    """The event of a change; of the same change always the same."""
    return BreakerEvent(
        id=decision_id("breaker", change.kind, str(change.time_ms)),
        subject=BREAKER_SUBJECT,
        time=rfc3339(change.time_ms),
        data=change,
        type=BREAKER_TYPE.format(kind=change.kind),
    )
