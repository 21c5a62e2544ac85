"""The parts of a Grafana dashboard that are used here, as data. Encoded, they are Grafana's dashboard JSON.

Names and nesting are those of Grafana's dashboard JSON model and panel options; queries are the plugin's,
`grafana-clickhouse-datasource` (its documentation, "ClickHouse query editor" and "Template variables").
"""

from typing import Literal

import msgspec

PLUGIN = "grafana-clickhouse-datasource"
PROMETHEUS = "prometheus"
#: The query's result shape, as the plugin numbers it.
TIME_SERIES = 0
TABLE = 1

Scalar = str | int | float | bool


class GrafanaPart(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A piece of the JSON; field names become camelCase."""


class DataSourceRef(GrafanaPart, frozen=True, kw_only=True):
    """Which data source; `${datasource}` is the one chosen at the top of the dashboard."""

    type: str = PLUGIN
    uid: str = "${datasource}"


CHOSEN = DataSourceRef()
CHOSEN_PROMETHEUS = DataSourceRef(type=PROMETHEUS, uid="${prometheus}")


class Target(GrafanaPart, frozen=True, kw_only=True):
    """One query. `format` is TIME_SERIES or TABLE."""

    raw_sql: str
    format: int
    datasource: DataSourceRef = CHOSEN
    editor_type: str = "sql"
    ref_id: str = "A"


class PromTarget(GrafanaPart, frozen=True, kw_only=True):
    """One query of Prometheus. `legend_format` names each series; `instant` asks for the newest value alone."""

    expr: str
    legend_format: str = ""
    instant: bool = False
    range: bool = True
    datasource: DataSourceRef = CHOSEN_PROMETHEUS
    editor_mode: str = "code"
    ref_id: str = "A"


class GridPos(GrafanaPart, frozen=True, kw_only=True):
    """Where a panel stands, on a grid 24 wide."""

    x: int
    y: int
    w: int
    h: int


class ThresholdStep(GrafanaPart, frozen=True, kw_only=True):
    """From `value` on (None: from the lowest), the colour is `color`."""

    color: str
    value: float | None = None


class Thresholds(GrafanaPart, frozen=True, kw_only=True):
    """Coloured ranges."""

    steps: tuple[ThresholdStep, ...]
    mode: str = "absolute"


class Color(GrafanaPart, frozen=True, kw_only=True, omit_defaults=True):
    """A colour or a scheme."""

    mode: str
    fixed_color: str = ""


class MappedValue(GrafanaPart, frozen=True, kw_only=True):
    """How a value is shown: its colour, and the words in its place."""

    color: str
    index: int
    text: str | msgspec.UnsetType = msgspec.UNSET


class ValueMapping(GrafanaPart, frozen=True, kw_only=True, tag_field="type", tag="value"):
    """Colours for words."""

    options: dict[str, MappedValue]


class Link(GrafanaPart, frozen=True, kw_only=True):
    """A link on a cell; `url` may name `${__value.raw}`."""

    title: str
    url: str
    target_blank: bool = False


class CellOptions(GrafanaPart, frozen=True, kw_only=True):
    """How a table cell is drawn."""

    type: str


class Mode(GrafanaPart, frozen=True, kw_only=True):
    """An option that is a mode."""

    mode: str


class GraphStyle(GrafanaPart, frozen=True, kw_only=True):
    """How a time series is drawn."""

    draw_style: Literal["line", "bars"]
    fill_opacity: int
    stacking: Mode
    thresholds_style: Mode
    line_width: int = 2
    show_points: str = "auto"
    span_nulls: bool = False


class LineStyle(GrafanaPart, frozen=True, kw_only=True):
    """Dashes, each so long and so far from the next."""

    fill: str = "dash"
    dash: tuple[int, int] = (8, 8)


class StateStyle(GrafanaPart, frozen=True, kw_only=True):
    """How a state timeline is drawn. With `span_nulls` a state lasts until the next one of its row."""

    fill_opacity: int = 80
    line_width: int = 0
    span_nulls: bool = True


class TableStyle(GrafanaPart, frozen=True, kw_only=True):
    """How table columns are drawn."""

    align: str = "auto"
    filterable: bool = True


class Matcher(GrafanaPart, frozen=True, kw_only=True):
    """Which fields an override applies to."""

    options: str
    id: str = "byName"


class Property(GrafanaPart, frozen=True, kw_only=True):
    """One overridden property."""

    id: str
    value: Scalar | Color | CellOptions | LineStyle | tuple[Link, ...] | tuple[ValueMapping, ...] | Thresholds


class FieldOverride(GrafanaPart, frozen=True, kw_only=True):
    """What differs for one column."""

    matcher: Matcher
    properties: tuple[Property, ...]


class Defaults(GrafanaPart, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for all columns."""

    unit: str = ""
    decimals: int | None = None
    min: float | None = None
    color: Color | None = None
    custom: GraphStyle | TableStyle | StateStyle | None = None
    thresholds: Thresholds | None = None
    no_value: str = ""
    display_name: str = ""
    mappings: tuple[ValueMapping, ...] = ()


class FieldConfig(GrafanaPart, frozen=True, kw_only=True):
    """Defaults and what differs."""

    defaults: Defaults
    overrides: tuple[FieldOverride, ...] = ()


class Reduce(GrafanaPart, frozen=True, kw_only=True):
    """Which value of a column a stat shows."""

    calcs: tuple[str, ...] = ("lastNotNull",)
    fields: str = ""
    values: bool = False


class StatOptions(GrafanaPart, frozen=True, kw_only=True):
    """Big numbers, one a column."""

    reduce_options: Reduce = Reduce()
    color_mode: str = "background"
    graph_mode: str = "none"
    text_mode: str = "value_and_name"
    orientation: str = "vertical"


class TableOptions(GrafanaPart, frozen=True, kw_only=True):
    """A table."""

    show_header: bool = True
    cell_height: str = "sm"


class Legend(GrafanaPart, frozen=True, kw_only=True):
    """The legend of a graph."""

    display_mode: str = "list"
    placement: str = "bottom"
    show_legend: bool = True


class Tooltip(GrafanaPart, frozen=True, kw_only=True):
    """What the pointer shows."""

    mode: str = "multi"
    sort: str = "none"


class GraphOptions(GrafanaPart, frozen=True, kw_only=True):
    """A graph."""

    legend: Legend = Legend()
    tooltip: Tooltip = Tooltip()


class StateOptions(GrafanaPart, frozen=True, kw_only=True):
    """A state timeline. `row_height` is the part of a row that its bar takes."""

    show_value: str = "never"
    merge_values: bool = True
    row_height: float = 0.8
    legend: Legend = Legend()
    tooltip: Tooltip = Tooltip(mode="single")


class Panel(GrafanaPart, frozen=True, kw_only=True, omit_defaults=True):
    """One panel. `interval` is the least bucket. `id` and `grid_pos` are set on layout."""

    type: Literal["stat", "table", "timeseries", "state-timeline"]
    title: str
    targets: tuple[Target | PromTarget, ...]
    field_config: FieldConfig
    options: StatOptions | TableOptions | GraphOptions | StateOptions
    description: str = ""
    interval: str = ""
    datasource: DataSourceRef | None = None
    links: tuple[Link, ...] = ()
    id: int = 0
    grid_pos: GridPos | None = None


class Row(GrafanaPart, frozen=True, kw_only=True):
    """The heading of a group of panels, which follow it in the list."""

    title: str
    id: int
    grid_pos: GridPos
    type: str = "row"
    collapsed: bool = False
    panels: tuple[()] = ()
