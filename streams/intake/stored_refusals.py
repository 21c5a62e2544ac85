"""Reading who refused mail from whom (streams/intake/refusals.py) from the store."""

import numpy as np

from streams.intake.refusals import MOST, Refused
from streams.io.store import Store

REFUSALS = """
SELECT hash, toInt64(toUnixTimestamp64Milli(min(refusals.time)))
FROM refusals
WHERE came >= toDateTime({came:UInt32}) AND refusals.time >= fromUnixTimestamp64Milli({since:Int64})
GROUP BY hash
ORDER BY hash
LIMIT {most:UInt32}
"""


def refresh(refused: Refused, store: Store, now_ms: int) -> None:
    """Read what came since the last time, if that is a while before `now_ms` (epoch ms); the first time everything.

    Raises:
        StoreError: the store failed; what is held stays.
    """
    if (since := refused.read_from(now_ms)) is None:
        return
    came_s, oldest_ms = since
    asked = {"came": came_s, "since": oldest_ms, "most": MOST}
    refused.add(
        [(hashes.astype(np.uint64), times.astype(np.int64)) for hashes, times in store.blocks(REFUSALS, asked)], now_ms
    )
