"""When a changed customer is judged: at once, unless it was judged a moment ago. Pure; the caller passes the time.

A customer that rested since it was judged last is due at once. One that did not is due when its rest is over, once,
however often it changed meanwhile: a judgement reads what is stored then, so nothing of a change is lost by waiting.
Who is due is taken in the order in which they became due, so nobody is overtaken by others that change more often.

The rest is short while few customers are resting, so that an alert comes soon, and long when many are, so that
judging keeps up.

Held in memory: who is resting, who is due, and who is to be looked at again. That is at most each customer lately
active, however many changes come.
"""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from math import inf

from schemas.times import SECOND_MS


class JudgeQueue:
    """The work list of a monitor. Times are epoch ms and never go back."""

    def __init__(self, every_ms: int, soon_ms: int | None = None, few: int = 0) -> None:
        """A customer rests for `soon_ms` while at most `few` rest, else for `every_ms`."""
        self._every_ms = every_ms
        self._soon_ms = every_ms if soon_ms is None else min(soon_ms, every_ms)
        self._few = few
        #: Due now, in order (a dictionary keeps it, and holds each once).
        self._due: dict[str, None] = {}
        #: To be judged when there is room.
        self._spare: dict[str, None] = {}
        #: Who rests and since when; and the same by round, oldest first.
        self._taken: dict[str, int] = {}
        self._rounds: deque[tuple[int, list[str]]] = deque()
        #: Who rests and changed since.
        self._changed: set[str] = set()
        #: When to look again (epoch s), and the same by second. An entry of a second counts only if both agree.
        self._later: dict[str, int] = {}
        self._seconds: dict[int, set[str]] = {}

    def __len__(self) -> int:
        """How many wait, for whatever reason."""
        return len(self._due) + len(self._changed) + len(self._later) + len(self._spare)

    @property
    def held(self) -> int:
        """Entries in memory."""
        seconds = sum(map(len, self._seconds.values()))
        return (
            len(self._due) + len(self._spare) + len(self._changed) + 2 * len(self._taken) + len(self._later) + seconds
        )

    def changed(self, customers: Iterable[str]) -> None:
        """These have something new."""
        taken, due, changed = self._taken, self._due, self._changed
        for customer in customers:
            if customer in taken:
                changed.add(customer)
            else:
                due[customer] = None

    def enqueue_low_priority(self, customers: Iterable[str]) -> None:
        """These may have something new: they are taken a few at a time, along with those that are known to."""
        for customer in customers:
            if customer in self._taken:
                self._changed.add(customer)
            else:
                self._spare[customer] = None

    def schedule(self, customers: Iterable[tuple[str, int]]) -> None:
        """Look at these again at the time (epoch ms) given for each, unless they are judged before that."""
        for customer, at_ms in customers:
            second = -(-at_ms // SECOND_MS)
            if second < self._later.get(customer, inf):
                self._later[customer] = second
                self._seconds.setdefault(second, set()).add(customer)

    def take(self, now_ms: int, most: int, spare: int) -> list[str]:
        """Who is to be judged now: at most `most` of those due, and up to `spare` of the others."""
        self._release(now_ms)
        batch = list(dict.fromkeys([*islice(self._due, most), *islice(self._spare, spare)]))
        for customer in batch:
            self._taken[customer] = now_ms
            self._due.pop(customer, None)
            self._spare.pop(customer, None)
            self._later.pop(customer, None)
        if batch:
            self._rounds.append((now_ms, batch))
        return batch

    def due(self, now_ms: int) -> int:
        """How many are due."""
        self._release(now_ms)
        return len(self._due)

    def wait_ms(self, now_ms: int) -> float:
        """How long until somebody is due: 0 if somebody is, infinite if nobody waits for a time."""
        if self._due or self._spare:
            return 0
        # Every round is looked at when its time is over, so that it is not kept in memory for nothing.
        first = self._rounds[0][0] + self._rest_ms if self._rounds else inf
        second = min(self._seconds, default=inf) * SECOND_MS
        return max(0, min(first, second) - now_ms)

    def keep(self, ours: Callable[[str], bool]) -> None:
        """Forget everybody else: others judge them now."""
        for held in (self._due, self._spare):
            for customer in [each for each in held if not ours(each)]:
                del held[customer]
        for times in (self._taken, self._later):
            for customer in [each for each in times if not ours(each)]:
                del times[customer]
        self._changed = {each for each in self._changed if ours(each)}

    @property
    def _rest_ms(self) -> int:
        return self._soon_ms if len(self._taken) <= self._few else self._every_ms

    def _release(self, now_ms: int) -> None:
        """Whose rest is over becomes due."""
        while self._rounds and self._rounds[0][0] + self._rest_ms <= now_ms:
            then, customers = self._rounds.popleft()
            for customer in customers:
                if self._taken.get(customer) == then:
                    del self._taken[customer]
                    if customer in self._changed:
                        self._changed.discard(customer)
                        self._due[customer] = None
        for second in [each for each in self._seconds if each * SECOND_MS <= now_ms]:
            over = [each for each in self._seconds.pop(second) if self._later.get(each) == second]
            for customer in over:
                del self._later[customer]
            self.changed(over)
