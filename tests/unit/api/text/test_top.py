"""The table of the worst customers on terminals of several widths, and its lines in a pipe."""

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from api.explain.worst import WorstLine, WorstRate
from api.text.top import AROUND, LEGEND, plain, table
from tests.support.worst_lines import LINE, NAMES, NOW_MS, UUID

WIDTHS = (80, 120, 200)
SGR = re.compile(r"\x1b\[[0-9;]*m")


def shown(lines: list[WorstLine], width: int, title: str = "worst customers", *, color: bool = False) -> list[str]:
    """The table as a terminal of a width gets it."""
    out = io.StringIO()
    terminal = Console(
        file=out, width=width, height=50, force_terminal=color, color_system="standard" if color else None
    )
    terminal.print(table(lines, title, NOW_MS, width))
    return out.getvalue().removesuffix("\n").split("\n")


def starts(headings: str) -> list[int]:
    return [found.start() for found in re.finditer(r"\S+", headings)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("scope", ["customer", "stream:{}", "stream:news"])
def test_no_name_makes_a_line_wrap_or_moves_a_column(name: str, scope: str, width: int) -> None:
    lines = [LINE, replace(LINE, customer=name, scope=scope.format(name))]
    title, headings, first, second, legend = shown(lines, width)
    assert max(map(cell_len, (title, headings, first, second, legend))) <= width
    alone = shown([LINE], width)
    assert (headings, first) == (alone[1], alone[2]), "columns stay where they are"
    standing = headings.index("standing")
    whose, rest = _split(second, standing)
    assert rest == first[standing:]
    assert whose.strip()


def _split(line: str, cells: int) -> tuple[str, str]:
    """The line before and after so many cells."""
    place = max(place for place in range(len(line)) if cell_len(line[:place]) == cells)
    return line[:place], line[place:]


def test_small_rate_has_the_digits_that_every_other_page_gives_it() -> None:
    small = replace(LINE, complaint=WorstRate(0.000234, (1, 4_270)))
    assert "complaints  0.023 %" in plain(small, NOW_MS)
    assert " 0.023 % " in shown([small], 120)[2]


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (80, "customer standing for rule complaints failures"),
        (120, "customer standing for rule mail complaints failures blocks exposure"),
        (200, "customer standing for rule mail complaints failures blocks exposure score"),
        (40, "customer standing"),
        (10, "customer"),
    ],
)
def test_every_heading_that_is_shown_is_whole_and_the_least_important_go_first(width: int, headings: str) -> None:
    assert shown([LINE], width)[1].split() == headings.split()


def test_names_are_shortened_in_the_middle_and_the_stream_stays_to_be_seen() -> None:
    lines = [replace(LINE, customer=UUID), replace(LINE, customer=UUID, scope="stream:newsletter-weekly")]
    assert [line.split("  ")[0] for line in shown(lines, 80)[2:4]] == [
        "3f2504e0-4…5e82c3301",
        "3f25…3301 [news…kly]",
    ]
    assert [line.split("  ")[0] for line in shown(lines, 200)[2:4]] == [UUID, f"{UUID} [newsletter-weekly]"]


def test_rate_of_too_few_is_shown_as_how_many_of_how_many() -> None:
    few = replace(
        LINE,
        standing="good",
        complaint=WorstRate(7 / 545, (7, 545), enough=False),
        failure=WorstRate(0.0, (0, 0), False),
    )
    line = shown([few], 120)[2]
    assert "    7 of 545           -" in line
    assert "1.28 %" not in line
    assert "complaints 1.28 % (7 of 545, too few)  failures        -" in plain(few, NOW_MS)
    assert "n of m: too few" in shown([few], 80)[-1]


def test_what_is_most_likely_of_older_mail_is_marked() -> None:
    older = replace(LINE, complaint=WorstRate(0.0012, (12, 10_000), outside=17))
    line, _, legend = shown([older], 120)[2], None, shown([older], 80)[-1]
    assert "0.12 % +" in line
    assert "+: more" in legend
    assert "complaints 0.12 % (17 more most likely of mail sent before)" in plain(older, NOW_MS)


def test_counts_that_do_not_fit_in_words_are_written_short() -> None:
    (line,) = shown([replace(LINE, complaint=WorstRate(0.1, (123_456, 999_999), enough=False))], 200)[2:3]
    assert "123456/999999" in line
    (line,) = shown([replace(LINE, complaint=WorstRate(0.1, (1_234, 9_999), enough=False))], 80)[2:3]
    assert "1234/9999" in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"standing": "insufficient_volume"}, "too few"),
        ({"standing": "insufficient_volume", "overridden": True}, "too few *"),
        ({"standing": "good", "overridden": True}, "good *"),
        ({"standing": "suspended", "overridden": True}, "suspended *"),
        ({"standing": "excessive"}, "excessive"),
    ],
)
@pytest.mark.parametrize("width", WIDTHS)
def test_standing_is_whole_and_an_override_is_marked(changes: dict[str, object], words: str, width: int) -> None:
    headings, line = shown([replace(LINE, **changes)], width)[1:3]  # type: ignore[arg-type]
    at = headings.index("standing")
    assert line[at : at + 11].rstrip() == words
    assert plain(replace(LINE, **changes), NOW_MS).startswith(words.ljust(11))  # type: ignore[arg-type]


def test_what_small_customers_share_is_named_in_place_of_a_customer() -> None:
    assert shown([replace(LINE, customer="", scope="pool:shared-1")], 80)[2].startswith("pool shared-1  ")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_are_text_and_nothing_else(name: str) -> None:
    """No markup, no emoji, no link, and no control character besides the table's own colors."""
    line = replace(LINE, customer=name, scope=f"stream:{name}", rule=name)
    for each in shown([line], 200, title=name, color=True):
        assert SGR.sub("", each).isprintable()
    assert plain(line, NOW_MS).isprintable()
    text = "\n".join(shown([replace(LINE, customer=NAMES["markup"])], 200, color=True))
    assert NAMES["markup"] in SGR.sub("", text)


@given(
    st.lists(st.tuples(st.text(max_size=300), st.text(max_size=300), st.integers(0, 10**12)), max_size=5),
    st.integers(1, 250),
)
def test_table_has_a_line_for_each_customer_and_fits_any_terminal(some: list[tuple[str, str, int]], width: int) -> None:
    lines = [replace(LINE, customer=name, scope=f"stream:{stream}", volume=volume) for name, stream, volume in some]
    found = shown(lines, width)
    assert len(found) == len(lines) + AROUND
    assert all(cell_len(line) <= width for line in found)


def test_line_in_a_pipe_has_names_in_full() -> None:
    line = plain(replace(LINE, customer=NAMES["256 characters"], scope="stream:news"), NOW_MS)
    assert line.split() == [
        "critical", NAMES["256 characters"], "news", "12,345", "complaints", "0.12", "%", "failures", "15.10", "%",
        "blocks", "2.00", "%", "exposure", "0.00", "%", "score", "12", "for", "5.0", "h", "rule", "failure",
    ]  # fmt: skip


def test_legend_fits_the_smallest_of_usual_terminals() -> None:
    assert cell_len(LEGEND) <= min(WIDTHS)
