"""Keys in memory: whose a presented key is, and when each was last used.

What was found is remembered for as long as the table stays as it is, which is asked once a second while requests come:
so a revoked key is refused within a second by every process. Keys that are not remembered are looked up many at a time
(and once in a while all good ones with them: `api.http.keys.StoredKeys`), by a connection that nothing else uses: a
flood of made-up keys costs the store a few queries a second and keeps nobody waiting. Belongs to one event loop.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from api.http.keys import KEY_FORMAT, Found, KeyOwner, hash_of
from streams.io.store import StoreError

#: How long the table counts as it was, in ms: no revoked key is good for longer.
FRESH_MS = 1_000
#: So many keys are remembered.
MOST = 100_000
#: The store is asked no sooner after it answered, in s, and about no more keys at a time; who comes meanwhile is asked
#: about next.
REST_S = 0.025
MOST_AT_ONCE = 500
#: How often it is stored which keys were used, in s.
USES_S = 60.0

Argument = TypeVar("Argument")
Result = TypeVar("Result")
log = logging.getLogger("repmon.api")


class Stored(Protocol):
    """What is asked of the store (`api.http.keys.StoredKeys`), on one thread at a time. Each may raise a StoreError."""

    def look_up(self, hashes: Sequence[str], /) -> Found:
        """What it says of keys with these hashes, and perhaps of others."""

    def record_uses(self, uses: Mapping[str, int], /) -> None:
        """Keep when keys were last used (epoch ms), by hash."""

    def close(self) -> None:
        """Give the connection back."""


class KeyLookups:
    """Finds the owners of keys. `clock` gives epoch ms."""

    def __init__(self, stored: Stored, clock: Callable[[], int]) -> None:
        self._stored = stored
        self._clock = clock
        self._state = 0
        self._asked_ms: int | None = None
        self._good: OrderedDict[str, KeyOwner] = OrderedDict()
        self._wanted: dict[str, asyncio.Future[KeyOwner | None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._uses: dict[str, int] = {}
        self._storing: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def find(self, presented: str) -> KeyOwner | None:
        """The owner of a presented key, who may be over (`KeyOwner.is_over`); None for one that is not good.

        Raises:
            StoreError: the store failed; that is not remembered.
        """
        if not KEY_FORMAT.fullmatch(presented):
            return None
        return await self.find_hash(hash_of(presented))

    async def find_hash(self, name: str) -> KeyOwner | None:
        """The same of a key that was presented before, by its hash.

        Raises:
            StoreError: the store failed.
        """
        owner = self._remembered(name) or await self._ask(name)
        if owner is not None:
            self._note(name)
        return owner

    def close(self) -> None:
        """Store which keys were used, and ask no more. For any thread, once no request is being answered."""
        uses, self._uses = self._uses, {}
        try:
            self._stored.record_uses(uses)
        except StoreError as error:
            log.warning("when keys were last used is not stored: %s", error)
        self._stored.close()

    def _remembered(self, name: str) -> KeyOwner | None:
        if self._asked_ms is None or not 0 <= self._clock() - self._asked_ms < FRESH_MS:
            return None
        return self._good.get(name)

    async def _ask(self, name: str) -> KeyOwner | None:
        wanted = self._wanted.get(name)
        if wanted is None:
            wanted = self._wanted[name] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_for_all())
        return await asyncio.shield(wanted)

    async def _ask_for_all(self) -> None:
        while self._wanted:
            names = list(self._wanted)[:MOST_AT_ONCE]
            asked = {name: self._wanted.pop(name) for name in names}
            asked_ms = self._clock()  # before: what changes meanwhile is seen the next time
            try:
                found = await self._in_thread(self._stored.look_up, names)
            except Exception as error:  # whatever it is, those who wait are told
                for each in asked.values():
                    each.set_exception(error)
                    each.exception()  # who waited may have gone
            else:
                self._remember(found, asked_ms)
                for name, each in asked.items():
                    each.set_result(_matching(found.owners, name))
            await asyncio.sleep(REST_S)

    def _remember(self, found: Found, asked_ms: int) -> None:
        if found.state != self._state:
            self._good.clear()
        self._state, self._asked_ms = found.state, asked_ms
        self._good.update(found.owners)
        while len(self._good) > MOST:
            self._good.popitem(last=False)

    def _note(self, name: str) -> None:
        self._uses[name] = self._clock()
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_later())

    async def _store_later(self) -> None:
        await asyncio.sleep(USES_S)
        uses, self._uses = self._uses, {}
        try:
            await self._in_thread(self._stored.record_uses, uses)
        except StoreError as error:
            log.warning("when keys were last used is stored later: %s", error)
            self._uses = uses | self._uses

    async def _in_thread(self, run: Callable[[Argument], Result], argument: Argument) -> Result:
        """Apart from the threads that answer requests, and one after the other, since there is one connection."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(run, argument)


def _matching(owners: Mapping[str, KeyOwner], name: str) -> KeyOwner | None:
    # The store looked the hash up, not the key: how long that took says nothing about any key.
    # Nor does how long it is searched for here: both are hashes of it.
    return owners.get(name)
