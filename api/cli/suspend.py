"""`repmon suspend` and `repmon unsuspend`: what was done about a customer, by name and with a reason."""

from typing import Annotated

import typer

from api.cli.printing import print_line
from jobs.embedded.folder import reached
from jobs.operator.suspensions import suspend, unsuspend
from schemas.times import utc_now_ms
from schemas.wording import rfc3339
from streams.io.store import open_store

Name = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's name.")]
By = Annotated[str, typer.Option("--by", help="Who decides it.")]


def suspend_customer(
    ctx: typer.Context, customer: Name, by: By, why: Annotated[str, typer.Option("--why", help="The reason.")]
) -> None:
    """Record that a customer is suspended: it stays suspended until `unsuspend`, and is judged as before.

    Nothing is stopped by this; that is for your mail servers. It is on record who decided it, when and why.
    """
    store = open_store(reached(ctx.obj).clickhouse)
    suspend(store, customer, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(f"{customer} is suspended, by {by}: {why}")


def unsuspend_customer(
    ctx: typer.Context, customer: Name, by: By, why: Annotated[str, typer.Option("--why", help="The reason.")] = ""
) -> None:
    """Record that a customer is no longer suspended."""
    store = open_store(reached(ctx.obj).clickhouse)
    found = unsuspend(store, customer, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    since = f"was since {rfc3339(found.since_ms)}, by {found.by}: {found.why}"
    print_line(f"{customer} is no longer suspended; it {since}")
