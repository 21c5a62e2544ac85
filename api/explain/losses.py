"""What intake could not read any more, so that it is counted nowhere: for pictures and what happened."""

from typing import NamedTuple

from streams.io.store import Store

LOSSES = """
SELECT toUnixTimestamp64Milli(incidents.time) AS time_ms, source, lost FROM incidents FINAL
WHERE kind IN ('gap', 'deleted', 'missing') AND incidents.time >= fromUnixTimestamp64Milli({since:Int64})
ORDER BY time_ms DESC, source LIMIT {limit:UInt32}
"""
#: More are not shown.
MOST = 50


class Loss(NamedTuple):
    """So many messages (0: nobody knows how many) of a source were gone when that was noticed (epoch ms)."""

    time_ms: int
    source: str
    lost: int

    @property
    def said(self) -> str:
        """`1,204 messages of mail.events/3 were lost: no rate has them.`"""
        if self.lost == 1:
            return f"A message of {self.source} was lost: no rate has it"
        number = f"{self.lost:,} messages" if self.lost else "Messages"
        return f"{number} of {self.source} were lost: no rate has them"


def read_losses(store: Store, since_ms: int) -> list[Loss]:
    """Those noticed since a time (epoch ms), the latest first.

    Raises:
        StoreError: the store failed.
    """
    rows = store.rows(LOSSES, {"since": max(0, since_ms), "limit": MOST})
    return [Loss(int(time_ms), str(source), int(lost)) for time_ms, source, lost in rows]
