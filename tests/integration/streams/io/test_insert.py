"""Rows that are inserted go with the INSERT, and not when the collector looks."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from schemas.times import utc_time
from streams.io.store import Store


class Column(list[object]):
    """A list of which it can be seen whether it is still there."""


@pytest.fixture
def _collector_off() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_collector_off")
def test_inserted_rows_are_not_held(store: Store) -> None:
    names = Column(["acme"])
    store.insert("newly_excessive", {"customer": names, "time": [utc_time(1_795_000_000_000)]})
    left = weakref.ref(names)
    del names
    assert left() is None
    assert store.rows("SELECT customer FROM newly_excessive") == [("acme",)]
