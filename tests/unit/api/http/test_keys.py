"""Keys in memory: how long an answer is remembered, and what never reaches the store."""

import threading

import pytest

from api.http.keys import CACHE_MS, CACHE_SIZE, KEY_FORMAT, KeyCache, KeyOwner
from streams.io.store import StoreError

ACME = KeyOwner(id="0123456789abcdef", customer="acme", label="")


def key(number: int) -> str:
    return f"rmk_{number:043d}"


class Keys:
    """A store of keys and a clock, that count how often the store was asked."""

    def __init__(self, *good: str) -> None:
        self.good = set(good)
        self.asked: list[str] = []
        self.now = 1_000_000
        self.down = False
        self.cache = KeyCache(self.look_up, lambda: self.now)

    def look_up(self, presented: str) -> KeyOwner | None:
        self.asked.append(presented)
        if self.down:
            raise StoreError("down")
        return ACME if presented in self.good else None


def test_known_key_is_asked_for_once_in_the_time_it_is_remembered() -> None:
    keys = Keys(key(1))
    assert [keys.cache.find(key(1)) for _ in range(3)] == [ACME] * 3
    keys.now += CACHE_MS - 1
    assert keys.cache.find(key(1)) == ACME
    assert keys.asked == [key(1)]


def test_revoked_key_is_refused_after_that_time() -> None:
    keys = Keys(key(1))
    assert keys.cache.find(key(1)) == ACME
    keys.good.clear()
    keys.now += CACHE_MS
    assert keys.cache.find(key(1)) is None


def test_refused_key_that_is_made_later_is_taken_after_that_time() -> None:
    keys = Keys()
    assert keys.cache.find(key(1)) is None
    keys.good.add(key(1))
    keys.now += CACHE_MS
    assert keys.cache.find(key(1)) == ACME


def test_clock_that_is_set_back_does_not_prolong_what_is_remembered() -> None:
    keys = Keys(key(1))
    keys.cache.find(key(1))
    keys.good.clear()
    keys.now -= 3_600_000
    assert keys.cache.find(key(1)) is None


def test_failure_of_the_store_is_not_remembered() -> None:
    keys = Keys(key(1))
    keys.down = True
    with pytest.raises(StoreError):
        keys.cache.find(key(1))
    keys.down = False
    assert keys.cache.find(key(1)) == ACME


def test_flood_of_made_up_keys_does_not_push_out_a_good_one() -> None:
    keys = Keys(key(0))
    keys.cache.find(key(0))
    for number in range(1, CACHE_SIZE + 10):
        assert keys.cache.find(key(number)) is None
    keys.asked.clear()
    assert keys.cache.find(key(0)) == ACME
    assert keys.asked == []


def test_what_has_not_the_form_of_a_key_never_reaches_the_store() -> None:
    keys = Keys()
    for text in ("", "rmk_", key(1)[:-1], key(1) + "0", key(1) + "\n", " " + key(1), "rmk_" + "'" * 43, "\0" * 47):
        assert keys.cache.find(text) is None
    assert keys.asked == []
    assert KEY_FORMAT.fullmatch(key(1))


def test_keys_asked_for_by_many_threads_are_answered_alike() -> None:
    keys = Keys(*(key(number) for number in range(0, 40, 2)))
    found: list[set[int]] = []

    def ask() -> None:
        found.append({number for number in range(40) if keys.cache.find(key(number))})

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [set(range(0, 40, 2))] * 8
