"""What customers' own pages show, read once for all who look at the same customer at the same time.

A page costs many questions to the store, and a key has few places at once (`api.http.turns`). A portal that shows the
page in frames, or a customer with several windows, would take all of them, and wait.
"""

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from api.console.case.last import LastPages
from api.console.case.own import OwnFacts
from streams.io.store import StoreBusyError

#: What was read so long ago (ms) is as good as new; what is younger than this is shown while it is read again.
FRESH_MS, YOUNG_MS = 2_000, 30_000
#: How long it is waited for somebody else's reading, in s.
WAIT_S = 10.0
#: Customers share locks: two that have the same one are read one after the other.
LOCKS = 64


class OwnKept(NamedTuple):
    """What was read, as of when, and when that was done (epoch ms)."""

    facts: OwnFacts
    read_ms: int
    done_ms: int

    def is_younger(self, than_ms: int, now_ms: int) -> bool:
        """Whether it was done less than so long ago; not what a clock that was set back says is to come."""
        return 0 <= now_ms - self.done_ms < than_ms


class OwnPages:
    """Those that were shown last, and who reads. Any thread may ask; `clock` is epoch ms."""

    def __init__(self) -> None:
        self._last = LastPages[str, OwnKept]()
        self._locks = tuple(Lock() for _ in range(LOCKS))

    def find(self, customer: str) -> OwnKept | None:
        """What was shown last."""
        return self._last.find(customer)

    def read(self, customer: str, clock: Callable[[], int], read: Callable[[int], OwnFacts]) -> OwnKept:
        """What is known of a customer: as somebody read it a moment ago, or is reading it, or by `read` at a time.

        Raises:
            StoreError: the store failed, or somebody else's reading takes too long.
        """
        known, reading = self._last.find(customer), self._locks[crc32(customer.encode()) % LOCKS]
        if known and known.is_younger(FRESH_MS, clock()):
            return known
        is_young = known is not None and known.is_younger(YOUNG_MS, clock())
        if not reading.acquire(timeout=0 if is_young else WAIT_S):
            if known is None:
                raise StoreBusyError("the customer's page is being read for somebody else, and that takes long")
            return known
        try:
            known = self._last.find(customer)
            if known and known.is_younger(FRESH_MS, clock()):
                return known
            now_ms = clock()
            found = OwnKept(read(now_ms), now_ms, clock())
            self._last.keep(customer, found)
            return found
        finally:
            reading.release()
