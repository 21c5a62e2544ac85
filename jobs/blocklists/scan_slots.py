"""The turns of zones, as they are stored between two scans and over a restart."""

from collections.abc import Mapping

from jobs.blocklists.schedule import Turn
from schemas.times import utc_time
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
            "asked": [utc_time(each.asked_ms) for each in turns.values()],
            "questions": [each.questions for each in turns.values()],
            "due": [utc_time(each.due_ms) for each in turns.values()],
            "place": [each.place for each in turns.values()],
            "updated": [utc_time(now_ms)] * len(turns),
        },
    )
