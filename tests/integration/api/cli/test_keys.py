"""`repmon keys` makes the key that is asked for, and never takes one as an argument."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.main import app
from api.http.keys import find, key_id, list_keys
from schemas.settings import ClickHouse
from schemas.times import DAY_MS
from schemas.wording import rfc3339
from streams.io.store import Store

Invoke = Callable[..., Result]


@pytest.fixture
def call(store_settings: ClickHouse, store: Store, tmp_path: Path) -> Invoke:
    """`repmon keys`, where one customer, acme, is known."""
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')
    store.rows("INSERT INTO standings (customer) VALUES ('acme')")
    return lambda *words, said=None: CliRunner().invoke(app, ["--config", str(config), "keys", *words], input=said)


@pytest.fixture
def create(call: Invoke) -> Invoke:
    """`repmon keys create`."""
    return lambda *words: call("create", *words)


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


def test_key_has_the_scopes_that_are_asked_for(create: Invoke, store: Store) -> None:
    create("--operator", "--scope", "act", "--scope", "read")
    create("--customer", "acme")
    assert [key.scopes for key in list_keys(store)] == [("read", "act"), ("read",)]


def test_customers_key_that_acts_is_refused(create: Invoke, store: Store) -> None:
    done = create("--customer", "acme", "--scope", "act")
    assert list_keys(store) == []
    assert "a customer's key can only read, not act" in str(done.exception)


def test_key_is_listed_with_its_end(call: Invoke) -> None:
    call("create", "--operator", "--expires", "2126-03-12T12:00:00Z", "--label", "tv")
    assert "until 2126-03-12T12:00:00.000Z  never used  tv" in call("list").stdout
    assert json.loads(call("list", "--json").stdout)["expires_ms"] == 4_928_990_400_000


def test_key_that_would_have_expired_is_refused(create: Invoke) -> None:
    assert "must not expire before it is made" in str(
        create("--operator", "--expires", "2026-01-01T00:00:00Z").exception
    )


def test_rotated_key_is_like_the_old_which_stays_good_for_a_while(call: Invoke, store: Store) -> None:
    old = call("create", "--operator", "--scope", "act", "--expires", "30d", "--label", "tv").stdout.strip()
    done = call("rotate", key_id(old), "--grace", "1h")
    before, after = find(store, old), find(store, done.stdout.strip())
    assert before and after
    assert (after.scopes, after.label, after.customer) == (("act",), "tv", "")
    assert 29 * DAY_MS < after.expires_ms - before.expires_ms < 30 * DAY_MS
    assert f"the old key of an operator is good until {rfc3339(before.expires_ms)}" in done.stderr
    assert [key.replaces for key in list_keys(store)] == ["", before.id]


def test_old_key_is_not_prolonged_by_its_grace(call: Invoke, store: Store) -> None:
    old = call("create", "--operator", "--expires", "60s").stdout.strip()
    until = find(store, old)
    call("rotate", key_id(old), "--grace", "1h")
    assert find(store, old) == until


@pytest.mark.parametrize("verb", ["revoke", "rotate"])
def test_key_on_the_command_line_is_refused_with_its_id(call: Invoke, store: Store, verb: str) -> None:
    key = call("create", "--operator").stdout.strip()
    said = str(call(verb, key).exception)
    assert f"give its id, {key_id(key)}, or -" in said
    assert key not in said
    assert not list_keys(store)[0].revoked


def test_key_is_revoked_by_its_id_or_as_it_is_read(call: Invoke, store: Store) -> None:
    first, second = (call("create", "--operator").stdout.strip() for _ in range(2))
    assert call("revoke", key_id(first)).exit_code == 0
    assert call("revoke", "-", said=f"{second}\n").exit_code == 0
    assert [key.revoked for key in list_keys(store)] == [True, True]
    assert "is no longer good" in str(call("rotate", key_id(first)).exception)
    assert "is not a key" in str(call("revoke", "-", said="x\n").exception)


def test_what_is_done_with_keys_is_on_record_without_the_key(call: Invoke, store: Store) -> None:
    old = call("create", "--customer", "acme", "--by", "Ida", "--why", "for their dashboard").stdout.strip()
    new = call("rotate", key_id(old), "--by", "Ida").stdout.strip()
    call("revoke", key_id(old))
    rows = store.rows("SELECT action, who, customer, subject, why, detail FROM audit ORDER BY audit.time, action")
    assert [(action, customer, subject) for action, _, customer, subject, *_ in rows] == [
        ("key made", "acme", key_id(old)),
        ("key rotated", "acme", key_id(new)),
        ("key revoked", "acme", key_id(old)),
    ]
    assert [str(who) for _, who, *_ in rows[:2]] == ["Ida", "Ida"]
    assert rows[2][1] not in ("", "Ida"), "whose login it is"
    assert rows[0][4] == "for their dashboard"
    assert key_id(old) in rows[1][5]
    assert old not in str(rows)
