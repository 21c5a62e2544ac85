"""Deploying the dashboards to a stand-in of Grafana, with the store that tests name."""

from dashboards.boards import build_dashboards
from jobs.setup import dashboards
from jobs.setup.dashboards import Manner
from schemas.settings import ClickHouse
from schemas.watch_settings import Grafana

CLICKHOUSE = ClickHouse(url="http://clickhouse:8123", user="reader", password="p@ss", database="reputation")
#: Of the folder and of the first dashboard; of the data source.
TITLE, NAME = "Sending reputation", "repmon-clickhouse"
#: Titles by id.
BOARDS = {board.uid: board.title for board in build_dashboards()}


def deploy(grafana: Grafana, clickhouse: ClickHouse, **manner: bool) -> list[str]:
    """Deploy in a manner (`dry_run`, `diff`, `prune`). Returns what is said."""
    return list(dashboards.deploy(grafana, clickhouse, manner=Manner(**manner)))
