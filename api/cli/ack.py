"""`repmon alerts ack`: somebody acknowledged an alert."""

import click

from api.cli.lazy import command
from api.cli.options import an_id, with_reached
from api.cli.printing import print_line
from jobs.operator.decisions import acknowledge
from schemas.settings import Settings
from schemas.times import utc_now_ms
from streams.io.store import open_store


@command('repmon alerts ack 4ad262bb --by Ida --why "called them"', name="ack")
@an_id
@click.option("--by", required=True, help="Who acknowledged it.")
@click.option("--why", default="", help="What is being done about it.")
@with_reached
def acknowledge_alert(settings: Settings, which: str, by: str, why: str) -> None:
    """Acknowledge an alert.

    ID is the alert's id as `repmon alerts` shows it, or a unique prefix of it. It is reported as a transition of the
    alert, and holds until the alert rises.
    """
    store = open_store(settings.clickhouse)
    found = acknowledge(store, which, by=by, why=why, now_ms=utc_now_ms())
    store.close()
    scope = "" if found.scope == "customer" else f" ({found.scope})"
    print_line(f"acknowledged {found.alert_id}: {found.customer}{scope} {found.rule} {found.level}, by {by}")
