"""Of two who decide the same thing at once, one decides and the other is told that it was decided already."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from jobs.operator import one_by_one
from jobs.operator.decisions import DecidedError
from jobs.operator.suspensions import suspend, unsuspend
from schemas.settings import ClickHouse
from streams.decisions.suspensions import SUSPENDED, UNSUSPENDED
from streams.io.store import Store, StoreBusyError, open_store
from tests.support.judging import NOW_MS
from tests.support.pools import Sent, put


def both(store_settings: ClickHouse, decide: Callable[[Store, str], object]) -> list[str]:
    """What becomes of two decisions that begin at the same moment, each over a connection of its own."""
    begun = threading.Barrier(2)

    def one(by: str) -> str:
        store = open_store(store_settings)
        try:
            begun.wait(60)
            decide(store, by)
        except DecidedError as error:
            return str(error)
        finally:
            store.close()
        return "decided"

    with ThreadPoolExecutor(2) as two:
        return sorted(two.map(one, ("Ida", "Bo")))


def suspended(now_ms: int, store: Store, by: str) -> None:
    suspend(store, "acme", by=by, why="list", now_ms=now_ms)


def reinstated(now_ms: int, store: Store, by: str) -> None:
    unsuspend(store, "acme", by=by, why="mended", now_ms=now_ms)


def test_of_two_who_suspend_or_reinstate_at_once_one_is_told(store: Store, store_settings: ClickHouse) -> None:
    put(store, [Sent("acme", delivered=10)])
    for turn in range(5):
        now_ms = NOW_MS + 1000 * turn
        first, second = both(store_settings, partial(suspended, now_ms))
        assert second == "decided"
        assert "is suspended already, by" in first
        first, second = both(store_settings, partial(reinstated, now_ms + 1))
        assert (first, second) == ("customer 'acme' is not suspended", "decided")
    counted = store.rows("SELECT action, count() FROM audit GROUP BY action")
    assert {tuple(each) for each in counted} == {(SUSPENDED, 5), (UNSUSPENDED, 5)}


def test_decision_that_waits_too_long_for_another_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_by_one, "WAIT_S", 0.01)
    entered, over, done = threading.Event(), threading.Event(), list[str]()

    @one_by_one.one_by_one
    def decide(name: str) -> None:
        done.append(name)
        entered.set()
        assert over.wait(60)

    first = threading.Thread(target=decide, args=("first",))
    first.start()
    try:
        assert entered.wait(60)
        with pytest.raises(StoreBusyError, match="nothing was done"):
            decide("second")
    finally:
        over.set()
        first.join()
    assert done == ["first"]
