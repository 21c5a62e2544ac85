"""Tables of another version: who may count in them, and what is said."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from api.stack.reading import ingest_worker
from jobs.setup.generations import check_generation, unknown_migrations
from jobs.setup.migrate import BESIDE, Migration, check_nobody_stores, migrate, migrations
from schemas.settings import ClickHouse, Ingest, Settings
from schemas.version import VERSION
from streams.io.store import Store, StoreError, open_store

NEXT = migrations()[-1].number + 1
ADDED = (
    "CREATE TABLE IF NOT EXISTS {database}.of_tomorrow {on_cluster} (at DateTime) ENGINE = {replacing} ORDER BY at",
)


@pytest.fixture
def migrated(
    new_database: Callable[[], ClickHouse], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ClickHouse]]:
    """A database to which a version of tomorrow applied one migration more, of the given name."""

    def by_tomorrows(name: str) -> ClickHouse:
        settings = new_database()
        known = migrations()
        with monkeypatch.context() as tomorrow:
            later = [*known, Migration(NEXT, name, "0123456789abcdef", ADDED)]
            tomorrow.setattr("jobs.setup.migrate.migrations", lambda: later)
            migrate(settings)
        return settings

    yield by_tomorrows


def test_tables_of_this_version_are_nothing_to_speak_of(store: Store) -> None:
    assert check_generation(store) == unknown_migrations(store) == []


def test_this_version_counts_in_no_tables_that_a_newer_one_changed(migrated: Callable[[str], ClickHouse]) -> None:
    settings = Settings(clickhouse=migrated("another_key"), ingest=Ingest(hash_key="0123456789abcdef"))
    with pytest.raises(
        StoreError, match=f"newer than this version: {NEXT:04}_another_key was applied.*{VERSION}.*newer"
    ):
        ingest_worker(settings)


def test_it_goes_on_beside_one_that_only_added_and_says_so(migrated: Callable[[str], ClickHouse]) -> None:
    store = open_store(migrated(f"more{BESIDE}"))
    (said,) = check_generation(store)
    store.close()
    assert f"{NEXT:04}_more{BESIDE}" in said
    assert "may go on beside the newer one" in said


def test_what_only_adds_is_migrated_under_workers_that_store(
    new_database: Callable[[], ClickHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, numbers = new_database(), itertools.count()

    def store_counts() -> None:
        with open_store(settings) as store:
            store.insert("counts", {"source": [f"t:x:{next(numbers)}"], "bucket": [datetime.now(UTC)]})

    migrate(settings)
    store_counts()
    later = [*migrations(), Migration(NEXT, f"more{BESIDE}", "0123456789abcdef", ADDED)]
    monkeypatch.setattr("jobs.setup.migrate.migrations", lambda: later)
    check_nobody_stores(settings, store_counts)
    assert migrate(settings) == [f"{NEXT:04}_more{BESIDE}"]
    store_counts()
    with open_store(settings) as store:
        assert store.rows("SELECT count() FROM counts")[0][0] == 2


def test_migrations_with_other_names_stop_earlier_workers() -> None:
    """Those until 0.2.0 were made while all were stopped: which of them they could do without is not known."""
    assert [each.name for each in migrations() if each.number <= 41 and each.name.endswith(BESIDE)] == []
