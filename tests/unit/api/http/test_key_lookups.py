"""Keys in memory: how long an answer is remembered, what never reaches the store, and how often the store is asked."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from api.http.key_lookups import FRESH_MS, MOST_AT_ONCE, KeyLookups
from api.http.keys import KEY_FORMAT, Found, KeyOwner, hash_of
from streams.io.store import StoreError

ACME = KeyOwner(id="0123456789abcdef", customer="acme", label="")


def key(number: int) -> str:
    return f"rmk_{number:043d}"


class Keys:
    """A store of keys and a clock, that count how often the store was asked."""

    def __init__(self, *good: str) -> None:
        self.good = {hash_of(each): ACME for each in good}
        self.asked: list[Sequence[str]] = []
        self.uses: list[Mapping[str, int]] = []
        self.state = 1
        self.now = 1_000_000
        self.down = False
        self.lookups = KeyLookups(self, lambda: self.now)

    def look_up(self, hashes: Sequence[str], /) -> Found:
        self.asked.append(hashes)
        if self.down:
            raise StoreError("down")
        return Found(self.state, {each: self.good[each] for each in hashes if each in self.good})

    def record_uses(self, uses: Mapping[str, int], /) -> None:
        self.uses.append(dict(uses))

    def close(self) -> None:
        pass

    def revoke_all(self) -> None:
        self.good.clear()
        self.state += 1


def test_known_key_is_asked_for_once_in_the_time_it_is_remembered() -> None:
    async def run() -> None:
        keys = Keys(key(1))
        assert [await keys.lookups.find(key(1)) for _ in range(3)] == [ACME] * 3
        keys.now += FRESH_MS - 1
        assert await keys.lookups.find(key(1)) == ACME
        assert len(keys.asked) == 1

    asyncio.run(run())


def test_revoked_key_is_refused_within_a_second() -> None:
    """So is every other that was remembered."""

    async def run() -> None:
        keys = Keys(key(1), key(2))
        assert await keys.lookups.find(key(1)) == await keys.lookups.find(key(2)) == ACME
        keys.revoke_all()
        keys.now += FRESH_MS
        assert await keys.lookups.find(key(1)) is None
        assert await keys.lookups.find(key(2)) is None

    asyncio.run(run())


def test_while_no_key_changes_one_question_a_second_is_enough_for_all() -> None:
    async def run() -> None:
        keys = Keys(*map(key, range(5)))
        await asyncio.gather(*(keys.lookups.find(key(number)) for number in range(5)))
        keys.asked.clear()
        keys.now += FRESH_MS
        for number in range(5):
            assert await keys.lookups.find(key(number)) == ACME
        assert keys.asked == [[hash_of(key(0))]]

    asyncio.run(run())


def test_key_that_was_just_made_is_good_at_once() -> None:
    async def run() -> None:
        keys = Keys()
        assert await keys.lookups.find(key(1)) is None
        keys.good[hash_of(key(1))] = ACME
        assert await keys.lookups.find(key(1)) == ACME

    asyncio.run(run())


def test_clock_that_is_set_back_does_not_prolong_what_is_remembered() -> None:
    async def run() -> None:
        keys = Keys(key(1))
        await keys.lookups.find(key(1))
        keys.revoke_all()
        keys.now -= 3_600_000
        assert await keys.lookups.find(key(1)) is None

    asyncio.run(run())


def test_failure_of_the_store_is_said_to_all_who_wait_and_not_remembered() -> None:
    async def run() -> None:
        keys = Keys(key(1))
        keys.down = True
        failed = await asyncio.gather(*(keys.lookups.find(key(1)) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in failed] == [StoreError] * 3
        keys.down = False
        assert await keys.lookups.find(key(1)) == ACME

    asyncio.run(run())


def test_flood_of_made_up_keys_is_asked_for_together_and_keeps_no_good_one_out() -> None:
    async def run() -> None:
        keys = Keys(key(0))
        await keys.lookups.find(key(0))
        keys.asked.clear()
        flood = asyncio.gather(*(keys.lookups.find(key(number)) for number in range(1, 2 * MOST_AT_ONCE + 1)))
        assert await keys.lookups.find(key(0)) == ACME
        assert set(await flood) == {None}
        assert [len(each) for each in keys.asked] == [MOST_AT_ONCE] * 2

    asyncio.run(run())


def test_who_gives_up_waiting_takes_the_answer_from_nobody_else() -> None:
    async def run() -> None:
        keys = Keys(key(1))
        first = asyncio.create_task(keys.lookups.find(key(1)))
        second = asyncio.create_task(keys.lookups.find(key(1)))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == ACME

    asyncio.run(run())


def test_last_use_is_stored_of_good_keys_alone() -> None:
    async def run() -> Keys:
        keys = Keys(key(1))
        await keys.lookups.find(key(1))
        keys.now += 10
        await keys.lookups.find(key(1))
        await keys.lookups.find(key(2))
        return keys

    keys = asyncio.run(run())
    keys.lookups.close()
    assert keys.uses == [{hash_of(key(1)): 1_000_010}]


@pytest.mark.parametrize(
    "text", ["", "rmk_", key(1)[:-1], key(1) + "0", key(1) + "\n", " " + key(1), "rmk_" + "'" * 43, "\0" * 47]
)
def test_what_has_not_the_form_of_a_key_never_reaches_the_store(text: str) -> None:
    keys = Keys()
    assert asyncio.run(keys.lookups.find(text)) is None
    assert keys.asked == []
    assert KEY_FORMAT.fullmatch(key(1))
