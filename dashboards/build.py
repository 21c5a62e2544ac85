"""Small builders: a panel of each kind, and the layout."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from dashboards.model import (
    TABLE,
    TIME_SERIES,
    CellOptions,
    Color,
    Defaults,
    FieldConfig,
    FieldOverride,
    GraphOptions,
    GraphStyle,
    GridPos,
    Link,
    MappedValue,
    Matcher,
    Mode,
    Panel,
    PromTarget,
    Property,
    Row,
    StateOptions,
    StateStyle,
    StatOptions,
    TableOptions,
    TableStyle,
    Target,
    Thresholds,
    ThresholdStep,
    ValueMapping,
)
from dashboards.palette import LEVEL_COLORS
from dashboards.thresholds import threshold_lines, thresholds_in_force
from schemas.policy_metric import Metric

GRID_WIDTH = 24
#: Ratios are shown as percent.
RATIO = "percentunit"
RATIO_PROPERTIES = (Property(id="unit", value=RATIO), Property(id="decimals", value=3))
#: Seconds, shown as minutes, hours or days.
DURATION = "s"
NO_THRESHOLDS = Thresholds(steps=(ThresholdStep(color="transparent"),))


class PlacedPanel(NamedTuple):
    """A panel and the room it takes, on a grid 24 wide."""

    panel: Panel
    width: int
    height: int


class Group(NamedTuple):
    """A row's heading and its panels, left to right and then down."""

    title: str
    panels: tuple[PlacedPanel, ...]


def stats(title: str, sql: str, colors: dict[str, str], description: str = "") -> Panel:
    """One big number a column of the query's single row; `colors` are by column name."""
    overrides = tuple(
        _override(column, Property(id="color", value=Color(mode="fixed", fixed_color=color)))
        for column, color in colors.items()
    )
    return Panel(
        type="stat",
        title=title,
        description=description,
        targets=(Target(raw_sql=sql, format=TABLE),),
        field_config=FieldConfig(defaults=Defaults(decimals=0, thresholds=NO_THRESHOLDS), overrides=overrides),
        options=StatOptions(),
    )


def table_panel(
    title: str,
    sql: str,
    *,
    ratios: Iterable[str] = (),
    levels: Iterable[str] = (),
    ages: Iterable[tuple[str, float, float]] = (),
    spans: Iterable[str] = (),
    links: Iterable[tuple[str, Link | Iterable[Link]]] = (),
    colors: dict[str, str] = LEVEL_COLORS,
    widths: Iterable[tuple[str, int]] = (),
    description: str = "",
) -> Panel:
    """A table. `ratios` are columns shown as percent, `levels` columns that hold a standing, a level or other words
    that have one of the `colors`; `ages` are columns of seconds, yellow from the first number on and red from the
    second, `spans` seconds without a colour; `widths` are in pixels."""
    overrides = [
        *(_override(each, *RATIO_PROPERTIES) for each in ratios),
        *(_override(each, *_level_properties(colors)) for each in levels),
        *(_override(column, *_age_properties(old, too_old)) for column, old, too_old in ages),
        *(_override(each, Property(id="unit", value=DURATION)) for each in spans),
        *(
            _override(column, Property(id="links", value=(link,) if isinstance(link, Link) else tuple(link)))
            for column, link in links
        ),
        *(_override(column, Property(id="custom.width", value=width)) for column, width in widths),
    ]
    return Panel(
        type="table",
        title=title,
        description=description,
        targets=(Target(raw_sql=sql, format=TABLE),),
        field_config=FieldConfig(
            defaults=Defaults(custom=TableStyle(), thresholds=NO_THRESHOLDS), overrides=tuple(overrides)
        ),
        options=TableOptions(),
    )


def graph(
    title: str,
    sql: str | Iterable[PromTarget],
    *,
    unit: str = "short",
    stacked: bool = False,
    metric: Metric | None = None,
    colors: dict[str, str] | None = None,
    by: str = "",
    least: str = "1m",
    description: str = "",
) -> Panel:
    """Lines over time, or stacked bars. With `metric` the thresholds in force of that metric are drawn. With `by`, a
    column of names, there is a line for each name. `least` is the smallest bucket; counts are kept a minute at a time,
    so a smaller one would show gaps."""
    style = GraphStyle(
        draw_style="bars" if stacked else "line",
        fill_opacity=70 if stacked else 5,
        stacking=Mode(mode="normal" if stacked else "none"),
        thresholds_style=Mode(mode="off"),
    )
    overrides = tuple(
        _override(column, Property(id="color", value=Color(mode="fixed", fixed_color=fixed_color)))
        for column, fixed_color in (colors or {}).items()
    )
    targets: tuple[Target | PromTarget, ...]
    targets = (Target(raw_sql=sql, format=TIME_SERIES),) if isinstance(sql, str) else tuple(sql)
    if metric is not None:
        targets, overrides = (*targets, thresholds_in_force(metric)), (*overrides, *threshold_lines())
    return Panel(
        type="timeseries",
        title=title,
        description=description,
        interval=least,
        targets=targets,
        field_config=FieldConfig(
            defaults=Defaults(
                unit=unit,
                min=0,
                color=Color(mode="palette-classic"),
                custom=style,
                thresholds=NO_THRESHOLDS,
                display_name=f"${{__field.labels.{by}}}" if by else "",
            ),
            overrides=overrides,
        ),
        options=GraphOptions(),
    )


def states(title: str, sql: str, shown: dict[str, tuple[str, str]], *, by: str, description: str = "") -> Panel:
    """What was so from when until when: a row for each name in the column `by`. Each value of the query's number has a
    text and a colour in `shown`."""
    mapped = {
        value: MappedValue(text=text, color=color, index=i) for i, (value, (text, color)) in enumerate(shown.items())
    }
    return Panel(
        type="state-timeline",
        title=title,
        description=description,
        targets=(Target(raw_sql=sql, format=TIME_SERIES),),
        field_config=FieldConfig(
            defaults=Defaults(
                custom=StateStyle(),
                thresholds=NO_THRESHOLDS,
                mappings=(ValueMapping(options=mapped),),
                display_name=f"${{__field.labels.{by}}}",
            )
        ),
        options=StateOptions(),
    )


def numbers(title: str, targets: Iterable[PromTarget], *, unit: str = "short", description: str = "") -> Panel:
    """The newest number of each series, red where it is not what it should be: not zero."""
    steps = (ThresholdStep(color="green"), ThresholdStep(color="red", value=1))
    return Panel(
        type="stat",
        title=title,
        description=description,
        targets=tuple(targets),
        field_config=FieldConfig(
            defaults=Defaults(
                unit=unit, color=Color(mode="thresholds"), thresholds=Thresholds(steps=steps), no_value="none"
            )
        ),
        options=StatOptions(),
    )


def lay_out(groups: Iterable[Group]) -> tuple[Row | Panel, ...]:
    """Headings and panels with their ids and places. The same groups give the same ids."""
    placed: list[Row | Panel] = []
    y = 0
    for group in groups:
        heading = GridPos(x=0, y=y, w=GRID_WIDTH, h=1)
        placed.append(Row(title=group.title, id=len(placed) + 1, grid_pos=heading))
        y += 1
        x = line_height = 0
        for panel, width, height in group.panels:
            if x + width > GRID_WIDTH:
                x, y, line_height = 0, y + line_height, 0
            place = GridPos(x=x, y=y, w=width, h=height)
            placed.append(msgspec.structs.replace(panel, id=len(placed) + 1, grid_pos=place))
            x, line_height = x + width, max(line_height, height)
        y += line_height
    return tuple(placed)


def _override(column: str, *properties: Property) -> FieldOverride:
    return FieldOverride(matcher=Matcher(options=column), properties=properties)


def _level_properties(colors: dict[str, str]) -> tuple[Property, Property]:
    shown = {level: MappedValue(color=color, index=i) for i, (level, color) in enumerate(colors.items())}
    return (
        Property(id="custom.cellOptions", value=CellOptions(type="color-text")),
        Property(id="mappings", value=(ValueMapping(options=shown),)),
    )


def _age_properties(old: float, too_old: float) -> tuple[Property, Property, Property]:
    steps = (
        ThresholdStep(color="green"),
        ThresholdStep(color="yellow", value=old),
        ThresholdStep(color="red", value=too_old),
    )
    return (
        Property(id="unit", value=DURATION),
        Property(id="custom.cellOptions", value=CellOptions(type="color-text")),
        Property(id="thresholds", value=Thresholds(steps=steps)),
    )
