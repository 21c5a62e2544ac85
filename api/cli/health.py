"""`repmon health`: for a container's health check, or a probe."""

import click

from api.cli.lazy import command
from api.cli.options import with_settings
from api.cli.printing import print_line
from api.stack.health import ask
from schemas.settings import Settings


@command("repmon health", name="health")
@with_settings
def show_health(settings: Settings) -> None:
    """Tell whether the stage on this machine is well.

    Asked is its /healthz, where the settings have it listen: `metrics.port`, `api.port` or `collect.port`, whichever
    answers first. The exit code is 1 if it is not well.
    """
    found = ask(settings)
    print_line(found.said)
    if not found.well:
        raise click.exceptions.Exit(1)
