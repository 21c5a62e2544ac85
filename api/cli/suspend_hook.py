"""`repmon suspend-hook`: acts on customers by their alerts, or says how it would; and what people decide of that."""

import click

from api.cli.lazy import command, group
from api.cli.options import as_json as json_option
from api.cli.options import by, json_lines, needed_why, with_reached
from api.cli.printing import note_if_none, print_json, print_line
from api.cli.stopping import until_signalled
from api.cli.table import SUSPEND_HOOK
from api.stack.hook import run_hook
from api.text.hook import measure_line
from jobs.hooks.lines import Said
from jobs.hooks.shown import shown_measures
from jobs.operator.decisions import DecisionError
from jobs.operator.hook_decisions import approve_action, close_breaker
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from streams.decisions.hook import APPROVALS
from streams.io.deployment import read_deployment
from streams.io.store import open_store


@group(
    "repmon suspend-hook",
    "repmon suspend-hook --act --json",
    name="suspend-hook",
    commands=SUSPEND_HOOK,
)
@click.option("--act", is_flag=True, help="Do what the settings say; without it, only say what would be done.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, which is the default.")
@click.option("--from-beginning", is_flag=True, help="Read all alerts again that are kept.")
@json_option
@with_reached
def suspend_hook(settings: Settings, act: bool, dry_run: bool, from_beginning: bool, as_json: bool) -> None:
    """Act on customers by their alerts, or say how it would.

    An alert is a hint only: what is done follows from what the store says at that moment. What is done at which level
    stands in the settings (`[hook]`). A line is one thing that was done, would be, waits, failed, or was refused.
    """
    if act and dry_run:
        raise SettingsError("--act and --dry-run: give one of them")

    def say(said: Said) -> None:
        if as_json:
            print_json(said)
        else:
            print_line(said.text)

    run_hook(settings, say, until_signalled(), act=act, from_beginning=from_beginning)


@command("repmon suspend-hook list", "repmon suspend-hook list --all --json", name="list")
@click.option("--all", "over", is_flag=True, help="Also what is over.")
@click.option("--dry", is_flag=True, help="What a dry run would have done.")
@json_lines
@with_reached
def list_measures(settings: Settings, over: bool, dry: bool, as_json: bool) -> None:
    """Show what is in force, waits or fails.

    The id is what `approve` takes.
    """
    store = open_store(settings.clickhouse)
    deployment = read_deployment(store, settings.deployment.name)
    found = shown_measures(store, "dry" if dry else "act", deployment.id, over=over)
    store.close()
    note_if_none(found, "nothing is in force, waits or fails")
    for each in found:
        if as_json:
            print_json(each)
        else:
            print_line(measure_line(each, utc_now_ms()))


@command('repmon suspend-hook approve acme --by Ida --why "called them"', name="approve")
@click.argument("which", metavar="CUSTOMER|ID")
@by
@needed_why
@with_reached
def approve_measure(settings: Settings, which: str, by: str, why: str) -> None:
    """Approve what waits for two people.

    Whoever sent to many people is not acted on before two of them, by different names, have approved it.
    """
    store = open_store(settings.clickhouse)
    deployment = read_deployment(store, settings.deployment.name)
    waiting = [each for each in shown_measures(store, "act", deployment.id) if each.measure.waits == "approval"]
    found = [each for each in waiting if each.measure.customer == which or (which and each.id.startswith(which))]
    if not found:
        raise DecisionError(f"nothing of {which!r} waits for an approval; `repmon suspend-hook list` shows what does")
    for each in found:
        people = approve_action(store, each.measure.customer, each.id, by=by, why=why, now_ms=utc_now_ms())
        left = APPROVALS - len(people)
        more = "it is done within seconds, if it is still wanted" if left <= 0 else f"{left} more must approve it"
        print_line(f"approved {each.id}: {each.measure.customer} by {each.measure.action}, by {by}: {why}; {more}")
    store.close()


@command('repmon suspend-hook breaker close --by Ida --why "all of them bought the same list"', name="close")
@click.option("--dry", is_flag=True, help="That of a dry run.")
@by
@needed_why
@with_reached
def close(settings: Settings, dry: bool, by: str, why: str) -> None:
    """Close the breaker.

    What waited for it goes on within seconds, as far as it is still wanted.
    """
    store = open_store(settings.clickhouse)
    was = close_breaker(store, "dry" if dry else "act", by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(f"the breaker is closed, by {by}: {why}; it was open since {was}")
