"""The turns of zones, as they are stored between two scans and over a restart."""

from collections.abc import Mapping
from datetime import UTC, datetime

from jobs.blocklists.schedule import Turn
from streams.io.store import Store

TURNS = """
SELECT zone, toUnixTimestamp64Milli(asked), questions, toUnixTimestamp64Milli(due), place
FROM blocklist_turns FINAL
ORDER BY zone
"""


def read_turns(store: Store) -> dict[str, Turn]:
    """The last turn of every zone that had one.

    Raises:
        StoreError: the store failed.
    """
    return {
        zone: Turn(asked_ms=int(asked_ms), questions=int(questions), due_ms=int(due_ms), place=int(place))
        for zone, asked_ms, questions, due_ms, place in store.rows(TURNS)
    }


def write_turns(store: Store, turns: Mapping[str, Turn], now_ms: int) -> None:
    """Store these turns; `now_ms` is epoch ms, UTC.

    Raises:
        StoreError: the store failed.
    """
    if not turns:
        return
    store.insert(
        "blocklist_turns",
        {
            "zone": list(turns),
            "asked": [_time(each.asked_ms) for each in turns.values()],
            "questions": [each.questions for each in turns.values()],
            "due": [_time(each.due_ms) for each in turns.values()],
            "place": [each.place for each in turns.values()],
            "updated": [_time(now_ms)] * len(turns),
        },
    )


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
