"""A store is copied to another over HTTP, and goes on there."""

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from jobs.data import moving
from jobs.data.fault import StoredDataError
from jobs.data.moving import ComparedTable, compare, move
from jobs.embedded.store_server import StoreServer
from schemas.settings import ClickHouse
from streams.io.store import Store, StoreError, open_store
from tests.support.batches import NOW, batch, counted, flushed, put, stored, taken_up
from tests.support.every_table import fill_every_table

LETTER = "INSERT INTO dead_letters (topic, source, position, time, payload) VALUES ('t', 's', 1, now(), unhex('ff00'))"


@pytest.fixture
def target(store_settings: ClickHouse, another_database: Callable[[], ClickHouse]) -> Iterator[Store]:
    """An empty store of another name, reached as a server is."""
    settings = another_database()
    server = StoreServer(store_settings.path, 0, "secret")
    server.start()
    with open_store(
        msgspec.structs.replace(settings, path="", url=f"http://127.0.0.1:{server.port}", password="secret")
    ) as opened:
        yield opened
    server.stop()


def fill(store: Store) -> None:
    for position in (0, 11):
        made = batch(position, 10)
        put(made, f"reported{position}", type="complained")
        flushed(store, made)
    store.insert("deployment", {"id": ["d1"], "made": [NOW // 1000]})
    store.run("INSERT INTO standings (customer, updated, overall_score) VALUES ('a', now(), 9), ('b', now(), NULL)")
    # Rows with one key that are not merged yet, as a restore makes them: the later counts.
    store.run("SYSTEM STOP MERGES negative_ids")
    for later in (7_200, 3_600):
        store.run(f"INSERT INTO negative_ids SELECT hash, source, position, came + {later} FROM negative_ids FINAL")  # noqa: S608
    # Bytes that are no text.
    store.run(LETTER)


def test_move_that_fails_goes_on_and_counts_stay_exact(
    store: Store, target: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    monkeypatch.setattr(moving, "PART_ROWS", 10)
    progress, insert, times = tmp_path / "move.json", Store.insert_native, 0

    def fails(self: Store, table: str, rows: bytes, settings: dict[str, object] | None = None) -> None:
        """The first part of the counts is taken, and nobody hears of it."""
        nonlocal times
        insert(self, table, rows, settings)
        if table.startswith("counts") and (times := times + 1) == 1:
            raise StoreError("no answer in time")

    monkeypatch.setattr(Store, "insert_native", fails)
    with pytest.raises(StoreError, match="no answer in time"):
        move(store, target, progress)
    store.run("OPTIMIZE TABLE counts FINAL")
    compared = move(store, target, progress)
    assert {each.table: each.equal for each in compared} == dict.fromkeys((each.table for each in compared), True)
    assert {"counts", "events", "remembered_ids", "negative_ids", "dead_letters"} <= {each.table for each in compared}
    assert target.rows("SELECT customer, overall_score FROM standings ORDER BY customer") == [("a", 9), ("b", None)]
    assert (counted(target), counted(target, "complained"), stored(target)) == (20, 2, 21)
    going_on = taken_up(target, 22)
    for name in ("e5", "e22"):
        put(going_on, name)
    put(going_on, "reported0", type="complained")
    assert flushed(target, going_on).ours
    assert (counted(target), counted(target, "complained"), stored(target)) == (21, 2, 24)
    tables = {each.table: 1 for each in compared}
    assert "counts" in [each.table for each in compare(store, target, tables, NOW // 1000) if not each.equal]


def test_every_table_is_moved_whenever_a_run_is_killed(
    store: Store, target: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are too old may go at any time, in either."""
    tables = fill_every_table(store, seed=1)
    monkeypatch.setattr(moving, "PART_ROWS", 100)
    chance, insert = random.Random(1), Store.insert_native

    def killed(self: Store, table: str, rows: bytes, settings: dict[str, object] | None = None) -> None:
        before = chance.random() < 0.15
        if not before:
            insert(self, table, rows, settings)
        if before or chance.random() < 0.15:
            raise KeyboardInterrupt

    monkeypatch.setattr(Store, "insert_native", killed)
    runs, compared = 0, list[ComparedTable]()
    while not compared:
        runs += 1
        with contextlib.suppress(KeyboardInterrupt):
            compared = move(store, target, tmp_path / "move.json")
    assert runs > 3
    assert {each.table for each in compared} == tables - set(moving.LEFT_OUT)
    assert [each for each in compared if not each.equal or not each.rows] == []
    for table in tables - set(moving.LEFT_OUT):
        target.run(f"OPTIMIZE TABLE {table} FINAL")
    moved = dict.fromkeys((each.table for each in compared), 1)
    assert [each for each in compare(store, target, moved, NOW // 1000) if not each.equal] == []


def test_tables_that_have_counts_are_not_moved_into(store: Store, target: Store, tmp_path: Path) -> None:
    flushed(target, batch(0, 1))
    with pytest.raises(StoredDataError, match="there are counts already"):
        move(store, target, tmp_path / "move.json")
    (tmp_path / "move.json").write_text('{"target": "elsewhere", "parts": {}}')
    with pytest.raises(StoredDataError, match="a move to elsewhere was begun"):
        move(store, target, tmp_path / "move.json")
