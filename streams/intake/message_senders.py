"""Whose a message was, by its id: for reports that hide sender and recipient and leave the Message-ID.

Of deliveries at providers that report complaints the customer is remembered for 45 days, where the place `message-id`
is configured. A report whose customer is to be found so waits in its batch until that is stored; then the store is
asked once for all of them. What nobody sent, or two customers did, is the default customer's, else a dead letter.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.times import DAY_MS, epoch_ms
from streams.adapt.mail_report import default_of
from streams.intake.batch import Batch
from streams.intake.unnamed import MessageSenders, Unnamed, id_hash
from streams.io.store import NumberParameter, Store

#: For how long who sent a message is remembered: the table's TTL.
KEPT_DAYS = 45
#: The last day that the store can tell (2149-06-06).
MOST_DAY = 0xFFFF
#: Two customers of one message are enough to know that it names nobody.
SENDERS = """
SELECT hash, groupUniqArray(2)(customer) FROM message_senders
WHERE hash IN {hashes:Array(UInt64)} AND day >= toDate({since:UInt16})
GROUP BY hash
"""


def senders_table(found: Sequence[MessageSenders]) -> pa.Table:
    """Rows of the `message_senders` table."""
    days = np.concatenate([np.frombuffer(each.times, np.int64) for each in found]) // DAY_MS
    return pa.table(
        {
            "day": np.clip(days, 0, MOST_DAY).astype(np.uint16),
            "hash": np.concatenate([np.frombuffer(each.hashes, np.uint64) for each in found]),
            "customer": [customer for each in found for customer in each.customers],
        }
    )


def name_senders(store: Store, batches: Sequence[Batch], now_ms: int) -> None:
    """Give the events that wait in these batches their customers; what names nobody becomes a dead letter. One query.

    Raises:
        StoreError: the store failed. Then nothing has changed.
    """
    waiting = [(batch, each) for batch in batches for each in batch.unnamed]
    if not waiting:
        return
    wanted = {id_hash(event.message_id) for _, each in waiting for event in each.events}
    since = max(0, now_ms // DAY_MS - KEPT_DAYS)
    known: dict[int, set[str]] = defaultdict(set)
    for found, customers in store.rows(SENDERS, {"hashes": NumberParameter(sorted(wanted)), "since": since}):
        known[int(found)].update(map(str, customers))
    for senders in (batch.senders for batch in batches if batch.senders is not None):
        for one, customer in zip(senders.hashes, senders.customers, strict=True):
            if one in wanted:
                known[one].add(customer)
    for batch, each in waiting:
        _name(batch, each, known)
    for batch in batches:
        batch.unnamed.clear()


def _name(batch: Batch, unnamed: Unnamed, known: dict[int, set[str]]) -> None:
    for event in unnamed.events:
        found = known.get(id_hash(event.message_id), set())
        default = default_of(event)
        event.customer = next(iter(found)) if len(found) == 1 else default
        if not event.customer:
            said = "two customers sent one with" if found else f"in the last {KEPT_DAYS} days nobody sent one with"
            reason = f"{said} the message id `{event.message_id[:200]}`, and no default customer is configured"
            batch.set_aside(unnamed.payload, unnamed.offset, unnamed.came_ms, reason)
            return
    for event in unnamed.events:
        batch.add_negative(event, unnamed.offset, epoch_ms(event.time))
