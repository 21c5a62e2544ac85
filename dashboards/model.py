"""The parts of a Grafana dashboard that are used here, as data. Encoded, they are Grafana's dashboard JSON.

Names and nesting are those of Grafana's dashboard JSON model and panel options; queries are the plugin's,
`grafana-clickhouse-datasource` (its documentation, "ClickHouse query editor" and "Template variables").
"""

from typing import Literal

import msgspec

PLUGIN = "grafana-clickhouse-datasource"
#: The query's result shape, as the plugin numbers it.
TIME_SERIES = 0
TABLE = 1

Scalar = str | int | float | bool


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A piece of the JSON; field names become camelCase."""


class DataSourceRef(Part, frozen=True, kw_only=True):
    """Which data source; `${datasource}` is the one chosen at the top of the dashboard."""

    type: str = PLUGIN
    uid: str = "${datasource}"


CHOSEN = DataSourceRef()


class Target(Part, frozen=True, kw_only=True):
    """One query. `format` is TIME_SERIES or TABLE."""

    raw_sql: str
    format: int
    datasource: DataSourceRef = CHOSEN
    editor_type: str = "sql"
    ref_id: str = "A"


class GridPos(Part, frozen=True, kw_only=True):
    """Where a panel stands, on a grid 24 wide."""

    x: int
    y: int
    w: int
    h: int


class ThresholdStep(Part, frozen=True, kw_only=True):
    """From `value` on (None: from the lowest), the colour is `color`."""

    color: str
    value: float | None = None


class Thresholds(Part, frozen=True, kw_only=True):
    """Coloured ranges."""

    steps: tuple[ThresholdStep, ...]
    mode: str = "absolute"


class Color(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A colour or a scheme."""

    mode: str
    fixed_color: str = ""


class MappedValue(Part, frozen=True, kw_only=True):
    """How a value that is a word is shown."""

    color: str
    index: int


class ValueMapping(Part, frozen=True, kw_only=True, tag_field="type", tag="value"):
    """Colours for words."""

    options: dict[str, MappedValue]


class Link(Part, frozen=True, kw_only=True):
    """A link on a cell; `url` may name `${__value.raw}`."""

    title: str
    url: str


class CellOptions(Part, frozen=True, kw_only=True):
    """How a table cell is drawn."""

    type: str


class Mode(Part, frozen=True, kw_only=True):
    """An option that is a mode."""

    mode: str


class GraphStyle(Part, frozen=True, kw_only=True):
    """How a time series is drawn."""

    draw_style: Literal["line", "bars"]
    fill_opacity: int
    stacking: Mode
    thresholds_style: Mode
    line_width: int = 2
    show_points: str = "auto"
    span_nulls: bool = False


class TableStyle(Part, frozen=True, kw_only=True):
    """How table columns are drawn."""

    align: str = "auto"
    filterable: bool = True


class Matcher(Part, frozen=True, kw_only=True):
    """Which fields an override applies to."""

    options: str
    id: str = "byName"


class Property(Part, frozen=True, kw_only=True):
    """One overridden property."""

    id: str
    value: Scalar | Color | CellOptions | tuple[Link, ...] | tuple[ValueMapping, ...] | Thresholds


class FieldOverride(Part, frozen=True, kw_only=True):
    """What differs for one column."""

    matcher: Matcher
    properties: tuple[Property, ...]


class Defaults(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for all columns."""

    unit: str = ""
    decimals: int | None = None
    min: float | None = None
    color: Color | None = None
    custom: GraphStyle | TableStyle | None = None
    thresholds: Thresholds | None = None
    no_value: str = ""


class FieldConfig(Part, frozen=True, kw_only=True):
    """Defaults and what differs."""

    defaults: Defaults
    overrides: tuple[FieldOverride, ...] = ()


class Reduce(Part, frozen=True, kw_only=True):
    """Which value of a column a stat shows."""

    calcs: tuple[str, ...] = ("lastNotNull",)
    fields: str = ""
    values: bool = False


class StatOptions(Part, frozen=True, kw_only=True):
    """Big numbers, one a column."""

    reduce_options: Reduce = Reduce()
    color_mode: str = "background"
    graph_mode: str = "none"
    text_mode: str = "value_and_name"
    orientation: str = "vertical"


class TableOptions(Part, frozen=True, kw_only=True):
    """A table."""

    show_header: bool = True
    cell_height: str = "sm"


class Legend(Part, frozen=True, kw_only=True):
    """The legend of a graph."""

    display_mode: str = "list"
    placement: str = "bottom"
    show_legend: bool = True


class Tooltip(Part, frozen=True, kw_only=True):
    """What the pointer shows."""

    mode: str = "multi"
    sort: str = "none"


class GraphOptions(Part, frozen=True, kw_only=True):
    """A graph."""

    legend: Legend = Legend()
    tooltip: Tooltip = Tooltip()


class Panel(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One panel. `interval` is the least bucket. `id` and `grid_pos` are set on layout."""

    type: Literal["stat", "table", "timeseries"]
    title: str
    targets: tuple[Target, ...]
    field_config: FieldConfig
    options: StatOptions | TableOptions | GraphOptions
    description: str = ""
    interval: str = ""
    datasource: DataSourceRef | None = None
    id: int = 0
    grid_pos: GridPos | None = None


class Row(Part, frozen=True, kw_only=True):
    """The heading of a group of panels, which follow it in the list."""

    title: str
    id: int
    grid_pos: GridPos
    type: str = "row"
    collapsed: bool = False
    panels: tuple[()] = ()


class Current(Part, frozen=True, kw_only=True):
    """The chosen value of a variable."""

    text: str
    value: str


class DataSourceVariable(Part, frozen=True, kw_only=True):
    """The choice of a data source of the plugin's type."""

    current: Current
    name: str = "datasource"
    label: str = "Data source"
    type: str = "datasource"
    query: str = PLUGIN
    refresh: int = 1
    include_all: bool = False
    multi: bool = False


class VariableQuery(Part, frozen=True, kw_only=True):
    """The query of a variable."""

    raw_sql: str
    editor_type: str = "sql"
    ref_id: str = "A"


class QueryVariable(Part, frozen=True, kw_only=True):
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


class Templating(Part, frozen=True, kw_only=True):
    """The variables."""

    list: tuple[DataSourceVariable | QueryVariable, ...]


class TimeRange(Part, frozen=True, kw_only=True):
    """The time range shown at first."""

    from_: str = msgspec.field(name="from", default="now-24h")
    to: str = "now"


class Dashboard(Part, frozen=True, kw_only=True):
    """The whole dashboard, in the JSON model of Grafana 10 and later (schema version 39)."""

    uid: str
    title: str
    description: str
    tags: tuple[str, ...]
    templating: Templating
    panels: tuple[Row | Panel, ...]
    time: TimeRange = TimeRange()
    refresh: str = "1m"
    timezone: str = "browser"
    schema_version: int = 39
    editable: bool = True
    graph_tooltip: int = 1
    #: Grafana numbers dashboards itself; the stable name is `uid`.
    id: None = None
