import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import pytest

from api.explain.build import explain
from api.http.rates import Definition
from api.http.standing import standing
from api.text.explanation import lines
from jobs.data.erasure_plan import CUSTOMER, RECIPIENT, change_sql, project_sql, purge_sql
from jobs.operator.decisions import acknowledge
from jobs.operator.suspensions import suspend
from jobs.setup.current_tables import FILE, current_tables
from jobs.setup.migrate import (
    BESIDE,
    CREATE_DATABASE,
    CREATE_RECORD,
    check_nobody_stores,
    migrate,
    migrations,
    render,
)
from jobs.setup.retention import MODIFY, SETTABLE
from schemas import policy, providers
from schemas.counts import MEASURES
from schemas.settings import ClickHouse
from schemas.times import DAY_MS
from streams.alerts.lifecycle import alert_id, transition_id
from streams.io.store import Store, StoreError, open_store
from streams.monitor.batch import BatchJudge
from streams.subjects.arrays import FIELD_INDEX
from streams.subjects.totals import read_totals

#: Parses and writes them again, and runs none.
READ = "SELECT formatQuery(arrayJoin({statements:Array(String)}))"


def test_every_migration_is_applied_once_and_recorded(new_database: Callable[[], ClickHouse]) -> None:
    settings = new_database()
    applied = migrate(settings)
    assert applied == [f"{each.number:04}_{each.name}" for each in migrations()]
    assert migrate(settings) == []


def test_current_sql_has_every_table_as_it_stands_after_all_migrations(new_database: Callable[[], ClickHouse]) -> None:
    settings = new_database()
    migrate(settings)
    store = open_store(settings)
    text = current_tables(store)
    store.close()
    file = resources.files("schemas").joinpath("clickhouse", FILE)
    assert file.read_text(encoding="utf-8") == text, "run `make schemas`"


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
    monkeypatch.setattr("jobs.setup.migrate.migrations", lambda: known[:11])
    migrate(settings)
    store = open_store(settings)
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    row: dict[str, list[object]] = {
        "customer": ["acme"],
        "stream": ["news"],
        "value": ["yahoo"],
        "bucket": [at],
        "source": ["t:x:0"],
    }
    store.insert("counts", {"dimension": ["provider"], **row, "delivered": [7]})
    monkeypatch.undo()
    assert migrate(settings) == [f"{each.number:04}_{each.name}" for each in known[11:]]
    store.insert("counts", {"dimension": ["provider"], **row, "delivered": [5]})
    store.insert("counts", {"dimension": ["from"], **row, "delivered": [5]})
    month = read_totals(store, ["acme"], [30 * DAY_MS], ["yahoo"], int(at.timestamp() * 1000) + 1)
    store.close()
    assert month.counts[0, 0, FIELD_INDEX["delivered"]] == 12


def test_tables_are_not_changed_under_a_worker_that_stores(
    new_database: Callable[[], ClickHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of an earlier version would count wrongly in what a migration makes."""
    settings, known, numbers = new_database(), migrations(), itertools.count()
    # What may be made beside a worker is of no concern to it.
    last = max(place for place, each in enumerate(known) if not each.name.endswith(BESIDE))

    def store_counts() -> None:
        store = open_store(settings)
        store.insert("counts", {"source": [f"t:x:{next(numbers)}"], "bucket": [datetime.now(UTC)]})
        store.close()

    check_nobody_stores(settings, lambda: None)  # there is no table yet
    monkeypatch.setattr("jobs.setup.migrate.migrations", lambda: known[:last])
    migrate(settings)
    store_counts()
    check_nobody_stores(settings, store_counts)  # nothing is to be changed
    monkeypatch.undo()
    said = rf"counts are being stored, so .* runs.*{known[last].number:04}_{known[last].name} makes: stop all"
    with pytest.raises(StoreError, match=said):
        check_nobody_stores(settings, store_counts)
    check_nobody_stores(settings, lambda: None)


def test_alert_from_before_a_migration_goes_on_as_the_same_one(
    new_database: Callable[[], ClickHouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written when there were neither causes, scores nor suspensions is read, judged and explained."""
    settings, known = new_database(), migrations()
    monkeypatch.setattr("jobs.setup.migrate.migrations", lambda: known[:11])
    migrate(settings)
    store = open_store(settings)
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    opened = datetime.fromtimestamp(now_ms / 1000 - 3_600, UTC)
    for table, row in old_rows(opened).items():
        store.insert(table, {name: [value] for name, value in row.items()})
    monkeypatch.undo()
    migrate(settings)

    def judged(after_ms: int) -> list[tuple[str, str, int, int, str | None]]:
        judge = BatchJudge(store, policy.load_policy(), providers.load_providers(), lambda *_: None, lambda: None)
        return [
            (each.data.alert_id, each.data.kind, each.data.episode, each.data.transition, each.data.cause)
            for each in judge.judge_customers(["acme"], now_ms + after_ms).alerts
        ]

    name = alert_id("acme", "customer", "failure", 2)
    assert judged(0) == [], "the level holds, so nothing is reported"
    explained = explain(store, "acme", policy.load_policy(), [], now_ms, past=False)
    assert explained is not None
    said = "\n".join(lines(explained))
    assert f"alert {name}: open since" in said
    assert "opened, good to critical: 300 of 1,000 in 24h" in said
    (shown,) = standing(store, "acme", Definition((), True), policy.load_policy(), now_ms).scopes
    assert (shown.standing, [(each.alert_id, each.level) for each in shown.open_alerts]) == (
        "critical",
        [(name, "critical")],
    )
    suspend(store, "acme", by="Ida", why="bought list", now_ms=now_ms)
    acknowledge(store, name, by="Ida", why="called them", now_ms=now_ms)
    assert judged(1) == [(name, "acknowledged", 2, 2, "operator")]
    mended = {"customer": "acme", "stream": "news", "value": "yahoo", "source": "t:x:0", "bucket": opened}
    columns = {"dimension": "provider", "delivered": 90_000, **mended}
    store.insert("counts", {column: [value] for column, value in columns.items()})
    assert judged(60_000) == []
    assert judged(31 * 60_000) == [(name, "resolved", 2, 3, "late_events")]
    actions = [str(each) for (each,) in store.rows("SELECT action FROM audit ORDER BY time, action")]
    assert sorted(actions) == ["alert acknowledged", "customer suspended", "policy applied"]
    store.close()


def old_rows(opened: datetime) -> dict[str, dict[str, Any]]:
    """By table, what version 11 wrote of a customer whose second alert on failures was opened at a time."""
    opened_ms = int(opened.timestamp() * 1000)
    numbers = {"numerator": 300, "denominator": 1_000, "rate": 0.3, "lower": 0.27, "upper": 0.33, "threshold": 0.1}
    whose = {"customer": "acme", "scope": "customer", "rule": "failure"}
    life = {"episode": 2, "transition": 1, "level": "critical"}
    event_id = transition_id("acme", "customer", "failure", 2, 1, "critical")
    data = {
        "alert_id": alert_id("acme", "customer", "failure", 2),
        "metric": "failure",
        "kind": "opened",
        "previous_level": "good",
        "window": "24h",
        "confidence": 0.95,
        "policy_version": "default-1",
        "explanation": "300 of 1,000 failed.",
        "evidence": {"providers": [{"name": "yahoo", "count": 300, "volume": 1_000}], "ips": [], "listings": []},
        **whose,
        **life,
        **numbers,
    }
    event = {
        "id": event_id,
        "type": "org.repmon.alert.opened.v1",
        "subject": "acme",
        "time": f"{opened:%Y-%m-%dT%H:%M:%S}Z",
        "specversion": "1.0",
        "source": "/repmon/monitor",
        "datacontenttype": "application/json",
        "data": data,
    }
    counted = {"customer": "acme", "stream": "news", "dimension": "provider", "value": "yahoo", "source": "t:x:0"}
    stood = {"customer": "acme", "scope": "customer", "standing": "critical", "since": opened, "updated": opened}
    named = ("kind", "previous_level", "window", "policy_version")
    return {
        "counts": {**counted, "bucket": opened, "delivered": 700, "hard": 300},
        "standings": {**stood, "volume": 1_000, "failure_rate": 0.3, "reasons": ["failure"]},
        "alerts": {
            **whose,
            **life,
            **numbers,
            **{name: data[name] for name in named},
            "time": opened,
            "id": event_id,
            "event": json.dumps(event),
        },
        "alert_states": {
            **whose,
            "updated": opened,
            "level": "critical",
            "state": json.dumps({**whose, **life, "opened_ms": opened_ms, "changed_ms": opened_ms}),
        },
        "audit": {"time": opened, "who": "Ben", "action": "policy applied", "subject": "default-1", "detail": "{}"},
    }


def test_database_name_is_checked_before_it_reaches_sql() -> None:
    with pytest.raises(StoreError, match=r"clickhouse\.database"):
        migrate(ClickHouse(path="unused", database="a; DROP TABLE b"))


def test_cluster_setting_gives_replicated_engines_on_cluster() -> None:
    settings = ClickHouse(cluster="main")
    statements = [render(s, settings) for each in migrations() for s in each.statements]
    assert all("ON CLUSTER main" in s for s in statements)
    assert all("ENGINE = Replicated" in s for s in statements if s.startswith("CREATE TABLE"))
    kinds = ("CREATE TABLE", "ALTER TABLE", "CREATE VIEW", "CREATE OR REPLACE VIEW", "CREATE MATERIALIZED VIEW")
    assert all(s.startswith(kinds) for s in statements)
    assert all("non_replicated" not in s for s in statements)
    assert not any("{aggregating}" in s or "{on_cluster}" in s for s in statements)


def test_the_engine_reads_every_statement_of_a_cluster(store: Store) -> None:
    """Migrations, retention and erasure of every table. What a worker and a recount send names no cluster: it is sent
    to one replica, which tells the others."""
    settings, on_cluster = ClickHouse(cluster="main"), "ON CLUSTER main"
    made = [CREATE_DATABASE, CREATE_RECORD, *(each for found in migrations() for each in found.statements)]
    kept = [
        MODIFY.format(table=table, on_cluster=on_cluster, age=age, days=400) for table, (age, _) in SETTABLE.items()
    ]
    erased = [sql for each in (*CUSTOMER, *RECIPIENT) for sql in change_sql(each, on_cluster)]
    erased += [
        sql(each, on_cluster) for each in (*CUSTOMER, *RECIPIENT) if each.projection for sql in (purge_sql, project_sql)
    ]
    statements = [render(each, settings) for each in made] + kept + erased
    read = store.rows(READ, {"statements": statements})
    assert len(read) == len(statements)
    assert all("ON CLUSTER main" in str(text) for (text,) in read)
