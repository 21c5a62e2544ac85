"""How long rows are kept is what the settings say."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources

import msgspec
import pytest

from jobs.setup.retention import FIXED, NEVER, SETTABLE, apply_retention, changes, kept_days, planned_lines
from schemas.retention import Retention
from schemas.settings import ClickHouse
from streams.io.store import Store, open_store

TABLE = re.compile(r"CREATE TABLE reputation\.(\w+)\n.*?;\n", re.DOTALL)


@pytest.fixture
def store(store_settings: ClickHouse) -> Iterator[Store]:
    with open_store(store_settings) as opened:
        yield opened


def test_every_table_that_forgets_is_settable_or_rests_on_a_promise() -> None:
    text = resources.files("schemas").joinpath("clickhouse", "CURRENT.sql").read_text(encoding="utf-8")
    forgetting = {match[1] for match in TABLE.finditer(text) if "\nTTL " in match[0]}
    assert forgetting == SETTABLE.keys() | FIXED.keys()
    assert not SETTABLE.keys() & FIXED.keys()


def test_what_migrations_make_is_the_default(store: Store) -> None:
    assert kept_days(store).keys() == SETTABLE.keys()
    assert changes(kept_days(store), Retention()) == []


def test_shorter_time_removes_rows_and_says_how_many_before(store: Store) -> None:
    now = datetime.now(UTC)
    letters = [now - timedelta(days=days) for days in (1, 9, 20)]
    store.insert(
        "dead_letters",
        {"topic": ["t"] * 3, "source": ["s"] * 3, "position": [1, 2, 3], "time": letters, "reason": ["r"] * 3},
    )
    shorter = Retention(dead_letters_days=8)
    line = "dead_letters: kept 30 days, now 8 days (retention.dead_letters_days); 2 rows are older and go for good"
    assert planned_lines(store, changes(kept_days(store), shorter)) == [line]
    assert store.rows("SELECT count() FROM dead_letters")[0][0] == 3, "to say it changes nothing"
    assert apply_retention(store, shorter) == [line]
    assert apply_retention(store, shorter) == []
    store.run("OPTIMIZE TABLE dead_letters FINAL")
    assert store.rows("SELECT position FROM dead_letters") == [(1,)]
    longer = "dead_letters: kept 8 days, now 30 days (retention.dead_letters_days)"
    assert apply_retention(store, Retention()) == [longer]


def test_every_settable_table_takes_its_time(store: Store) -> None:
    longer = {name: days + 1 for name, days in msgspec.structs.asdict(Retention()).items()}
    wanted = msgspec.convert(longer, Retention)
    assert len(apply_retention(store, wanted)) == len(SETTABLE)
    assert changes(kept_days(store), wanted) == []


def test_counts_that_are_kept_without_end_are_said_so() -> None:
    (change,) = changes({"counts": NEVER}, Retention())
    assert change.shortens
    assert change.line() == "counts: kept without end, now 400 days (retention.counts_days)"
