"""What pages showed last: given again within a moment, and where the store does not answer."""

import threading
from typing import NoReturn

import pytest

from api.console.kept import Known, LastKnown
from streams.io.store import QueryLimitError, StoreBusyError, StoreError


def away() -> NoReturn:
    raise StoreError("gone")


def test_within_the_time_it_is_read_once_and_then_anew() -> None:
    kept, reads = LastKnown[int](1_000), iter(range(9))
    assert kept.get("a", 5_000, lambda: next(reads)) == Known(0, 5_000)
    assert kept.get("a", 5_999, lambda: next(reads)) == Known(0, 5_000)
    assert kept.get("b", 5_999, lambda: next(reads)) == Known(1, 5_999)
    assert kept.get("a", 6_000, lambda: next(reads)) == Known(2, 6_000)
    kept.forget()
    assert kept.get("a", 6_001, lambda: next(reads)) == Known(3, 6_001)


def test_what_was_known_is_given_with_its_age_while_the_store_does_not_answer() -> None:
    kept = LastKnown[int]()
    with pytest.raises(StoreError):
        kept.get("a", 0, away)
    kept.get("a", 1_000, lambda: 7)
    assert kept.get("a", 9_000, away) == Known(7, 1_000, down=True)
    assert kept.get("a", 9_500, lambda: 8) == Known(8, 9_500)


def test_what_was_known_is_given_where_the_store_has_too_much_to_do() -> None:
    kept = LastKnown[int]()
    kept.get("a", 1_000, lambda: 7)

    def busy() -> NoReturn:
        raise StoreBusyError("timeout exceeded")

    assert kept.get("a", 9_000, busy) == Known(7, 1_000, down=True)


def test_query_that_asks_too_much_is_no_outage() -> None:
    kept = LastKnown[int]()
    kept.get("a", 0, lambda: 7)

    def too_much() -> NoReturn:
        raise QueryLimitError("too much")

    with pytest.raises(QueryLimitError):
        kept.get("a", 1, too_much)


def test_only_so_many_are_kept_the_oldest_go_first() -> None:
    kept = LastKnown[int](most=2)
    for place, key in enumerate("abc"):
        kept.get(key, 0, lambda place=place: place)  # type: ignore[misc]
    with pytest.raises(StoreError):
        kept.get("a", 1, away)
    assert kept.get("c", 1, away).value == 2


def test_many_who_ask_at_the_same_time_have_it_read_once() -> None:
    kept, together = LastKnown[int](1_000), threading.Barrier(8)
    reads: list[int] = []

    def read() -> int:
        reads.append(1)
        return 1

    def ask() -> None:
        together.wait(30)
        kept.get("a", 0, read)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(reads) == 1
