"""`repmon keys ...`: keys of the HTTP interface. A key itself is never an argument: others can read those in the list
of processes and in the shell's history."""

import os
import sys
from getpass import getuser

import click

from api.cli.durations import seconds, until_ms
from api.cli.lazy import command
from api.cli.options import json_lines, with_reached
from api.cli.printing import note_if_none, print_json, print_line, print_note
from api.http import keys
from api.http.key_records import MADE, REVOKED, ROTATED, key_decision
from api.http.scopes import SCOPES
from jobs.operator.audit import record_decision
from jobs.operator.decisions import DecisionError, check_known
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.io.store import open_store

#: What stands for a key in place of its id.
STDIN = "-"
which_key = click.argument("key", metavar="ID")
by_whom = click.option("--by", default="", help="Who does it, for the record; the name of your login by default.")
why_so = click.option("--why", default="", help="Why, for the record.")


@command(
    "repmon keys create --customer acme --expires 365d",
    "repmon keys create --operator --scope read --scope act --label dashboards",
    name="create",
)
@click.option("--customer", default="", help="Whose key it is.")
@click.option("--operator", is_flag=True, help="A key that may ask for any customer.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("read",),
    show_default=True,
    help="What it may do; may be repeated. A customer's key can only read.",
)
@click.option("--expires", default="", help="Until when it is good: a time (RFC 3339), or a duration such as 365d.")
@click.option("--label", default="", help="A note to distinguish keys.")
@by_whom
@why_so
@with_reached
def create(
    settings: Settings,
    customer: str,
    operator: bool,
    scopes: tuple[str, ...],
    expires: str,
    label: str,
    by: str,
    why: str,
) -> None:
    """Create a key and show it, once.

    That it was made is on record (`repmon audit`)."""
    if bool(customer) == operator:
        raise SettingsError("give either --customer NAME or --operator")
    now_ms = utc_now_ms()
    expires_ms = max(1, until_ms(expires, "--expires", now_ms)) if expires else 0  # 0 would be for ever
    store = open_store(settings.clickhouse)
    if customer:
        try:
            check_known(store, customer)
        except DecisionError as error:
            print_note(f"{error}; the key is made all the same, and works once there is")
    key = keys.create_key(store, customer, label, now_ms, scopes, expires_ms)
    owner = keys.find(store, key)
    assert owner is not None  # noqa: S101 - it was just stored
    record_decision(store, key_decision(now_ms, _who(by), MADE, owner, why))
    store.close()
    print_line(key)


@command("repmon keys list", name="list")
@json_lines
@with_reached
def list_keys(settings: Settings, as_json: bool) -> None:
    """Show whose keys there are.

    The keys themselves are not stored, only their hashes. When a key was last used is stored once a minute.
    """
    store = open_store(settings.clickhouse)
    found, used, now_ms = keys.list_keys(store), keys.last_uses(store), utc_now_ms()
    store.close()
    note_if_none(found, "no keys")
    for key in found:
        owner, used_ms = key.owner, used.get(key.key_hash)
        if as_json:
            print_json(
                {
                    "id": owner.id,
                    "customer": key.customer or None,
                    "operator": owner.is_operator,
                    "scopes": key.scopes,
                    "label": key.label,
                    "created_ms": round(key.created.timestamp() * 1000),
                    "expires_ms": owner.expires_ms or None,
                    "last_used_ms": used_ms,
                    "replaces": key.replaces or None,
                    "revoked": key.revoked,
                }
            )
            continue
        state = "revoked" if key.revoked else "expired" if owner.is_over(now_ms) else "in use"
        said = [
            owner.id,
            f"{state:<7}",
            f"{key.created:%Y-%m-%d %H:%M}Z",
            key.customer or "(operator)",
            ",".join(key.scopes),
            *([f"until {rfc3339(owner.expires_ms)}"] if owner.expires_ms else []),
            f"last used {rfc3339(used_ms)}" if used_ms else "never used",
            *([f"replaces {key.replaces}"] if key.replaces else []),
            *([key.label] if key.label else []),
        ]
        print_line("  ".join(said))


@command("repmon keys rotate 3f1c0a9b7d2e4f60 --grace 7d", name="rotate")
@which_key
@click.option(
    "--grace",
    default="24h",
    show_default=True,
    help="How long the old key stays good; revoke it where it became known.",
)
@by_whom
@why_so
@with_reached
def rotate(settings: Settings, key: str, grace: str, by: str, why: str) -> None:
    """Create a key in place of another and show it, once.

    It has the owner, the scopes and the lifetime of the old key, which stays good for a while, so that nobody is
    without one. ID is the old key's id; with - the key itself is read from the standard input.
    """
    grace_s = seconds(grace, "--grace") or 0.0
    store, now_ms = open_store(settings.clickhouse), utc_now_ms()
    made = keys.rotate(store, _named(key), round(grace_s * 1000), now_ms)
    record_decision(store, key_decision(now_ms, _who(by), ROTATED, made.owner, why, replaces=made.old.id))
    store.close()
    print_line(made.key)
    print_note(f"the old key of {_of(made.owner)} is good until {rfc3339(made.old_until_ms)}")


@command("repmon keys revoke 3f1c0a9b7d2e4f60", "repmon keys revoke - < key.txt", name="revoke")
@which_key
@by_whom
@why_so
@with_reached
def revoke(settings: Settings, key: str, by: str, why: str) -> None:
    """Revoke a key: every interface refuses it within two seconds.

    ID is the key's id; with - the key itself is read from the standard input.
    """
    store, now_ms = open_store(settings.clickhouse), utc_now_ms()
    owner = keys.revoke(store, _named(key), now_ms)
    record_decision(store, key_decision(now_ms, _who(by), REVOKED, owner, why))
    store.close()
    print_line(f"revoked key {owner.id} of {_of(owner)}")


def _who(by: str) -> str:
    """Who does it, as records name them."""
    if by.strip():
        return by.strip()
    try:
        return getuser()
    except (OSError, KeyError):  # an account without a name, as in a container
        return f"uid {os.getuid()}"


def _of(owner: keys.KeyOwner) -> str:
    return owner.customer or "an operator"


def _named(word: str) -> str:
    """The key's id, or the key that is read.

    Raises:
        SettingsError: the word is a key itself, or what is read is none.
    """
    if keys.KEY_FORMAT.fullmatch(word):
        raise SettingsError(
            "a key does not belong on the command line, where others can read it; "
            f"give its id, {keys.key_id(word)}, or - and the key on the standard input"
        )
    if word != STDIN:
        return word
    read = sys.stdin.readline().strip()
    if not keys.KEY_FORMAT.fullmatch(read):
        raise SettingsError("the standard input is not a key")
    return read
