"""Who is answered when: no key takes every place, and none that waits is passed over."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api.http.turns import TooManyError, Turns, WaitedTooLongError

Hold = Callable[[str], Awaitable[None]]


class Requests:
    """Requests that hold their place until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.began: list[str] = []
        self._ends: list[asyncio.Event] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def send(self, *names: str) -> None:
        for name in names:
            self._tasks.append(asyncio.create_task(self._hold(name)))
        await self._settle()

    async def end_first(self) -> None:
        self._ends.pop(0).set()
        await self._settle()

    async def cancel(self, place: int) -> None:
        self._tasks[place].cancel()
        await self._settle()

    async def _hold(self, name: str) -> None:
        async with self._turns.turn(name):
            self.began.append(name)
            end = asyncio.Event()
            self._ends.append(end)
            await end.wait()

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def end_all(self) -> None:
        while self._ends:
            await self.end_first()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def test_one_key_takes_a_part_of_the_places_and_another_is_answered_at_once() -> None:
    async def run() -> None:
        requests = Requests(Turns(8))
        await requests.send(*["loud"] * 20)
        assert requests.began == ["loud"] * 3
        await requests.send("calm")
        assert requests.began[3:] == ["calm"]
        await requests.end_all()
        assert len(requests.began) == 21

    asyncio.run(run())


def test_keys_that_wait_take_turns() -> None:
    async def run() -> None:
        requests = Requests(Turns(1, of_one=1))
        await requests.send("a", "a", "a", "a", "b", "b", "c")
        await requests.end_all()
        assert requests.began == ["a", "a", "b", "c", "a", "b", "a"]

    asyncio.run(run())


def test_request_that_is_one_too_many_is_refused_at_once() -> None:
    async def run() -> None:
        turns = Turns(1, waiting=2)
        requests = Requests(turns)
        await requests.send("a", "a", "a")
        with pytest.raises(TooManyError):
            await turns.turn("a").__aenter__()
        await requests.send("b")
        await requests.end_all()
        assert requests.began == ["a", "a", "b", "a"]

    asyncio.run(run())


def test_request_that_is_given_up_takes_no_place() -> None:
    async def run() -> None:
        requests = Requests(Turns(1))
        await requests.send("a", "b", "c")
        await requests.cancel(1)
        await requests.end_first()
        assert requests.began == ["a", "c"]
        await requests.end_all()

    asyncio.run(run())


def test_request_whose_turn_does_not_come_is_told_so_and_takes_no_place() -> None:
    async def run() -> None:
        turns = Turns(1, wait_s=0.001)
        requests = Requests(turns)
        await requests.send("a")
        with pytest.raises(WaitedTooLongError):
            await turns.turn("b").__aenter__()
        await requests.end_first()
        await requests.send("c")
        assert requests.began == ["a", "c"]
        await requests.end_all()

    asyncio.run(run())
