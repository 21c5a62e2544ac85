"""`repmon keys ...`: keys of the HTTP interface."""

import click

from api.cli.lazy import command
from api.cli.options import json_lines, with_reached
from api.cli.printing import print_json, print_line, print_note
from api.http import keys
from jobs.operator.decisions import DecisionError, check_known
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from streams.io.store import open_store


@command("repmon keys create --customer acme", "repmon keys create --operator --label dashboards", name="create")
@click.option("--customer", default="", help="Whose key it is.")
@click.option("--operator", is_flag=True, help="A key that may ask for any customer.")
@click.option("--label", default="", help="A note to distinguish keys.")
@with_reached
def create(settings: Settings, customer: str, operator: bool, label: str) -> None:
    """Create a key and show it, once."""
    if bool(customer) == operator:
        raise SettingsError("give either --customer NAME or --operator")
    store = open_store(settings.clickhouse)
    if customer:
        try:
            check_known(store, customer)
        except DecisionError as error:
            print_note(f"{error}; the key is made all the same, and works once there is")
    key = keys.create_key(store, customer, label, utc_now_ms())
    store.close()
    print_line(key)


@command("repmon keys list", name="list")
@json_lines
@with_reached
def list_keys(settings: Settings, as_json: bool) -> None:
    """Show whose keys there are.

    The keys themselves are not stored, only their hashes.
    """
    store = open_store(settings.clickhouse)
    found = keys.list_keys(store)
    store.close()
    for key in found:
        if as_json:
            print_json(
                {
                    "id": key.owner.id,
                    "customer": key.customer or None,
                    "operator": key.owner.is_operator,
                    "label": key.label,
                    "created_ms": round(key.created.timestamp() * 1000),
                    "revoked": key.revoked,
                }
            )
            continue
        owner, state = key.customer or "(operator)", "revoked" if key.revoked else "in use"
        print_line(f"{key.owner.id}  {state:<7}  {key.created:%Y-%m-%d %H:%M}Z  {owner}  {key.label}")


@command("repmon keys revoke 3f1c0a9b", name="revoke")
@click.argument("key")
@with_reached
def revoke(settings: Settings, key: str) -> None:
    """Revoke a key: it is refused from now on.

    KEY is the key, or its id.
    """
    store = open_store(settings.clickhouse)
    owner = keys.revoke(store, key, utc_now_ms())
    store.close()
    print_line(f"revoked key {owner.id} of {owner.customer or 'an operator'}")
