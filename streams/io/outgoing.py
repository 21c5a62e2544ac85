"""Events of what people decided, which commands have no broker to send, and of holds and incidents that monitors found:
stored as to be sent, sent by a monitor, then stored as sent. Who stops in between leaves them to the next try, which
sends them under the same ids. So whoever reads one from its topic finds it here, unless somebody else wrote it there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from schemas.alert import AlertEvent
from schemas.breaker_event import BreakerEvent
from schemas.customer_event import CustomerEvent
from schemas.events import read_event
from schemas.hold import HoldEvent
from schemas.incident import IncidentEvent
from schemas.times import DAY_MS, MINUTE_MS, utc_now_ms, utc_time
from schemas.topics import REPUTATION_ALERTS, REPUTATION_HOLDS, REPUTATION_INCIDENTS
from streams.io.store import Store, portions

DecisionEvent = BreakerEvent | CustomerEvent | HoldEvent | IncidentEvent

TOPICS: dict[type[DecisionEvent], str] = {
    CustomerEvent: REPUTATION_ALERTS,
    HoldEvent: REPUTATION_HOLDS,
    BreakerEvent: REPUTATION_HOLDS,
    IncidentEvent: REPUTATION_INCIDENTS,
}

#: In order of what they are about. A row as sent may be gone before one as unsent, hence no old ones.
UNSENT = """
SELECT event, toUnixTimestamp64Milli(due), toUnixTimestamp64Micro(updated)
FROM outgoing_events FINAL
WHERE NOT sent AND due <= fromUnixTimestamp64Milli({at:Int64}) AND due > fromUnixTimestamp64Milli({since:Int64})
ORDER BY due, updated, id
LIMIT 1000
"""
COUNT = """
SELECT count(), toUnixTimestamp64Milli(min(due))
FROM outgoing_events FINAL
WHERE NOT sent AND due <= fromUnixTimestamp64Milli({at:Int64}) AND due > fromUnixTimestamp64Milli({since:Int64})
"""
KNOWN = """
SELECT id, event FROM outgoing_events FINAL
WHERE id IN {ids:Array(String)} AND due <= fromUnixTimestamp64Milli({at:Int64})
"""
MOST_MS = 30 * DAY_MS
#: Clocks may differ by so much.
AHEAD_MS = MINUTE_MS


class Outgoing(NamedTuple):
    """An event that is to be sent from `due_ms` (epoch ms, UTC) on, and when it was stored (epoch µs)."""

    event: DecisionEvent
    due_ms: int
    stored_us: int = 0


def store_outgoing(store: Store, events: Sequence[Outgoing]) -> list[Outgoing]:
    """Write events as to be sent; returns them as they are stored.

    Raises:
        StoreError: the store failed.
    """
    # The machine's clock, whatever time was decided by: of two rows the one written later counts.
    now_us = utc_now_ms() * 1000
    stored = [each._replace(stored_us=now_us) for each in events]
    _store(store, stored, sent=False)
    return stored


def store_sent(store: Store, events: Sequence[Outgoing]) -> None:
    """Write events as sent, as they were read.

    Raises:
        StoreError: the store failed.
    """
    # Not by the clock, which may be behind that of whoever stored them.
    _store(store, [each._replace(stored_us=each.stored_us + 1) for each in events], sent=True)


def withdraw_outgoing(store: Store, event: Outgoing) -> None:
    """An event is not to be sent, if it was not yet.

    Raises:
        StoreError: the store failed.
    """
    _store(store, [event._replace(stored_us=utc_now_ms() * 1000)], sent=True)


def count_unsent(store: Store, now_ms: int) -> tuple[int, int]:
    """How many events are due and not sent, and since when the first is due (epoch ms; 0 where none is).

    Raises:
        StoreError: the store failed.
    """
    ((count, since_ms),) = store.rows(COUNT, {"at": now_ms, "since": max(0, now_ms - MOST_MS)})
    return int(count), int(since_ms)


def _store(store: Store, events: Sequence[Outgoing], *, sent: bool) -> None:
    if events:
        store.insert(
            "outgoing_events",
            {
                "id": [each.event.id for each in events],
                "due": [utc_time(each.due_ms) for each in events],
                "topic": [TOPICS[type(each.event)] for each in events],
                "event": [msgspec.json.encode(each.event).decode() for each in events],
                "sent": [sent] * len(events),
                "updated": [_time_us(each.stored_us) for each in events],
            },
        )


def unsent(store: Store, now_ms: int) -> list[Outgoing]:
    """What is to be sent now, in order, at most 1,000.

    Raises:
        StoreError: the store failed.
    """
    asked = {"at": now_ms, "since": max(0, now_ms - MOST_MS)}
    return [
        Outgoing(_decision(str(event)), int(due), int(updated)) for event, due, updated in store.rows(UNSENT, asked)
    ]


def known_outgoing(store: Store, ids: Sequence[str], now_ms: int) -> dict[str, str]:
    """Of these ids those under which an event is to be sent by `now_ms` (epoch ms), or was, and the event as JSON; its
    `source` names no deployment.

    Raises:
        StoreError: the store failed.
    """
    return {
        str(id_): str(event)
        for part in portions(store, ids)
        for id_, event in store.rows(KNOWN, {"ids": part, "at": now_ms + AHEAD_MS})
    }


def _decision(text: str) -> DecisionEvent:
    event = read_event(text.encode())
    if isinstance(event, AlertEvent):
        raise TypeError(f"an alert is sent with its state, not by itself: {event.id}")
    return event


def _time_us(epoch_us: int) -> datetime:
    return utc_time(epoch_us // 1000) + timedelta(microseconds=epoch_us % 1000)
