"""A listing that began a moment ago may be the first of many: who alarms by it waits until the others had time to come.

The listings of one scan come through several partitions, and are not stored at the same moment.
"""

from collections.abc import Iterable

from schemas.times import MINUTE_MS
from streams.io.store import Store
from streams.listings.exposure import EXPOSING

#: So long nothing new must have come, ...
SETTLED_MS = 3_000
#: ... but nobody waits longer than this.
MOST_MS = 15_000
#: What began longer ago has settled.
RECENT_MS = 15 * MINUTE_MS

RECENT = """
SELECT resource, zone, toUnixTimestamp64Milli(time) FROM listing_events
WHERE time >= fromUnixTimestamp64Milli({since:Int64}) AND type IN ('listed', 'still_listed')
    AND weight IN {weights:Array(String)}
"""


class Settling:
    """Knows when each recent listing was first seen. One thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[str, str, int], int] = {}
        self._since: dict[str, int] = {}

    def waiting(self, customers: Iterable[str], now_ms: int) -> dict[str, int]:
        """Which of those who alarm by a listing wait, and until when (epoch ms).

        Raises:
            StoreError: the store failed.
        """
        alarmed = sorted(set(customers))
        if not alarmed:
            return {}
        asked = {"since": now_ms - RECENT_MS, "weights": list(EXPOSING)}
        recent = {(str(name), str(zone), int(at)) for name, zone, at in self._store.rows(RECENT, asked)}
        self._seen = {each: min(self._seen.get(each, now_ms), now_ms) for each in recent}
        self._since = {each: since for each, since in self._since.items() if 0 <= now_ms - since < 2 * MOST_MS}
        settled_ms = max(self._seen.values(), default=0) + SETTLED_MS
        if settled_ms <= now_ms:
            return {}
        return {each: settled_ms for each in alarmed if now_ms - self._since.setdefault(each, now_ms) < MOST_MS}
