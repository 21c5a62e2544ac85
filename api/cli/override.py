"""The commands `repmon override ...`: what an operator decides of a customer, by name, with a reason and an end."""

import click

from api.cli.durations import until_ms
from api.cli.fresh_start import fresh_start, fresh_start_line
from api.cli.lazy import command
from api.cli.options import an_id, by, json_lines, needed_why, only_customer, why, with_reached
from api.cli.printing import note_if_none, print_json, print_line
from api.stack.policy import policy_in_force
from jobs.operator.decisions import add_override, check_known, end_override
from jobs.operator.fresh_starts import give_fresh_start
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.decisions.overrides import StoredOverride
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import open_store


@command(
    'repmon override add acme --rule failure --level warning --until 14d --by Ida --why "list mended"',
    name="add",
)
@click.argument("customer")
@click.option("--rule", required=True, help="The rule of the policy.")
@click.option("--level", required=True, help="The worst level it may give: none, watch, warning, ...")
@click.option("--until", required=True, help="Its end: 14d from now, or a time (RFC 3339).")
@by
@needed_why
@click.option("--stream", default="", help="Only for this stream.")
@fresh_start
@with_reached
def add(
    settings: Settings,
    customer: str,
    rule: str,
    level: str,
    until: str,
    by: str,
    why: str,
    stream: str,
    fresh_start: bool,
) -> None:
    """Let a rule give a customer no level worse than one.

    It holds until a time. Running monitors judge by it within seconds. An open alert that is worse goes down at once
    (`overridden`), and is back at what the counts say when the override ends. Of a customer that sent nothing yet,
    `repmon customers set` must have said that there is one.
    """
    if fresh_start and stream:
        raise SettingsError("--fresh-start: is for all mail of a customer, so it does not go with --stream")
    now_ms = utc_now_ms()
    end_ms = until_ms(until, "--until", now_ms)
    store = open_store(settings.clickhouse)
    policy = policy_in_force(settings, store).policy
    check_known(store, customer, stream)
    found = add_override(store, policy, customer, rule, level, end_ms, stream=stream, by=by, why=why, now_ms=now_ms)
    if fresh_start:
        give_fresh_start(store, found.customer, by=by, why=why, now_ms=now_ms)
    store.close()
    print_line(as_line(found))
    if fresh_start:
        print_line(fresh_start_line(customer, now_ms))


@command("repmon override list --customer acme", name="list")
@only_customer
@click.option("--all", "everything", is_flag=True, help="Also include those whose time is over.")
@json_lines
@with_reached
def list_overrides(settings: Settings, customer: str, everything: bool, as_json: bool) -> None:
    """Show the overrides in force.

    Oldest first. Those that were ended are in the audit only.
    """
    now_ms = utc_now_ms()
    store = open_store(settings.clickhouse)
    found = [each for each in stored_overrides(store, now_ms, customer) if everything or each.until_ms > now_ms]
    store.close()
    note_if_none(found, "no overrides")
    for each in found:
        if as_json:
            print_json(each)
        else:
            print_line(as_line(each))


@command("repmon override end 81d03cfa --by Ida", name="end")
@an_id
@by
@why
@with_reached
def end(settings: Settings, which: str, by: str, why: str) -> None:
    """End an override before its time.

    ID is the override's id, or a unique prefix of it.
    """
    store = open_store(settings.clickhouse)
    found = end_override(store, which, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(f"ended {as_line(found)}")


def as_line(found: StoredOverride) -> str:
    """One override as one line of text."""
    stream = f" [{found.stream}]" if found.stream else ""
    level = "judges nothing" if found.at_most == "none" else f"at most {found.at_most}"
    return (
        f"{found.id}  {found.customer}{stream} {found.rule}: {level} until {rfc3339(found.until_ms)}, by {found.by} "
        f"at {rfc3339(found.since_ms)}: {found.why}"
    )
