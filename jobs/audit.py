"""What people decided, one row each, only ever added (table `audit`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from streams.store import Store

NOTED = """
SELECT count() FROM audit
WHERE time = {time:DateTime64(3, 'UTC')} AND action = {action:String} AND customer = {customer:String}
    AND subject = {subject:String} AND who = {who:String}
"""


class Decision(NamedTuple):
    """Who did what (`action`) to what (`subject`, within `customer` if it has one), when (UTC) and why."""

    time: datetime
    who: str
    action: str
    customer: str
    subject: str
    why: str
    detail: Mapping[str, Any]


def note(store: Store, decision: Decision) -> None:
    """Add the row.

    Raises:
        StoreError: the store failed.
    """
    columns = decision._asdict() | {"detail": msgspec.json.encode(decision.detail).decode()}
    store.insert("audit", {name: [value] for name, value in columns.items()})


def is_noted(store: Store, decision: Decision) -> bool:
    """Whether its row is there.

    Raises:
        StoreError: the store failed.
    """
    asked = {name: getattr(decision, name) for name in ("time", "who", "action", "customer", "subject")}
    ((found,),) = store.rows(NOTED, asked)
    return bool(found)
