"""Rates as pictures: what is drawn stays in the picture, and says what the counts say."""

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from api.console.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    LevelLine,
    RatePoint,
    TimeMark,
    TimeSpan,
    chart,
    thinned,
)
from api.console.templating import environment
from schemas.times import DAY_S, HOUR_S

LEVELS = (LevelLine("warning", 0.001), LevelLine("excessive", 0.003), LevelLine("critical", 0.1))
START = 1_773_316_800  # 2026-03-12 12:00:00 UTC
PLACE = re.compile(r"(-?[\d.]+) (-?[\d.]+)")


def point(hour: int, numerator: int, denominator: int = 1_000) -> RatePoint:
    rate = numerator / denominator if denominator else None
    return RatePoint(START + hour * HOUR_S, numerator, denominator, rate)


def about(numerator: int, denominator: int) -> tuple[float, float]:
    return numerator / denominator / 2, min(1.0, numerator / denominator * 2 + 0.01)


def drawn(points: list[RatePoint], **fields: object) -> Chart:
    return chart("failure", "Failures", points, LEVELS, about, window="24h", **fields)  # type: ignore[arg-type]


def svg(view: Chart) -> ET.Element:
    module = environment().get_template("parts/charts.html").module
    return ET.fromstring(str(module.chart(view)))  # type: ignore[attr-defined]  # noqa: S314 - made here


points = st.lists(
    st.builds(
        lambda hour, top, more: point(hour, top, top + more),
        st.integers(0, 720),
        st.integers(0, 500),
        st.integers(0, 5_000),
    ),
    max_size=60,
    unique_by=lambda each: each.at,
).map(lambda some: sorted(some, key=lambda each: each.at))


@given(points)
def test_everything_is_drawn_inside_of_the_picture(some: list[RatePoint]) -> None:
    view = drawn(some)
    places = [(float(x), float(y)) for path in (*view.lines, *view.bands) for x, y in PLACE.findall(path)]
    places += [(LEFT, each.y) for each in view.levels] + [(LEFT, each.place) for each in view.values]
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in places)
    svg(view)


@given(points, st.integers(2, 50))
def test_thinning_keeps_the_worst_and_the_last_point(some: list[RatePoint], most: int) -> None:
    left = thinned(some, most)
    assert len(left) <= most + 1
    assert [each.rate for each in left[-1:]] == [each.rate for each in some[-1:]]
    rates = [each.rate or 0.0 for each in some]
    assert max([each.rate or 0.0 for each in left], default=0.0) == max(rates, default=0.0)


def test_month_of_hours_has_no_more_points_than_can_be_told_apart() -> None:
    view = drawn([point(hour, hour % 7) for hour in range(720)])
    assert len(PLACE.findall(view.lines[0])) <= MOST_POINTS + 1


def test_line_is_broken_where_there_is_no_mail() -> None:
    view = drawn([point(0, 1), point(1, 2), point(2, 0, 0), point(3, 4)])
    assert len(view.lines) == 2
    assert view.lines[1].endswith("h0")


def test_levels_far_above_the_rate_are_named_and_not_drawn() -> None:
    view = drawn([point(hour, 2) for hour in range(3)])
    assert [each.said for each in view.levels] == ["excessive 0.3 %", "warning 0.1 %"]
    assert view.above == ("critical 10 %",)


def test_words_of_levels_do_not_stand_in_each_other() -> None:
    near = (LevelLine("warning", 0.0010), LevelLine("excessive", 0.0011))
    view = chart("failure", "Failures", [point(0, 2), point(1, 2)], near, about, window="24h")
    assert [each.said for each in view.levels] == ["excessive 0.11 %", ""]


def test_mildest_level_is_drawn_however_low_the_rate_is() -> None:
    assert [each.level for each in drawn([point(0, 0), point(1, 0)]).levels] == ["warning"]


def test_rate_of_hardly_any_mail_does_not_flatten_the_rest() -> None:
    view = drawn([point(0, 3, 3), point(1, 4), point(2, 5)], enough=100)
    assert view.values[-1].said == "1 %"
    assert view.lines[0].startswith(f"M{LEFT} {TOP} ")


def test_without_mail_there_is_no_picture_and_that_is_said() -> None:
    view = drawn([point(0, 0, 0), point(1, 0, 0)])
    assert view.is_empty
    assert view.said == "Failures: No mail in this time, so there is no rate."
    assert svg(view).find("svg") is None


def test_picture_says_in_words_what_it_shows() -> None:
    view = drawn([point(0, 40), point(1, 20)])
    assert view.said == (
        "Failures over the 24h before each moment: at last 2.00 % (20 of 1,000), surely between 1.00 % and 5.00 %; "
        "at most 4.00 %, 2026-03-12 12:00 UTC. Levels: warning 0.1 %, excessive 0.3 %, critical 10 %."
    )


def test_picture_has_title_description_and_a_table() -> None:
    found = svg(drawn([point(0, 40), point(1, 20)]))
    picture = found.find("svg")
    assert picture is not None
    named = (picture.get("aria-labelledby") or "").split()
    assert [each.get("id") for each in picture.findall("*")][:2] == named
    assert len(found.findall("details//tbody/tr")) == 2


def test_spans_and_marks_show_where_they_lie_in_the_time() -> None:
    spans = [TimeSpan(START - DAY_S, START + HOUR_S, "incident"), TimeSpan(START + DAY_S, START + 2 * DAY_S, "later")]
    marks = [TimeMark(START + HOUR_S, "critical", "<b>"), TimeMark(START - 1, "good", "before")]
    view = drawn([point(0, 1), point(2, 1)], spans=spans, marks=marks)
    assert [(each.x, each.said) for each in view.spans] == [(LEFT, "incident")]
    assert [each.said for each in view.marks] == ["<b>"]
    assert "<b>" in {each.text for each in svg(view).iter("title")}


def test_times_are_round_ones_of_the_day_and_of_the_month() -> None:
    day = drawn([point(hour, 1) for hour in range(25)])
    assert [each.said for each in day.times][:3] == ["12:00", "16:00", "20:00"]
    month = drawn([point(hour, 1) for hour in range(721)])
    assert all(re.fullmatch(r"\d+ [A-Z][a-z]{2}", each.said) for each in month.times)
    assert len(month.times) <= 8
