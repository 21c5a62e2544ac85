"""The commands `repmon policy ...`: check a policy, put it in force, and tell which were."""

from pathlib import Path

import click

from api.cli.lazy import command
from api.cli.options import json_lines, limit, with_reached
from api.cli.policy_check import checked, policy_file
from api.cli.printing import print_exactly, print_json, print_line, print_note
from api.stack.policy import policy_in_force
from api.text.policy import described, differences
from jobs.operator.policy_store import apply, publisher
from schemas.applied_policy import AppliedPolicy
from schemas.policy import default_file
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms, utc_time
from schemas.topics import REPUTATION_POLICY
from streams.decisions.applied_policies import history, named, policy_of
from streams.io.broker import BrokerError
from streams.io.store import open_store


@command("repmon policy show", "repmon policy show --toml > in-force.toml", name="show")
@click.option("--toml", "as_toml", is_flag=True, help="Only the file, as it was applied.")
@with_reached
def show(settings: Settings, as_toml: bool) -> None:
    """Show the policy in force, and where it is from."""
    store = open_store(settings.clickhouse)
    in_force = policy_in_force(settings, store)
    store.close()
    if as_toml:
        named_file = Path(settings.policy.file) if settings.policy.file else default_file()
        print_exactly(in_force.applied.text.encode() if in_force.applied else named_file.read_bytes())
        return
    print_line(f"source   {in_force.source}")
    if in_force.applied:
        print_line(f"why      {in_force.applied.why}")
    for line in described(in_force.policy):
        print_line(line)


@command('repmon policy apply stricter.toml --by Ida --why "complaints doubled since May"', name="apply")
@policy_file
@click.option("--by", required=True, help="Who applies it.")
@click.option("--why", required=True, help="Why, for those who ask later.")
@with_reached
def apply_file(settings: Settings, file: str, by: str, why: str) -> None:
    """Put a policy in force.

    It is kept with who, when and why; running monitors look for a newer one every 2 s. Nothing is changed by a policy
    with mistakes, nor by the very text that is in force already.
    """
    for option, value in (("--by", by), ("--why", why)):
        if not value.strip():
            raise SettingsError(f"{option}: must not be empty")
    policy, text = checked(file)
    store = open_store(settings.clickhouse)
    done = apply(store, text, file, by.strip(), why.strip(), utc_now_ms())
    store.close()
    if done.status == "applied":
        print_line(f"applied {done.policy.version}" + (f", before {done.before}" if done.before else ""))
    else:
        print_line(f"{_line(done.policy)}: the same text is in force already, nothing is changed")
    if "unwanted" in policy.used and not settings.ingest.refusals:
        said = (
            "a rule judges unwanted mail, which is counted only with ingest.refusals = true; these settings say false"
        )
        print_note(said)
    if settings.policy.file:
        said = f"policy.file names {settings.policy.file}, which takes precedence: this policy is not used"
        print_note(said)
    _published(settings, done.policy)


@command("repmon policy diff stricter.toml", name="diff")
@policy_file
@click.option("--against", default="", help="An applied version; what is in force if left out.")
@with_reached
def diff(settings: Settings, file: str, against: str) -> None:
    """Show what a policy would change.

    Rule by rule, against the one in force.
    """
    policy, _ = checked(file)
    store = open_store(settings.clickhouse)
    before = policy_of(named(store, against)) if against else policy_in_force(settings, store).policy
    store.close()
    print_line(f"{before.version} -> {policy.version}")
    changes = list(differences(before, policy))
    for line in changes or ["both say the same"]:
        print_line(line)


@command("repmon policy history --limit 5", name="history")
@limit(50)
@json_lines
@with_reached
def show_history(settings: Settings, limit: int, as_json: bool) -> None:
    """Show which policies were applied.

    Newest first: when, by whom, why.
    """
    store = open_store(settings.clickhouse)
    found = history(store, limit + 1)
    store.close()
    for each in found[:limit]:
        plain = {name: getattr(each, name) for name in ("version", "applied_ms", "applied_by", "why")}
        if as_json:
            print_json(plain)
        else:
            print_line(f"{_line(each)}: {each.why}")
    if not found:
        print_note("no policy was applied yet")
    if len(found) > limit:
        print_note(f"there are more than these {limit:,}; --limit says how many are shown")


def _published(settings: Settings, applied: AppliedPolicy) -> None:
    try:
        publisher(settings.kafka)(applied)
    except BrokerError as error:
        raise BrokerError(
            f"the policy is in force, but was not sent to {REPUTATION_POLICY}: {error}; repeat the command to send it"
        ) from error


def _line(applied: AppliedPolicy) -> str:
    when = utc_time(applied.applied_ms)
    return f"{when:%Y-%m-%dT%H:%M:%SZ}  {applied.version}  {applied.applied_by}"
