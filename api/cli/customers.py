"""The commands `repmon customers ...`: which plan a customer has, and which domains it may send from."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.printing import print_json, print_line
from jobs.embedded.folder import reached
from jobs.operator.customers import read_list, remove_customer, set_customer, store_list
from schemas.customer import Customer
from schemas.times import utc_now_ms
from streams.decisions.customers import read_customers
from streams.io.store import open_store

app = typer.Typer(help="What rules may depend on: plans, and domains that customers send from.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="Who decides it.")]
Why = Annotated[str, typer.Option("--why", help="The reason.")]
Name = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's name.")]


@app.command("import")
def import_list(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with the header customer,plan,domains.")],
    by: By,
    why: Why = "",
    whole: Annotated[
        bool, typer.Option("--whole", help="Remove those from the list that the file does not name.")
    ] = False,
) -> None:
    """Import a list of customers: all of it, or nothing if a line is wrong.

    Several domains of a customer are separated by spaces; domains below them are the customer's too.
    """
    customers = read_list(path)
    store = open_store(reached(ctx.obj).clickhouse)
    found = store_list(store, customers, whole=whole, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(f"{found.changed:,} of {len(customers):,} customers are new or changed, {found.removed:,} removed")


@app.command("set")
def set_one(
    ctx: typer.Context,
    customer: Name,
    by: By,
    why: Why = "",
    plan: Annotated[str | None, typer.Option("--plan", help="The plan; '' for none.")] = None,
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="A domain it may send from; may be repeated.")
    ] = None,
) -> None:
    """Put a customer on the list, or change its plan or its domains."""
    store = open_store(reached(ctx.obj).clickhouse)
    found = set_customer(store, customer, plan=plan, domains=domain, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(as_line(found))


@app.command("remove")
def remove(ctx: typer.Context, customer: Name, by: By, why: Why = "") -> None:
    """Take a customer off the list. Its counts and alerts stay."""
    store = open_store(reached(ctx.obj).clickhouse)
    found = remove_customer(store, customer, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    print_line(f"removed {as_line(found)}")


@app.command("list")
def list_customers(
    ctx: typer.Context,
    plan: Annotated[str, typer.Option("--plan", help="Only those of this plan.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the list, by name."""
    store = open_store(reached(ctx.obj).clickhouse)
    found = read_customers(store, plan=plan)
    store.close()
    for each in found:
        if as_json:
            print_json(each)
        else:
            print_line(as_line(each))


def as_line(customer: Customer) -> str:
    """One customer as one line of text."""
    return f"{customer.customer}  plan {customer.plan or '-'}  domains {' '.join(customer.domains) or '-'}"
