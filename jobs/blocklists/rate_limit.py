"""How fast a zone is asked, and how fast it answers: questions keep a distance in time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from math import inf

from schemas.blocklists import Zone

#: From so many questions on it is known how fast a zone answers.
ENOUGH = 40


class Spacing:
    """Gives out moments that are at least `1 / per_s` seconds apart. Pure, with the time passed in.

    Moments that nobody asked for in time are gone: a pause is not made up for by a burst.
    """

    def __init__(self, per_s: float) -> None:
        self._apart = 1 / per_s
        self._next = float("-inf")

    def take(self, now: float) -> float:
        """How long after `now` (s) the caller's moment is; it is the caller's alone."""
        moment = max(now, self._next)
        self._next = moment + self._apart
        return moment - now


class Pacer:
    """The pace of every zone: its own rate, or `per_s` questions a second. It holds for as long as the pacer is kept,
    over all rounds, resolvers and self-tests."""

    def __init__(
        self,
        per_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_s = per_s
        self._clock = clock
        self._sleep = sleep
        self._zones: dict[str, Spacing] = {}
        self._answered: dict[str, float] = {}

    async def turn(self, zone: Zone) -> None:
        """Wait until the next question may be put to the zone."""
        spacing = self._zones.get(zone.zone)
        if spacing is None:
            spacing = self._zones[zone.zone] = Spacing(zone.queries_per_s or self._per_s)
        if wait_s := spacing.take(self._clock()):
            await self._sleep(wait_s)

    def now(self) -> float:
        """The time in seconds, from anywhere."""
        return self._clock()

    def took(self, zone: Zone, questions: int, seconds: float) -> None:
        """Remember how fast the zone answered so many questions; few of them say little."""
        if questions >= ENOUGH:
            self._answered[zone.zone] = questions / max(seconds, 1e-3)

    def answers_per_s(self, zone: Zone) -> float:
        """How many questions a second the zone answered lately; infinite where that is not known."""
        return self._answered.get(zone.zone, inf)
