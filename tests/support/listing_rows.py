"""What was said of a listing, as the store has it."""

import itertools
from datetime import UTC, datetime
from typing import Any

from tests.support.api_client import NOW
from tests.support.judging import Ground

IP = "192.0.2.1"
_ids = itertools.count()


def said(ground: Ground, type_: str, back: int, **fields: Any) -> None:
    """A blocklist event `back` seconds before now."""
    row = {"resource": IP, "kind": "ip", "zone": "bl.example", "weight": "major", "confirmed": True, **fields}
    row |= {"time": datetime.fromtimestamp(NOW - back, UTC), "type": type_, "id": f"event{next(_ids)}"}
    ground.store.insert("listing_events", {name: [value] for name, value in row.items()})
