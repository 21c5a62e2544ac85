"""Bounces that came after the delivery, of formats that do not say so: the recipient must count once, as failed.

Of each delivery of such a format a hash is kept, with those of messages (streams/intake/cohorts.py). A bounce whose
delivery is found, among what is stored or what is about to be, is a late one.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from xxhash import xxh3_64_intdigest

from schemas.event import MailEvent
from schemas.times import DAY_MS
from streams.intake.cohorts import Delivered
from streams.io.store import Store

#: For how many days after a delivery a bounce is looked for. Hosts that forward mail give up after five (RFC 5321
#: section 4.5.4.1).
MOST_DAYS = 7
#: Keeps these hashes apart from those of messages.
_SEED = 1
#: Nothing to look for.
NONE = 0

DELIVERED = """
SELECT DISTINCT hash FROM sent_messages
WHERE hash IN {hashes:Array(UInt64)} AND day >= toDate({since:UInt16})
"""


def delivery_hash(event: MailEvent) -> int:
    """What a delivery and a later bounce have in common: customer, message, recipient; `NONE` where one is missing."""
    if not event.message_id or not event.recipient_hash:
        return NONE
    return xxh3_64_intdigest(f"{event.customer}\0{event.message_id}\0{event.recipient_hash}".encode(), _SEED)


def asked_of(event: MailEvent) -> int:
    """The delivery that an event may have come after; `NONE` for all but bounces that do not say it themselves."""
    return delivery_hash(event) if event.type == "bounced" and not event.asynchronous else NONE


def note_deliveries(delivered: Delivered, events: Sequence[MailEvent], times: Sequence[int]) -> None:
    """Add the deliveries among events, each with its time in epoch ms."""
    pairs = zip(events, times, strict=True)
    found = [(delivery_hash(event), time) for event, time in pairs if event.type == "delivered"]
    delivered.hashes.extend([each for each, _ in found if each != NONE])
    delivered.times.extend([time for each, time in found if each != NONE])


def known_deliveries(store: Store, asked: Iterable[tuple[int, int]], about_to_be: Iterable[Delivered]) -> set[int]:
    """Which of these deliveries took place: pairs of a hash, or `NONE`, and the time of the bounce (epoch ms, UTC). One
    query, if any.

    Raises:
        StoreError: the store failed.
    """
    pairs = [pair for pair in asked if pair[0] != NONE]
    if not pairs:
        return set()
    wanted = np.unique(np.array([each for each, _ in pairs], np.uint64))
    since = max(0, min(time for _, time in pairs) // DAY_MS - MOST_DAYS)
    found = {int(each) for (each,) in store.rows(DELIVERED, {"hashes": wanted.tolist(), "since": since})}
    for each in about_to_be:
        found.update(np.intersect1d(np.frombuffer(each.hashes, np.uint64), wanted).tolist())
    return found
