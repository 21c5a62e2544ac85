"""A mapping that remembers the latest only."""

from collections import OrderedDict
from typing import Generic, TypeVar

#: How many ids of events are remembered.
REMEMBERED = 100_000
K = TypeVar("K")
V = TypeVar("V")


class Latest(Generic[K, V]):
    """A mapping of bounded size: the entry that was put longest ago goes first."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def put(self, key: K, value: V) -> None:
        """Remember an entry as the latest."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def get(self, key: K) -> V | None:
        """The value, or None where it is not known (any more)."""
        return self._entries.get(key)

    def drop(self, key: K) -> None:
        """Forget an entry, if it is there."""
        self._entries.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)
