"""Badges and sparklines: well-formed, whatever is written on them."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from api.http.rates import PointNumbers, RateNumbers
from api.routes.pictures import badge, sparkline

POINTS = st.lists(st.one_of(st.none(), st.floats(0, 2)), max_size=40)


def test_badge_says_the_standing_in_words_for_those_who_do_not_see_it() -> None:
    drawn = ElementTree.fromstring(badge("sending", "insufficient_volume"))  # noqa: S314 - made here
    assert drawn.get("aria-label") == "sending: insufficient volume"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")))
def test_label_is_only_text(label: str) -> None:
    drawn = ElementTree.fromstring(badge(label, "good"))  # noqa: S314 - made here
    assert {each.tag.rpartition("}")[2] for each in drawn.iter()} == {"svg", "title", "rect", "g", "text"}


@given(POINTS, st.integers(40, 1_000), st.integers(12, 400))
def test_line_stays_within_the_picture_and_breaks_where_there_is_no_mail(
    rates: list[float | None], width: int, height: int
) -> None:
    points = [PointNumbers("", "", 0, 0, None, RateNumbers(0, 1, rate)) for rate in rates]
    drawn = ElementTree.fromstring(sparkline("complaint", points, width, height))  # noqa: S314 - made here
    lines = [each.get("points", "").split() for each in drawn.iter() if each.tag.endswith("polyline")]
    for x, y in (map(float, point.split(",")) for line in lines for point in line):
        assert 0 <= x <= width
        assert 0 <= y <= height
    runs = "".join("-" if rate is None else "x" for rate in rates).split("-")
    assert len(lines) == len([each for each in runs if each])
