"""Messages whose events the store does not know yet. What is sent is stored before, but the replica that is asked may
be behind the one that took it: so nothing is refused before it had its time. Time is passed in (epoch ms)."""

from collections.abc import Iterable, Sequence

from jobs.notify.source import EventMessage
from schemas.times import SECOND_MS
from streams.alerts.known import REPLICATED_MS

#: How often the store is asked again where nothing new came.
ASK_MS = SECOND_MS
#: So many messages are kept, of so many bytes together; those of a flood beyond that have no more time.
MOST, MOST_BYTES = 1_000, 16_000_000


class Doubts:
    """In the order in which they came, so that the order of each customer holds."""

    def __init__(self) -> None:
        self._since: dict[EventMessage, int] = {}
        self._asked_ms = 0

    def __bool__(self) -> bool:
        return bool(self._since)

    def __contains__(self, message: EventMessage) -> bool:
        return message in self._since

    def before(self, came: Sequence[EventMessage], now_ms: int) -> list[EventMessage]:
        """What is to be looked at now: those in doubt, if it is time for them or others came, and what came."""
        if not self._since or (not came and 0 <= now_ms - self._asked_ms < ASK_MS):
            return list(came)
        self._asked_ms = now_ms
        return [*self._since, *came]

    def have_time(self, messages: Iterable[EventMessage], now_ms: int) -> set[EventMessage]:
        """Which of those that are not known now stay in doubt; all others of before are out of it."""
        kept: dict[EventMessage, int] = {}
        size = 0
        for each in messages:
            since_ms = self._since.get(each, now_ms)
            size += len(each.value)
            if 0 <= now_ms - since_ms < REPLICATED_MS and len(kept) < MOST and size <= MOST_BYTES:
                kept[each] = since_ms
        self._since = kept
        return set(kept)

    def forget(self, readers: Iterable[str]) -> None:
        """Another process reads these partitions now."""
        gone = set(readers)
        self._since = {each: since_ms for each, since_ms in self._since.items() if each.reader not in gone}
