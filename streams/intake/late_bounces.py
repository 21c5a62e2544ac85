"""Bounces that came after the delivery, of formats that do not say so: the recipient must count once, as failed.

Of each delivery of such a format a hash is kept, with those of messages (streams/intake/count.py). A bounce whose
delivery is found, among what is stored or what is about to be, is a late one.
"""

from collections.abc import Iterable

import numpy as np

from schemas.times import DAY_MS
from streams.intake.count import NO_DELIVERY, DeliveredMessages
from streams.io.store import Store

#: For how many days after a delivery a bounce is looked for. Hosts that forward mail give up after five (RFC 5321
#: section 4.5.4.1).
MOST_DAYS = 7

DELIVERED = """
SELECT DISTINCT hash FROM sent_messages
WHERE hash IN {hashes:Array(UInt64)} AND day >= toDate({since:UInt16})
"""


def known_deliveries(
    store: Store, asked: Iterable[tuple[int, int]], about_to_be: Iterable[DeliveredMessages]
) -> set[int]:
    """Which of these deliveries took place: pairs of a hash, or `NO_DELIVERY`, and the time of the bounce (epoch ms,
    UTC). One query, if any.

    Raises:
        StoreError: the store failed.
    """
    pairs = [pair for pair in asked if pair[0] != NO_DELIVERY]
    if not pairs:
        return set()
    wanted = np.unique(np.array([each for each, _ in pairs], np.uint64))
    since = max(0, min(time for _, time in pairs) // DAY_MS - MOST_DAYS)
    found = {int(each) for (each,) in store.rows(DELIVERED, {"hashes": wanted.tolist(), "since": since})}
    for each in about_to_be:
        found.update(np.intersect1d(np.frombuffer(each.hashes, np.uint64), wanted).tolist())
    return found
