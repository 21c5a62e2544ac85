"""`repmon dashboards ...`: the Grafana dashboards."""

from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from api.cli.lazy import command
from api.cli.options import with_settings
from api.cli.printing import print_line
from jobs.embedded.folder import READER_KEY, DataFolder
from jobs.embedded.reach import look
from jobs.embedded.reader import READER
from jobs.setup import dashboards
from jobs.setup.dashboards import DashboardError, Manner
from schemas.settings import Settings, names_store
from schemas.watch_settings import Grafana


@command("repmon dashboards deploy", "repmon dashboards deploy --dry-run --diff", name="deploy")
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be.")
@click.option("--diff", is_flag=True, help="Say in what each dashboard differs from what it should be.")
@click.option("--prune", is_flag=True, help="Delete dashboards that an earlier version made and this one does not.")
@with_settings
def deploy(settings: Settings, dry_run: bool, diff: bool, prune: bool) -> None:
    """Create or update folder, data sources and dashboards.

    Where Grafana is, and its token, say the settings in [grafana]. Beside a running `repmon up` with its embedded store
    Grafana is given the user who only reads that.
    """
    console = f"{settings.console.url.rstrip('/') or f'http://127.0.0.1:{settings.api.port}'}/console"
    grafana = _reading_up(settings)
    for line in dashboards.deploy(grafana, settings.clickhouse, console, Manner(dry_run, diff, prune)):
        print_line(line)


def _reading_up(settings: Settings) -> Grafana:
    """The settings of Grafana; where the store is that of a `repmon up`, those of the user who only reads it.

    It need not run now: its port and that user's password are the same at every start.
    """
    grafana = settings.grafana
    if names_store(settings) or grafana.clickhouse_user:
        return grafana
    folder, running = DataFolder(settings.embedded.data), look(settings).running
    if running is not None and not running.reader:
        return grafana  # it was started with another store
    port = urlsplit(running.clickhouse.url).port if running is not None else settings.embedded.store_port
    if not port or (running is None and not (folder.path / READER_KEY).exists()):
        return grafana
    if not settings.embedded.store_port:
        print_line(f"embedded.store_port is 0: the store is at port {port} until the next start, then elsewhere")
    elsewhere = grafana.clickhouse_host != Grafana().clickhouse_host
    return msgspec.structs.replace(
        grafana,
        clickhouse_host=grafana.clickhouse_host if elsewhere else "127.0.0.1",
        clickhouse_port=grafana.clickhouse_port if elsewhere else port,
        clickhouse_user=READER,
        clickhouse_password=folder.reader_password(),
    )


@command("repmon dashboards generate dashboards", name="generate")
@click.argument("folder", metavar="[FOLDER]", type=click.Path(path_type=Path), default="dashboards")
def generate(folder: Path) -> None:
    """Write the JSON of each dashboard.

    FOLDER is dashboards if left out.
    """
    for name, text in dashboards.generate().items():
        path = folder / name
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise DashboardError(f"{path}: cannot be written: {error.strerror}") from error
        print_line(f"wrote {path}")
