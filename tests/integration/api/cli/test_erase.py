"""`repmon erase`: several customers at once, all or nobody, with a receipt each."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli import erase
from api.cli.main import app
from schemas.settings import ClickHouse
from streams.io.broker import BrokerError
from streams.io.store import Store

Run = Callable[..., Result]


@pytest.fixture
def run(store_settings: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`repmon erase customer ... --by Ida --why asked`, without a broker."""

    def no_broker(*_: object) -> None:
        raise BrokerError("no broker")

    monkeypatch.setattr(erase, "read_kept", no_broker)
    config = tmp_path / "repmon.toml"
    config.write_text(
        f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n'
        f'[ingest]\nhash_key = "0123456789abcdef0123456789abcdef"\n'
    )
    return lambda *words: CliRunner().invoke(
        app, ["--config", str(config), "erase", "customer", *words, "--by", "Ida", "--why", "asked"]
    )


def put_scores(store: Store, *names: str) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    store.insert("suspensions", {"customer": list(names), "updated": [now] * len(names)})


def left(store: Store) -> list[str]:
    return [str(name) for (name,) in store.rows("SELECT DISTINCT customer FROM suspensions ORDER BY customer")]


def test_several_customers_go_with_a_receipt_each(store: Store, run: Run) -> None:
    put_scores(store, "acme", "bond", "cole")
    found = run("acme", "bond", "acme", "--yes", "--json")
    assert found.exit_code == 0, found.output
    receipts = [json.loads(line) for line in found.stdout.splitlines()]
    assert [sum(each["before"] for each in one["tables"]) for one in receipts] == [1, 1]
    assert len({one["subject"] for one in receipts}) == 2
    assert left(store) == ["cole"]
    assert store.rows("SELECT count() FROM audit WHERE action = 'customer erased'") == [(2,)]


def test_nobody_is_erased_where_the_hook_acts_on_one_of_them(store: Store, run: Run) -> None:
    put_scores(store, "acme", "bond")
    row = {"mode": "act", "customer": "bond", "action": "pause", "state": "applied", "version": 1}
    store.insert("hook_actions", {name: [value] for name, value in row.items()})
    found = run("acme", "bond", "--yes")
    assert found.exit_code != 0
    assert "the hook acts on it (pause)" in found.output + str(found.exception)
    assert left(store) == ["acme", "bond"]
