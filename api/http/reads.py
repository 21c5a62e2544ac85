"""Which customers' data operators read, on record in `audit`: who, of whom, by which route, how often.

A read is noted in memory and stored a second later by a thread of its own, all reads of one key, customer and route
together in one row; so it costs the request nothing. What cannot be stored is kept and tried again. Where too much is
waiting, operators read nothing more until it is stored: what cannot be put on record is not shown.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from secrets import token_hex
from typing import NamedTuple

from api.http.pool import StorePool
from jobs.operator.audit import READ, Decision, record_decisions
from schemas.times import utc_time
from streams.io.store import StoreError

#: How long a read waits at most before it is stored, in s.
EVERY_S = 1.0
#: So many rows may wait.
MOST = 100_000

log = logging.getLogger("repmon.api")


class Read(NamedTuple):
    """A read: by whom (the label and the id of a key), of which customer ('' for several), by which route."""

    who: str
    customer: str
    route: str


class ReadLog:
    """Keeps the record. Any thread may note a read; `close` stores what waits."""

    def __init__(self, stores: StorePool, clock: Callable[[], int], every_s: float = EVERY_S) -> None:
        """`clock` gives epoch ms."""
        self._stores = stores
        self._clock = clock
        self._every_s = every_s
        self._lock = threading.Lock()
        self._waiting: Counter[Read] = Counter()
        #: Taken from those, with the time they are stored under: a row that is stored twice is one.
        self._taken: list[Decision] = []
        self._storing = threading.Lock()
        self._due = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        #: With the time it tells the rows of each interface and moment apart: none stands for two.
        self._name = token_hex(4)
        self._stored_ms = 0

    def note(self, read: Read) -> bool:
        """Put a read on record; False where there is no room for it."""
        with self._lock:
            if len(self._waiting) + len(self._taken) >= MOST and read not in self._waiting:
                return False
            self._waiting[read] += 1
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="reads", daemon=True)
                self._thread.start()
        return True

    def close(self) -> None:
        """Store what waits, and end. What cannot be stored is logged."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._due.set()
        if thread is not None:
            thread.join()
        if not self.store():
            log.error("%d records of what operators read are lost: the store does not answer", len(self._taken))

    def store(self) -> bool:
        """Store what waits now; False if the store failed."""
        with self._storing:
            with self._lock:
                self._stored_ms = max(self._clock(), self._stored_ms + 1)
                self._taken += self._rows()
                self._waiting = Counter()
            if not self._taken:
                return True
            try:
                with self._stores.lend() as store:
                    record_decisions(store, self._taken)
            except StoreError as error:
                log.warning("what operators read is stored later: %s", error)
                return False
            with self._lock:
                self._taken = []
            return True

    def _run(self) -> None:
        while not self._due.wait(self._every_s):
            self.store()

    def _rows(self) -> list[Decision]:
        time = utc_time(self._stored_ms)
        return [
            Decision(time, read.who, READ, read.customer, read.route, "", {"times": times, "interface": self._name})
            for read, times in self._waiting.items()
        ]
