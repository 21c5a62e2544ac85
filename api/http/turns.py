"""Who is answered when: at most so many requests at once, of one key fewer, and keys that wait take turns.

So one key cannot take all connections to the store, however many requests it sends at once. Of each key a few requests
wait; what is more is refused at once, which costs nothing. Belongs to one event loop.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.errors import ExternalError

#: Of so many connections one key has this part.
PART = 3
#: How many requests of one key wait, and for how long at most (s).
WAITING, WAIT_S = 20, 10.0


class TooManyError(ExternalError):
    """As many requests of this key wait as may."""


class WaitedTooLongError(ExternalError):
    """Its turn did not come in time."""


class Turns:
    """`at_once` requests at once, `of_one` of one name. Enter with `turn`."""

    def __init__(self, at_once: int, of_one: int = 0, waiting: int = WAITING, wait_s: float = WAIT_S) -> None:
        """`of_one` 0 is a third of all, and at least one."""
        self._free = at_once
        self._of_one = of_one or max(1, -(-at_once // PART))
        self._most_waiting = waiting
        self._wait_s = wait_s
        self._running: Counter[str] = Counter()
        #: Names in the order of their turns, each with its requests in the order in which they came.
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for a turn of `name`, and have it for the block.

        Raises:
            TooManyError: at once.
            WaitedTooLongError: after `wait_s`.
        """
        await self._enter(name)
        try:
            yield
        finally:
            self._leave(name)

    async def _enter(self, name: str) -> None:
        # Whoever waits could not begin: so there is no place, or this name has all of its own.
        if self._free and self._running[name] < self._of_one:
            self._begin(name)
            return
        queue = self._waiting.setdefault(name, deque())
        if len(queue) >= self._most_waiting:
            raise TooManyError
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            await asyncio.wait_for(asyncio.shield(mine), self._wait_s)
        except (TimeoutError, asyncio.CancelledError) as error:
            if mine.done():  # its turn came in the same moment
                self._leave(name)
            else:
                self._forget(name, mine)
            if isinstance(error, TimeoutError):
                raise WaitedTooLongError from error
            raise

    def _begin(self, name: str) -> None:
        self._free -= 1
        self._running[name] += 1

    def _leave(self, name: str) -> None:
        self._free += 1
        self._running[name] -= 1
        if not self._running[name]:
            del self._running[name]
        while self._free:
            following = next((each for each in self._waiting if self._running[each] < self._of_one), None)
            if following is None:
                break
            future = self._waiting[following].popleft()
            self._waiting.move_to_end(following)
            if not self._waiting[following]:
                del self._waiting[following]
            self._begin(following)
            future.set_result(None)

    def _forget(self, name: str, mine: "asyncio.Future[None]") -> None:
        self._waiting[name].remove(mine)
        if not self._waiting[name]:
            del self._waiting[name]
