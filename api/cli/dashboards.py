"""`repmon dashboards ...`: the Grafana dashboard."""

from pathlib import Path

import click

from api.cli.lazy import command
from api.cli.options import with_settings
from api.cli.printing import print_line
from api.stack.policy import policy_in_force
from jobs.setup import dashboards
from jobs.setup.dashboards import DashboardError
from schemas.settings import Settings
from streams.io.store import open_store


@command("repmon dashboards deploy", name="deploy")
@with_settings
def deploy(settings: Settings) -> None:
    """Create or update folder, data source and dashboard.

    Where Grafana is, and its token, say the settings in [grafana].
    """
    store = open_store(settings.clickhouse)
    in_force = policy_in_force(settings, store).policy
    store.close()
    for line in dashboards.deploy(settings.grafana, settings.clickhouse, policy=in_force):
        print_line(line)


@command("repmon dashboards generate reputation.json", name="generate")
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), default="dashboards/reputation.json")
def generate(path: Path) -> None:
    """Write the dashboard's JSON.

    FILE is dashboards/reputation.json if left out.
    """
    text = dashboards.generate()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DashboardError(f"{path}: cannot be written: {error.strerror}") from error
    print_line(f"wrote {path}")
