"""What surrounds the panels of a dashboard: variables, what is marked on graphs, links, and the dashboard itself.

As `dashboards.model`, names and nesting are those of Grafana's dashboard JSON model.
"""

from typing import Literal

import msgspec

from dashboards.model import CHOSEN, PLUGIN, DataSourceRef, GrafanaPart, Panel, Row, Target


class Current(GrafanaPart, frozen=True, kw_only=True):
    """The chosen value of a variable."""

    text: str
    value: str


class Choice(GrafanaPart, frozen=True, kw_only=True):
    """What is chosen where several may be."""

    text: tuple[str, ...]
    value: tuple[str, ...]


#: Everything is chosen.
ALL = Choice(text=("All",), value=("$__all",))


class Option(GrafanaPart, frozen=True, kw_only=True):
    """What may be chosen."""

    text: str
    value: str
    selected: bool = False


class DataSourceVariable(GrafanaPart, frozen=True, kw_only=True):
    """The choice of a data source of one type, by default the plugin's."""

    current: Current
    name: str = "datasource"
    label: str = "Data source"
    type: str = "datasource"
    query: str = PLUGIN
    refresh: int = 1
    include_all: bool = False
    multi: bool = False


class VariableQuery(GrafanaPart, frozen=True, kw_only=True):
    """The query of a variable."""

    raw_sql: str
    editor_type: str = "sql"
    ref_id: str = "A"


class QueryVariable(GrafanaPart, frozen=True, kw_only=True):
    """A choice among the rows of a query. `refresh` 1 is: on dashboard load."""

    name: str
    label: str
    query: VariableQuery
    definition: str
    datasource: DataSourceRef = CHOSEN
    type: str = "query"
    refresh: int = 1
    sort: int = 0
    include_all: bool = False
    multi: bool = False
    current: Choice | msgspec.UnsetType = msgspec.UNSET


class CustomVariable(GrafanaPart, frozen=True, kw_only=True):
    """A choice among fixed values."""

    name: str
    label: str
    query: str
    options: tuple[Option, ...]
    current: Choice = ALL
    type: str = "custom"
    include_all: bool = True
    multi: bool = True


class TextVariable(GrafanaPart, frozen=True, kw_only=True):
    """A text that whoever deploys sets. `hide` 2 is: nobody sees it at the top of the dashboard."""

    name: str
    label: str
    query: str
    current: Current
    options: tuple[Option, ...]
    type: str = "textbox"
    hide: int = 2


Variable = DataSourceVariable | QueryVariable | CustomVariable | TextVariable


class Templating(GrafanaPart, frozen=True, kw_only=True):
    """The variables."""

    list: tuple[Variable, ...]


class MarkedEvents(GrafanaPart, frozen=True, kw_only=True):
    """What is marked on all graphs of a dashboard: a query of `time`, `timeEnd`, `text` and `tags`."""

    name: str
    icon_color: str
    target: Target
    enable: bool = True
    datasource: DataSourceRef = CHOSEN


class Marks(GrafanaPart, frozen=True, kw_only=True):
    """All that is marked."""

    list: tuple[MarkedEvents, ...] = ()


class BoardLink(GrafanaPart, frozen=True, kw_only=True):
    """A link at the top: to the dashboards of some tags (`dashboards`), or to an address (`link`)."""

    title: str
    type: Literal["dashboards", "link"]
    url: str = ""
    tags: tuple[str, ...] = ()
    icon: str = "external link"
    as_dropdown: bool = False
    keep_time: bool = True
    include_vars: bool = False
    target_blank: bool = False


class TimeRange(GrafanaPart, frozen=True, kw_only=True):
    """The time range shown at first."""

    from_: str = msgspec.field(name="from", default="now-24h")
    to: str = "now"


class Dashboard(GrafanaPart, frozen=True, kw_only=True):
    """The whole dashboard, in the JSON model of Grafana 10 and later (schema version 39)."""

    uid: str
    title: str
    description: str
    tags: tuple[str, ...]
    templating: Templating
    panels: tuple[Row | Panel, ...]
    annotations: Marks = Marks()
    links: tuple[BoardLink, ...] = ()
    time: TimeRange = TimeRange()
    refresh: str = "1m"
    timezone: str = "browser"
    schema_version: int = 39
    editable: bool = True
    graph_tooltip: int = 1
    #: Grafana numbers dashboards itself; the stable name is `uid`.
    id: None = None
