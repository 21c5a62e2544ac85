"""Columns of a terminal: what fits, how wide, and how names are shortened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from api.text.columns import GAP, Column, cell, columns, fitted, line, padded, shortened

NAME = Column("name", 8, 20, 3)
RATE = Column("rate", 6, 6, 2, right=True)
NOTE = Column("note", 5, 15, 1)
ALL = (NAME, RATE, NOTE)


def widths(width: int) -> dict[str, int]:
    return {each.column.heading: each.width for each in fitted(ALL, width)}


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (3, {"name": 3}),
        (8, {"name": 8}),
        (15, {"name": 15}),
        (16, {"name": 8, "rate": 6}),
        (22, {"name": 14, "rate": 6}),
        (23, {"name": 8, "rate": 6, "note": 5}),
        (34, {"name": 14, "rate": 6, "note": 10}),
        (45, {"name": 20, "rate": 6, "note": 15}),
        (200, {"name": 20, "rate": 6, "note": 15}),
    ],
)
def test_columns_go_by_importance_and_the_rest_share_what_is_left(width: int, shown: dict[str, int]) -> None:
    assert widths(width) == shown


@given(
    st.lists(
        st.builds(
            lambda least, more, rank: Column("x", least, least + more, rank),
            st.integers(1, 30),
            st.integers(0, 60),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 250),
)
def test_a_row_is_never_wider_than_the_terminal_and_wastes_nothing(some: list[Column], width: int) -> None:
    placed = fitted(some, width)
    total = sum(each.width for each in placed) + GAP * (len(placed) - 1)
    assert total <= width
    assert total == width or all(each.width == each.column.greatest for each in placed)
    if len(placed) > 1:
        assert all(each.column.least <= each.width <= each.column.greatest for each in placed)
    left_out = [each for each in some if all(each is not other.column for other in placed)]
    assert all(each.importance <= other.column.importance for each in left_out for other in placed)


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("acme", 4, "acme"),
        ("acme", 3, "a…e"),
        ("acme", 2, "ac"),
        ("acme", 0, ""),
        ("acme", -1, ""),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", 13, "3f2504…2c3301"),
        ("株式会社メール", 14, "株式会社メール"),
        ("株式会社メール", 13, "株式会…メール"),
        ("株式会社メール", 12, "株式会…ール"),
        ("株式会社メール", 3, "…"),
        ("e\u0301" * 10, 5, "e\u0301e\u0301…e\u0301e\u0301"),
    ],
)
def test_long_text_keeps_its_beginning_and_its_end(text: str, width: int, shown: str) -> None:
    assert shortened(text, width) == shown


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))), st.integers(0, 40))
def test_shortened_text_fits_and_padded_text_fills(text: str, width: int) -> None:
    short = shortened(text, width)
    assert cell_len(short) <= width
    assert short == text or cell_len(text) > width
    assert cell_len(padded(short, width)) == width
    assert padded(short, width, right=True).endswith(short)


def test_line_has_each_cell_in_its_place() -> None:
    placed = fitted(ALL, 34)
    assert line(["a", "5 %", "x" * 30], placed) == "a" + " " * 13 + GAP * " " + "   5 %" + GAP * " " + "xxxxx…xxxx"
    assert cell("メール", placed[0]) == "メール" + " " * 8


def test_rows_are_as_wide_as_their_widest_cell_on_the_terminal() -> None:
    assert columns([("a", "b"), ("日本", "c")]) == ["a     b", "日本  c"]
