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
    Property,
    Row,
    StatOptions,
    TableOptions,
    TableStyle,
    Target,
    Thresholds,
    ThresholdStep,
    ValueMapping,
)
from schemas.levels import Level

GRID_WIDTH = 24
#: Ratios are shown as percent.
RATIO = "percentunit"
#: Standings and alert levels, worst last.
LEVEL_COLORS = {
    "insufficient_volume": "text",
    "good": "green",
    "watch": "blue",
    "warning": "yellow",
    "excessive": "orange",
    "critical": "red",
    "suspended": "purple",
    "reinstated": "super-light-green",
    "inactive": "light-blue",
}
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
    links: Iterable[tuple[str, Link]] = (),
    description: str = "",
) -> Panel:
    """A table. `ratios` are columns shown as percent, `levels` columns that hold a standing or a level; `ages` are
    columns of seconds, yellow from the first number on and red from the second."""
    overrides = [
        *(_override(each, *RATIO_PROPERTIES) for each in ratios),
        *(_override(each, *_level_properties()) for each in levels),
        *(_override(column, *_age_properties(old, too_old)) for column, old, too_old in ages),
        *(_override(column, Property(id="links", value=(link,))) for column, link in links),
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
    sql: str,
    *,
    unit: str = "short",
    stacked: bool = False,
    limits: Iterable[tuple[Level, float]] = (),
    colors: dict[str, str] | None = None,
    description: str = "",
) -> Panel:
    """Lines over time, or stacked bars. `limits` are (level, value): dashed lines in the level's colour."""
    drawn = tuple(ThresholdStep(color=LEVEL_COLORS[level], value=value) for level, value in limits)
    steps = (ThresholdStep(color="transparent"), *drawn)
    style = GraphStyle(
        draw_style="bars" if stacked else "line",
        fill_opacity=70 if stacked else 5,
        stacking=Mode(mode="normal" if stacked else "none"),
        thresholds_style=Mode(mode="dashed" if drawn else "off"),
    )
    overrides = tuple(
        _override(column, Property(id="color", value=Color(mode="fixed", fixed_color=color)))
        for column, color in (colors or {}).items()
    )
    return Panel(
        type="timeseries",
        title=title,
        description=description,
        # Counts are kept a minute at a time, so a smaller bucket would show gaps.
        interval="1m",
        targets=(Target(raw_sql=sql, format=TIME_SERIES),),
        field_config=FieldConfig(
            defaults=Defaults(
                unit=unit,
                min=0,
                color=Color(mode="palette-classic"),
                custom=style,
                thresholds=Thresholds(steps=steps),
            ),
            overrides=overrides,
        ),
        options=GraphOptions(),
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


def _level_properties() -> tuple[Property, Property]:
    shown = {level: MappedValue(color=color, index=i) for i, (level, color) in enumerate(LEVEL_COLORS.items())}
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
