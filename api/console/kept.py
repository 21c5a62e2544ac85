"""What pages showed last, for when the store does not answer; and what several viewers look at together."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from streams.io.store import QueryLimitError, QueryValueError, StoreError

T = TypeVar("T")
#: So many pages are kept.
MOST = 128


class Known(NamedTuple, Generic[T]):
    """Something that was read at `read_ms` (epoch ms); `down` where it could not be read again since."""

    value: T
    read_ms: int
    down: bool = False


class LastKnown(Generic[T]):
    """Reads what is asked for, and keeps it for `keep_ms`: who asks meanwhile is given the same. Where the store fails
    the last that is known is given. Any thread may ask; what is asked for at the same time is read once."""

    def __init__(self, keep_ms: int = 0, most: int = MOST) -> None:
        self._keep_ms = keep_ms
        self._most = most
        self._known: OrderedDict[Hashable, Known[T]] = OrderedDict()
        self._locks: dict[Hashable, threading.Lock] = {}
        #: What was read before the last `forget` is of an earlier one.
        self._generation = 0
        self._generations: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, now_ms: int, read: Callable[[], T]) -> Known[T]:
        """What `key` stands for at `now_ms` (epoch ms).

        Raises:
            StoreError: the store failed, and nothing is known.
        """
        with self._lock:
            one = self._locks.setdefault(key, threading.Lock())
        with one:
            known = self._known.get(key)
            generation = self._generation
            is_current = self._generations.get(key) == generation
            if known is not None and is_current and 0 <= now_ms - known.read_ms < self._keep_ms:
                return known
            try:
                found = Known(read(), now_ms)
            except (QueryLimitError, QueryValueError):
                raise
            except StoreError:
                if known is None:
                    with self._lock:
                        self._locks.pop(key, None)
                    raise
                return known._replace(down=True)
            self._put(key, found, generation)
            return found

    def forget(self) -> None:
        """Read everything again from now on; what is known is still given where the store fails."""
        with self._lock:
            self._generation += 1

    def _put(self, key: Hashable, found: Known[T], generation: int) -> None:
        with self._lock:
            self._known[key] = found
            self._generations[key] = generation
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                gone, _ = self._known.popitem(last=False)
                self._locks.pop(gone, None)
                self._generations.pop(gone, None)
