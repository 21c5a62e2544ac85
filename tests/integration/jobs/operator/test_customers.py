"""The list of customers in the store, by its commands."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import app
from jobs.operator.customers import CustomersError, Imported, remove_customer, set_customer, store_list
from schemas.customer import Customer
from schemas.settings import ClickHouse
from streams.decisions.customers import plans, read_customers
from streams.io.store import Store

pytestmark = pytest.mark.usefixtures("standing_clock")

ACME = Customer(customer="acme", plan="pro", domains=("acme.example",))
SMALL = Customer(customer="small", plan="free")
NOW_MS = 1_790_000_000_000


def audit(store: Store) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in store.rows("SELECT action, customer, who FROM audit ORDER BY time")]


def test_list_is_taken_over_and_only_what_changed_is_written_again(store: Store) -> None:
    assert store_list(store, [ACME, SMALL], whole=False, by="ann", why="", now_ms=NOW_MS) == Imported(2, 0)
    assert store_list(store, [ACME, SMALL], whole=True, by="ann", why="", now_ms=NOW_MS + 1) == Imported(0, 0)
    assert read_customers(store) == [ACME, SMALL]
    assert plans(store) == {"acme": "pro", "small": "free"}
    assert audit(store) == [("customers imported", "", "ann")]


def test_customer_that_a_whole_list_lacks_is_taken_off_and_comes_back_with_the_next(store: Store) -> None:
    store_list(store, [ACME, SMALL], whole=True, by="ann", why="", now_ms=NOW_MS)
    assert store_list(store, [SMALL], whole=True, by="ann", why="", now_ms=NOW_MS + 1) == Imported(0, 1)
    assert read_customers(store) == [SMALL]
    assert store_list(store, [ACME], whole=False, by="ann", why="", now_ms=NOW_MS + 2) == Imported(1, 0)
    assert read_customers(store) == [ACME, SMALL]


def test_what_is_not_given_stays(store: Store) -> None:
    set_customer(store, "acme", plan="pro", domains=["acme.example"], by="ann", why="", now_ms=NOW_MS)
    set_customer(store, "acme", plan="free", domains=None, by="ann", why="", now_ms=NOW_MS + 1)
    assert read_customers(store, "acme") == [Customer(customer="acme", plan="free", domains=("acme.example",))]
    set_customer(store, "acme", plan="", domains=None, by="ann", why="", now_ms=NOW_MS + 2)
    assert plans(store) == {}


def test_list_without_contacts_leaves_those_that_are_known(store: Store) -> None:
    told = Customer(customer="acme", plan="pro", contact="ann@acme.example", language="de")
    store_list(store, [told], whole=True, by="ann", why="", now_ms=NOW_MS)
    columns = ("customer", "plan")
    store_list(store, [Customer(customer="acme")], whole=True, by="ann", why="", now_ms=NOW_MS + 1, columns=columns)
    assert read_customers(store) == [Customer(customer="acme", contact="ann@acme.example", language="de")]
    store_list(store, [Customer(customer="acme")], whole=True, by="ann", why="", now_ms=NOW_MS + 2)
    assert read_customers(store) == [Customer(customer="acme")]


def test_customer_that_is_not_on_the_list_cannot_be_removed(store: Store) -> None:
    with pytest.raises(CustomersError, match="'nobody' is not on the list"):
        remove_customer(store, "nobody", by="ann", why="", now_ms=NOW_MS)
    assert audit(store) == []


def test_commands_show_what_they_did(store_settings: ClickHouse, store: Store, tmp_path: Path) -> None:
    config, path = tmp_path / "repmon.toml", tmp_path / "list.csv"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')
    path.write_text("customer,plan,domains\nacme,pro,acme.example\n")

    def repmon(*words: str) -> str:
        result = CliRunner().invoke(app, ["--config", str(config), "customers", *words], catch_exceptions=False)
        return result.output

    assert repmon("import", str(path), "--by", "ann") == "1 of 1 customers are new or changed, 0 removed\n"
    assert json.loads(repmon("list", "--json")) == {
        "customer": "acme",
        "plan": "pro",
        "domains": ["acme.example"],
        "contact": "",
        "language": "",
    }
    assert repmon("set", "acme", "--contact", "ann@acme.example", "--language", "de", "--by", "ann") == (
        "acme  plan pro  domains acme.example  contact ann@acme.example  language de\n"
    )
    repmon("set", "acme", "--contact", "", "--language", "", "--by", "ann")
    assert repmon("set", "acme", "--domain", "acme-mail.example", "--by", "ann") == (
        "acme  plan pro  domains acme-mail.example\n"
    )
    assert repmon("remove", "acme", "--by", "ann") == "removed acme  plan pro  domains acme-mail.example\n"
    assert repmon("list") == "no customers are listed\n"
    assert [action for action, *_ in audit(store)] == [
        "customers imported",
        *["customer changed"] * 3,
        "customer removed",
    ]
