"""`repmon alerts ack`: somebody acknowledged an alert."""

from typing import Annotated

import typer

from api.cli.printing import print_line
from jobs.embedded.folder import reached
from jobs.operator.decisions import acknowledge
from schemas.times import utc_now_ms
from streams.io.store import open_store


def acknowledge_alert(
    ctx: typer.Context,
    alert_id: Annotated[str, typer.Argument(help="The alert's id, or a unique prefix of it.")],
    by: Annotated[str, typer.Option("--by", help="Who acknowledged it.")],
    why: Annotated[str, typer.Option("--why", help="What is being done about it.")] = "",
) -> None:
    """Record who acknowledged an alert. It is sent as a transition of the alert, and holds until the alert rises."""
    store = open_store(reached(ctx.obj).clickhouse)
    found = acknowledge(store, alert_id, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    scope = "" if found.scope == "customer" else f" ({found.scope})"
    print_line(f"acknowledged {found.alert_id}: {found.customer}{scope} {found.rule} {found.level}, by {by}")
