from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from jobs.migrate import migrate, migrations, render
from schemas.counts import MEASURES
from schemas.settings import ClickHouse
from streams.store import StoreError, open_store
from streams.subjects import PLACE
from streams.totals import read_totals

DAY_MS = 86_400_000


def test_every_migration_is_applied_once_and_recorded(new_database: Callable[[], ClickHouse]) -> None:
    settings = new_database()
    applied = migrate(settings)
    assert applied == [f"{each.number:04}_{each.name}" for each in migrations()]
    assert migrate(settings) == []


def test_counts_table_has_every_measure(store_settings: ClickHouse) -> None:
    store = open_store(store_settings)
    columns = {row[0] for row in store.rows("DESCRIBE TABLE counts")}
    store.close()
    assert set(MEASURES) <= columns


def test_changed_migration_is_refused(new_database: Callable[[], ClickHouse]) -> None:
    settings = new_database()
    migrate(settings)
    store = open_store(settings)
    store.run("ALTER TABLE schema_migrations UPDATE checksum = 'other' WHERE number = 1 SETTINGS mutations_sync = 2")
    store.close()
    with pytest.raises(StoreError, match="0001_counts was applied in another form"):
        migrate(settings)


def test_counts_from_before_a_migration_stay_as_they_were(
    new_database: Callable[[], ClickHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, known = new_database(), migrations()
    monkeypatch.setattr("jobs.migrate.migrations", lambda: known[:11])
    migrate(settings)
    store = open_store(settings)
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    row = {"customer": ["acme"], "stream": ["news"], "value": ["yahoo"], "bucket": [at], "source": ["t:x:0"]}
    store.insert("counts", {"dimension": ["provider"], **row, "delivered": [7]})
    monkeypatch.undo()
    assert migrate(settings) == [f"{each.number:04}_{each.name}" for each in known[11:]]
    store.insert("counts", {"dimension": ["provider"], **row, "delivered": [5]})
    store.insert("counts", {"dimension": ["from"], **row, "delivered": [5]})
    month = read_totals(store, ["acme"], [30 * DAY_MS], ["yahoo"], int(at.timestamp() * 1000) + 1)
    store.close()
    assert month.counts[0, 0, PLACE["delivered"]] == 12


def test_database_name_is_checked_before_it_reaches_sql() -> None:
    with pytest.raises(StoreError, match=r"clickhouse\.database"):
        migrate(ClickHouse(path="unused", database="a; DROP TABLE b"))


def test_cluster_setting_gives_replicated_engines_on_cluster() -> None:
    settings = ClickHouse(cluster="main")
    statements = [render(s, settings) for each in migrations() for s in each.statements]
    assert all("ON CLUSTER main" in s for s in statements)
    assert all("ENGINE = Replicated" in s for s in statements if s.startswith("CREATE TABLE"))
    kinds = ("CREATE TABLE", "ALTER TABLE", "CREATE VIEW", "CREATE MATERIALIZED VIEW")
    assert all(s.startswith(kinds) for s in statements)
    assert all("non_replicated" not in s for s in statements)
    assert not any("{aggregating}" in s or "{on_cluster}" in s for s in statements)
