"""Which alerts the store knows, asked for many at once by those who read them from the topic."""

from collections.abc import Sequence

import msgspec

from schemas.alert import AlertEvent
from schemas.times import SECOND_MS
from streams.io.store import ArrayParameter, Store, portions

#: How long the replica that is asked may be behind the one in which an alert was stored before it was sent.
REPLICATED_MS = 10 * SECOND_MS

STORED = """
SELECT event FROM alerts WHERE customer IN {customers:Array(String)} AND id IN {ids:Array(String)}
"""
#: An alert is stored with its state before it is sent, and as sent after. Who finds it in neither looks once more among
#: the sent ones: it may have become one in between.
UNSENT = "SELECT arrayJoin(unsent) FROM alert_states WHERE customer IN {customers:Array(String)} AND notEmpty(unsent)"

_event = msgspec.json.Decoder(AlertEvent).decode


def stored_alerts(store: Store, events: Sequence[AlertEvent]) -> dict[tuple[str, str], AlertEvent]:
    """Of these alerts those that are known, as they were sent or are about to be, by customer and id.

    Raises:
        StoreError: the store failed.
    """
    found: dict[tuple[str, str], AlertEvent] = {}
    for sql in (STORED, UNSENT, STORED):
        missing = [each for each in events if (each.data.customer, each.id) not in found]
        customers = sorted({each.data.customer for each in missing})
        for part in portions(store, customers):
            asked: dict[str, object] = {"customers": part}
            if sql == STORED:
                asked["ids"] = ArrayParameter(sorted({each.id for each in missing}))
            for (text,) in store.rows(sql, asked):
                event = _event(text)
                found[event.data.customer, event.id] = event
    return found
