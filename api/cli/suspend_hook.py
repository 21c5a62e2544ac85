"""`repmon suspend-hook`: whom the alerts would suspend."""

import click

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line
from api.cli.stopping import until_signalled
from jobs.hooks import suspend_hook as hook
from schemas.settings import Settings


@command("repmon suspend-hook --dry-run")
@click.option("--dry-run", is_flag=True, help="Only print whom it would suspend.")
@click.option("--from-beginning", is_flag=True, help="Print everything again.")
@with_reached
def suspend_hook(settings: Settings, dry_run: bool, from_beginning: bool) -> None:
    """Print whom the alerts would suspend, and why.

    Alerts are read from their topic, and each suspension is printed once.
    """
    hook.run(settings.kafka, print_line, until_signalled(), dry_run=dry_run, from_beginning=from_beginning)
