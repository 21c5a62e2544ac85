"""While the intake is behind, a part of somebody's mail may be counted and another not: bounces come through one topic,
deliveries through another, and after a pause one is read before the other. Rates of that accuse everybody.

So who would newly be excessive or worse by such a rate waits until the intake has caught up, but not for ever: where it
never does, the brake and people decide. It is asked only when somebody alarms.
"""

import logging
from collections.abc import Callable, Iterable

log = logging.getLogger("repmon.monitor")

#: Who waits is judged again after so long, in ms.
AGAIN_MS = 5_000


class HalfCounted:
    """Knows who waits. One thread at a time."""

    def __init__(self, is_behind: Callable[[int], bool], wait_ms: int) -> None:
        """`is_behind` says, given the time (epoch ms), whether the intake is. Nobody waits longer than `wait_ms`."""
        self._is_behind = is_behind
        self._wait_ms = wait_ms
        self._since: dict[str, int] = {}
        #: Since when somebody waits (epoch ms); 0 while nobody does.
        self.since_ms = 0

    def look(self, now_ms: int) -> None:
        """Look whether it is, so that it is known when somebody alarms."""
        self._is_behind(now_ms)

    def waiting(self, alarmed: Iterable[str], now_ms: int) -> dict[str, int]:
        """Which of those who alarm by their mail wait, and until when they are judged again (epoch ms)."""
        some = sorted(set(alarmed))
        if not some:
            return {}
        if not self._is_behind(now_ms):
            if self.since_ms:
                log.warning("the intake has caught up: who waited is judged")
            self._since, self.since_ms = {}, 0
            return {}
        found = {
            each: min(now_ms + AGAIN_MS, since + self._wait_ms)
            for each in some
            if 0 <= now_ms - (since := self._since.setdefault(each, now_ms)) < self._wait_ms
        }
        if found and not self.since_ms:
            log.warning("the intake is behind: who would newly be excessive waits until what came before is counted")
            self.since_ms = now_ms
        return found
