"""A database that one test after the other uses is to each of them as if it were new."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from streams.io.store import Store, StoreError, open_store
from tests.support.databases import ROWS, WITH_TTL, Databases

TOKEN = {"insert_deduplication_token": "source@0"}
PARTS = "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'counts' AND active"
BY_HOUR = "SELECT count() FROM counts WHERE dimension = 'provider' GROUP BY toStartOfHour(bucket)"
#: Fails when a part of its rows is there.
FAILS = "SELECT throwIf(number = 3) FROM numbers(9) SETTINGS max_block_size = 1"


def opened(databases: Databases, *, lasting: bool = False) -> Store:
    return open_store(databases.empty(lasting=lasting))


def put(store: Store, customer: str = "acme", *, year: int | None = None) -> None:
    """Counts with a token, and a standing, which a view copies into a second table."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    bucket = now.replace(year=year, day=1) if year else now
    counts = {"dimension": "provider", "customer": customer, "bucket": bucket, "source": "s", "delivered": 1}
    store.insert("counts", {name: [value] for name, value in counts.items()}, TOKEN)
    store.insert("standings", {"customer": [customer], "scope": ["customer"], "updated": [now]})


def rows(store: Store, table: str) -> int:
    return int(store.rows("SELECT count() FROM {table:Identifier}", {"table": table})[0][0])


def test_next_test_finds_the_same_tables_with_nothing_in_them(databases: Databases) -> None:
    first = opened(databases)
    put(first)
    assert (rows(first, "counts"), rows(first, "standings"), rows(first, "scores")) == (1, 1, 1)
    second = opened(databases)
    assert second.settings.database == first.settings.database
    assert second.rows(ROWS) == [(0,)]
    assert rows(second, "schema_migrations") > 0


def test_next_test_may_insert_with_the_tokens_of_the_last(databases: Databases) -> None:
    first = opened(databases)
    put(first)
    put(first, "other")  # the same token: not taken
    assert rows(first, "counts") == 1
    second = opened(databases)
    put(second, "other")
    assert second.rows("SELECT customer FROM counts") == [("other",)]


def test_tokens_are_forgotten_where_a_test_deleted_all_rows(databases: Databases) -> None:
    first = opened(databases)
    put(first)
    first.run("ALTER TABLE counts DELETE WHERE true SETTINGS mutations_sync = 2")
    put(first)
    assert rows(first, "counts") == 0
    second = opened(databases)
    put(second)
    assert rows(second, "counts") == 1


def test_projections_and_views_hold_nothing_of_the_last_test(databases: Databases) -> None:
    """The hourly projection answers as the table does, and what a view copied is gone with what it was copied from."""
    first = opened(databases)
    put(first)
    assert first.rows(BY_HOUR) == [(1,)]
    second = opened(databases)
    assert (list(second.rows(BY_HOUR)), second.rows(PARTS), rows(second, "scores")) == ([], [(0,)], 0)
    put(second)
    assert second.rows("SELECT sum(delivered) FROM counts GROUP BY toStartOfHour(bucket)") == [(1,)]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE counts REMOVE TTL",
        "ALTER TABLE counts MODIFY SETTING non_replicated_deduplication_window = 3",
        "DROP TABLE customers SYNC",
    ],
)
def test_tables_that_a_test_changed_are_made_again(databases: Databases, change: str) -> None:
    first = opened(databases)
    made = first.rows("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()")
    first.run(change)
    second = opened(databases)
    assert second.settings.database != first.settings.database
    again = second.rows("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()")
    named = {(name, text.replace(first.settings.database, second.settings.database)) for name, text in made}
    assert {*again} == named
    assert opened(databases).settings.database == second.settings.database


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO schema_migrations (number, name) VALUES (9999, 'of_tomorrow')",
        "ALTER TABLE schema_migrations UPDATE checksum = 'other' WHERE number = 1 SETTINGS mutations_sync = 2",
        "ALTER TABLE schema_migrations DELETE WHERE number = 2 SETTINGS mutations_sync = 2",
        "TRUNCATE TABLE schema_migrations",
    ],
)
def test_what_a_test_said_of_migrations_is_not_met_by_the_next(databases: Databases, write: str) -> None:
    said = "SELECT number, name, checksum FROM schema_migrations ORDER BY number"
    first = opened(databases)
    before = list(first.rows(said))
    first.run(write)
    assert list(opened(databases).rows(said)) == before


def test_rows_of_any_age_stay_only_where_that_is_asked_for(databases: Databases) -> None:
    usual, lasting = opened(databases), opened(databases, lasting=True)
    assert usual.rows(WITH_TTL)
    assert not lasting.rows(WITH_TTL)
    for store in (usual, lasting):
        put(store, year=2020)
        store.run("OPTIMIZE TABLE counts FINAL")
    assert (rows(usual, "counts"), rows(lasting, "counts")) == (0, 1)
    assert rows(opened(databases, lasting=True), "counts") == 0


def test_connection_is_the_one_of_the_last_test(databases: Databases) -> None:
    first = databases.connection(databases.empty(lasting=False))
    assert databases.connection(databases.empty(lasting=False)) is first


@pytest.mark.parametrize(
    "left",
    [Store.close, Store.refuse, lambda store: store.run("USE default"), lambda store: store.rows(FAILS)],
    ids=["closed", "refusing", "elsewhere", "failed"],
)
def test_connection_that_a_test_left_otherwise_is_made_again(
    databases: Databases, left: Callable[[Store], None]
) -> None:
    settings = databases.empty(lasting=False)
    with suppress(StoreError):
        left(databases.connection(settings))
    again = databases.connection(settings)
    assert again.rows("SELECT currentDatabase(), 1") == [(settings.database, 1)]


def test_database_of_a_module_is_there_no_longer_than_its_tests(databases: Databases) -> None:
    """Also where one of them raises: each that is left takes half a percent of a core."""
    with suppress(ZeroDivisionError), databases.opened(lasting=True) as lent:
        put(lent)
        name = lent.settings.database
        raise ZeroDivisionError
    still = opened(databases).rows("SELECT count() FROM system.databases WHERE name = {name:String}", {"name": name})
    assert still == [(0,)]
