"""What was decided of a customer, as CloudEvents 1.0 in JSON (topic `reputation.alerts`, among its alerts)."""

from hashlib import blake2b
from typing import Literal

import msgspec

from schemas.wording import rfc3339

#: Suspended, that lifted, or given a fresh start, since which mail from before does not count.
CustomerEventKind = Literal["suspended", "unsuspended", "reinstated"]

CUSTOMER_SOURCE = "/repmon/customers"
CUSTOMER_TYPE = "org.repmon.customer.{kind}.v1"
#: The schema of `data`, in schemas/json/reputation.alerts.customer.schema.json, whose `$id` this begins with.
CUSTOMER_DATA = "urn:repmon:reputation.alerts.customer#/$defs/CustomerDecision"


class CustomerDecision(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided what of a customer, when (`decided_ms`) and why. `since_ms` is since when it is (or was) suspended,
    or of a fresh start since when mail counts. Times are epoch ms, UTC."""

    customer: str
    kind: CustomerEventKind
    by: str
    why: str
    decided_ms: int
    since_ms: int


class CustomerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The CloudEvent. A repeat has the same id, and a consumer drops it. `time` is RFC 3339, UTC."""

    id: str
    type: str
    subject: str
    time: str
    data: CustomerDecision
    specversion: Literal["1.0"] = "1.0"
    source: str = CUSTOMER_SOURCE
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = CUSTOMER_DATA


def customer_event(decision: CustomerDecision) -> CustomerEvent:
    """The event of a decision; of the same decision always the same."""
    return CustomerEvent(
        id=decision_id(decision.kind, decision.customer, str(decision.decided_ms)),
        type=CUSTOMER_TYPE.format(kind=decision.kind),
        subject=decision.customer,
        time=rfc3339(decision.decided_ms),
        data=decision,
    )


def decision_id(*parts: str) -> str:
    """The id of the event of a decision: 32 hex digits, of which parts it consists."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()
