"""`repmon keys create` makes the key that is asked for, and says where the customer's name looks mistyped."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.main import app
from api.http.keys import list_keys
from schemas.settings import ClickHouse
from streams.io.store import Store

Invoke = Callable[..., Result]


@pytest.fixture
def create(store_settings: ClickHouse, store: Store, tmp_path: Path) -> Invoke:
    """`repmon keys create`, where one customer, acme, is known."""
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')
    store.rows("INSERT INTO standings (customer) VALUES ('acme')")
    return lambda *words: CliRunner().invoke(app, ["--config", str(config), "keys", "create", *words])


def test_key_of_a_customer_that_is_known_is_made_without_a_word(create: Invoke, store: Store) -> None:
    done = create("--customer", "acme")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("rmk_")
    assert [key.customer for key in list_keys(store)] == ["acme"]


@pytest.mark.parametrize(("name", "meant"), [("acne", "; did you mean 'acme'?"), ("larkspur", "")])
def test_key_of_a_customer_never_seen_is_made_with_a_warning(create: Invoke, name: str, meant: str) -> None:
    done = create("--customer", name)
    assert done.exit_code == 0
    assert done.stdout.startswith("rmk_")
    wanted = f"nothing is stored of customer '{name}'{meant}; the key is made all the same, and works once there is"
    assert done.stderr == wanted + "\n"


def test_key_of_an_operator_warns_of_nobody(create: Invoke) -> None:
    assert create("--operator").stderr == ""
