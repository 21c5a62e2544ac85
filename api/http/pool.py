"""Store connections for request threads: each is lent to one request at a time, and opened when first needed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from schemas.settings import Api
from streams.io.store import QueryLimits, Store, StoreError

#: Connections for requests; for the queries that requests share, and what is asked and kept around all.
SIZE, SPARE = 8, 6
#: So many requests that share queries are answered at once.
GATHERED = 24
WAIT_S = 5.0
#: What one query may hold in memory and give back.
MEMORY, RESULT_ROWS, RESULT_BYTES = 1_000_000_000, 1_000_000, 200_000_000


def query_limits(api: Api) -> QueryLimits:
    """What a query of a request may take."""
    return QueryLimits(
        seconds=api.query_s,
        rows=api.query_rows,
        bytes=api.query_bytes,
        memory=MEMORY,
        result_rows=RESULT_ROWS,
        result_bytes=RESULT_BYTES,
    )


class StorePool:
    """At most `size` connections. A connection that failed is closed, not used again."""

    def __init__(self, open_store: Callable[[], Store], size: int = SIZE, wait_s: float = WAIT_S) -> None:
        self._open = open_store
        self._places = BoundedSemaphore(size)
        self._wait_s = wait_s
        self._idle: list[Store] = []
        self._closed = False
        self._lock = Lock()

    @contextmanager
    def lend(self) -> Iterator[Store]:
        """One connection for the caller alone.

        Raises:
            StoreError: the store cannot be reached, or no connection came free within `wait_s` seconds.
        """
        if not self._places.acquire(timeout=self._wait_s):
            raise StoreError(f"no connection to the store came free within {self._wait_s:g} s")
        try:
            store = self._take() or self._open()
            usable = True
            try:
                yield store
            except StoreError:
                usable = False
                raise
            finally:
                self._give_back(store, usable)
        finally:
            self._places.release()

    def close(self) -> None:
        """Close the idle connections now, and those on loan when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for store in idle:
            store.close()

    def _take(self) -> Store | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, store: Store, usable: bool) -> None:
        with self._lock:
            keep = usable and not self._closed
            if keep:
                self._idle.append(store)
        if not keep:
            store.close()
