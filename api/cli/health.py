"""`repmon health`: for a container's health check, or a probe."""

import typer

from api.cli.printing import print_line
from api.stack.health import ask


def show_health(ctx: typer.Context) -> None:
    """Whether the stage on this machine is well: asks its /healthz, and ends with 1 if it is not.

    Asked is where the settings have it listen: `metrics.port`, `api.port` or `collect.port`, whichever answers first.
    """
    found = ask(ctx.obj)
    print_line(found.said)
    if not found.well:
        raise typer.Exit(1)
