"""The commands `repmon override ...`: what an operator decides of a customer, by name, with a reason and an end."""

from typing import Annotated

import typer

from api.cli.durations import until_ms
from api.cli.printing import print_json, print_line
from api.stack.policy import policy_in_force
from jobs.embedded.folder import reached
from jobs.operator.decisions import add_override, check_known, end_override
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.decisions.overrides import StoredOverride
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import open_store

app = typer.Typer(help="Levels that an operator set for a customer, until a time.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="Who decides it.")]


@app.command("add")
def add(
    ctx: typer.Context,
    customer: Annotated[str, typer.Argument(help="The customer's name.")],
    rule: Annotated[str, typer.Option("--rule", help="The rule of the policy.")],
    level: Annotated[str, typer.Option("--level", help="The worst level it may give: none, watch, warning, ...")],
    until: Annotated[str, typer.Option("--until", help="Its end: 14d from now, or a time (RFC 3339).")],
    by: By,
    why: Annotated[str, typer.Option("--why", help="The reason.")],
    stream: Annotated[str, typer.Option("--stream", help="Only for this stream.")] = "",
) -> None:
    """Let a rule give a customer no level worse than one, until a time.

    Running monitors judge by it within seconds. An open alert that is worse goes down at once (`overridden`), and is
    back at what the counts say when the override ends. Of a customer that sent nothing yet, `repmon customers set` must
    have said that there is one.
    """
    now_ms = utc_now_ms()
    end_ms = until_ms(until, "--until", now_ms)
    settings = reached(ctx.obj)
    store = open_store(settings.clickhouse)
    policy = policy_in_force(settings, store).policy
    check_known(store, customer, stream)
    found = add_override(store, policy, customer, rule, level, end_ms, stream=stream, by=by, why=why, now_ms=now_ms)
    store.close()
    print_line(as_line(found))


@app.command("list")
def list_overrides(
    ctx: typer.Context,
    customer: Annotated[str, typer.Option("--customer", help="Only this customer's.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also include those whose time is over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line; times are epoch ms.")] = False,
) -> None:
    """Show the overrides in force, oldest first. Those that were ended are in the audit only."""
    now_ms = utc_now_ms()
    store = open_store(reached(ctx.obj).clickhouse)
    found = stored_overrides(store, now_ms, customer)
    store.close()
    for each in found:
        if everything or now_ms < each.until_ms:
            if as_json:
                print_json(each)
            else:
                print_line(as_line(each))


@app.command("end")
def end(
    ctx: typer.Context,
    which: Annotated[str, typer.Argument(metavar="ID", help="Its id, or a unique prefix of it.")],
    by: By,
    why: Annotated[str, typer.Option("--why", help="The reason.")] = "",
) -> None:
    """End an override before its time."""
    store = open_store(reached(ctx.obj).clickhouse)
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
