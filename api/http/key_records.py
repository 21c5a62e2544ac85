"""What is put on record of keys that are made, rotated and revoked, over HTTP or on the command line."""

from api.http.keys import KeyOwner
from jobs.operator.audit import Decision
from schemas.times import utc_time

MADE, ROTATED, REVOKED = "key made", "key rotated", "key revoked"


def key_decision(now_ms: int, who: str, action: str, owner: KeyOwner, why: str, **detail: str) -> Decision:
    """The row of `audit`; `now_ms` is epoch ms. No part of a key is in it."""
    told = {"scopes": list(owner.scopes), "label": owner.label, **detail}
    return Decision(utc_time(now_ms), who, action, owner.customer, owner.id, why, told)
