"""A customer's own page is read once for all who look at the same time, and what is known is shown meanwhile."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import cast

import pytest

from api.console.case.own import OwnFacts
from api.console.case.own_pages import FRESH_MS, YOUNG_MS, OwnPages
from streams.io.store import StoreBusyError

START_MS = 1_700_000_000_000
LONG_S = 30.0


def facts(number: int) -> OwnFacts:
    """Facts of which nothing is looked at; any object will do."""
    return cast(OwnFacts, number)


def giving(number: int) -> Callable[[int], OwnFacts]:
    return lambda _: facts(number)


@pytest.mark.parametrize(
    ("later_ms", "shown"),
    [(0, 1), (FRESH_MS - 1, 1), (FRESH_MS, 2), (YOUNG_MS, 2), (-1, 2)],
)
def test_what_was_read_a_moment_ago_is_not_read_again(later_ms: int, shown: int) -> None:
    pages = OwnPages()
    pages.read("acme", lambda: START_MS, giving(1))
    assert pages.read("acme", lambda: START_MS + later_ms, giving(2)).facts == facts(shown)


def test_pages_of_one_customer_are_not_those_of_another() -> None:
    pages = OwnPages()
    pages.read("acme", lambda: START_MS, giving(1))
    assert pages.find("rival") is None
    assert pages.read("rival", lambda: START_MS, giving(2)).facts == facts(2)


def test_many_who_look_at_once_have_it_read_once() -> None:
    pages, all_there, read = OwnPages(), Barrier(8), list[int]()

    def reading(now_ms: int) -> OwnFacts:
        read.append(now_ms)
        return facts(1)

    def look(_: int) -> OwnFacts:
        all_there.wait(LONG_S)
        return pages.read("acme", lambda: START_MS, reading).facts

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(look, range(8))) == {facts(1)}
    assert read == [START_MS]


def test_what_is_young_is_shown_while_somebody_reads_it_again() -> None:
    pages, began, may_end = OwnPages(), Event(), Event()
    pages.read("acme", lambda: START_MS, giving(1))

    def slow(_: int) -> OwnFacts:
        began.set()
        assert may_end.wait(LONG_S)
        return facts(2)

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(pages.read, "acme", lambda: START_MS + FRESH_MS, slow)
        assert began.wait(LONG_S)
        meanwhile = pages.read("acme", lambda: START_MS + FRESH_MS, giving(3))
        may_end.set()
        assert reading.result(LONG_S).facts == facts(2)
    assert meanwhile.facts == facts(1)


def test_who_waits_too_long_is_told_so_where_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.console.case.own_pages.WAIT_S", 0.0)
    pages, began, may_end = OwnPages(), Event(), Event()

    def slow(_: int) -> OwnFacts:
        began.set()
        assert may_end.wait(LONG_S)
        return facts(1)

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(pages.read, "acme", lambda: START_MS, slow)
        assert began.wait(LONG_S)
        with pytest.raises(StoreBusyError, match="read for somebody else"):
            pages.read("acme", lambda: START_MS, giving(2))
        may_end.set()
        reading.result(LONG_S)


def test_reading_that_failed_leaves_what_was_known_and_the_next_may_read() -> None:
    pages = OwnPages()
    pages.read("acme", lambda: START_MS, giving(1))

    def failing(_: int) -> OwnFacts:
        raise StoreBusyError("busy")

    with pytest.raises(StoreBusyError):
        pages.read("acme", lambda: START_MS + YOUNG_MS, failing)
    known = pages.find("acme")
    assert known is not None
    assert known.facts == facts(1)
    assert pages.read("acme", lambda: START_MS + YOUNG_MS, giving(2)).facts == facts(2)
