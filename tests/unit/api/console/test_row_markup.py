"""A row of the fleet as markup: whatever text comes from outside stands in it as text, and nowhere else."""

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from api.console.fleet.row_markup import draw_row
from api.console.fleet.rows import FleetRow, RuleFigures
from api.explain.worst import WorstLine, WorstRate
from api.text.harmless import harmless

RATE = WorstRate(0.0123, (123, 10_000))
FIGURES = RuleFigures(
    metric="failure", window="6h", numerator=65, denominator=249, rate=0.261, lower=0.1595, upper=0.3843, threshold=0.1
)
#: What markup is made of, and what turns or steers what stands after it.
SIGNS = st.sampled_from("ab1 '\"<>&=/:%#?\u202e\u05e9\u5ba2\x1b\n`{}")
TEXTS = st.text(SIGNS | st.characters(codec="utf-8"), max_size=40)


class Tree(HTMLParser):
    """Tags with the names of their attributes, in their order; texts; and values of attributes."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, ...]] = []
        self.values: list[str] = []
        self.said = ""
        self.feed(str(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        self.said += data


def row(**changes: Any) -> FleetRow:
    line: dict[str, Any] = {
        "customer": "acme", "scope": "stream:news", "standing": "critical", "since_ms": 1_000, "rule": "failure",
        "overridden": True, "volume": 1_234, "score": 50, "place": (0, 0.0, -1, "", ""), "held": True, "held_for": "",
        "acknowledged": True, "complaint": RATE, "failure": RATE, "block": RATE, "exposure": RATE,
    }  # fmt: skip
    return FleetRow(line=WorstLine(**line | changes), trend=(0.01, None, 0.02, 0.03), figures=FIGURES)


@given(name=TEXTS.filter(bool), stream=TEXTS.filter(bool), rule=TEXTS.filter(bool), standing=TEXTS, window=TEXTS)
def test_text_of_any_kind_is_text_wherever_it_stands(
    name: str, stream: str, rule: str, standing: str, window: str
) -> None:
    plain = Tree(draw_row(row(), "r1", 61_000))
    given = row(customer=name, scope=f"stream:{stream}", rule=rule, standing=standing)
    given = msgspec.structs.replace(given, figures=msgspec.structs.replace(FIGURES, window=window))
    drawn = Tree(draw_row(given, "r1", 61_000))
    assert drawn.tags == plain.tags
    for text in (name, stream, rule, standing, window):
        assert harmless(text) in drawn.said
    assert harmless(name) in drawn.values


def test_row_says_all_that_is_known() -> None:
    drawn = Tree(draw_row(row(), "r1", 61_000))
    said = drawn.said.replace("\u00a0", " ")
    for text in (
        "Stream news",
        "critical",
        "1 min",
        "26.10 %",
        "10.00 %",
        "1,234",
        "1.23 %",
        "held",
        "seen",
        "override",
    ):
        assert text in said
    titles = "\n".join(drawn.values).replace("\u00a0", " ")
    assert "65 of 249 in 6h" in titles
    assert "surely from 15.95 % to 38.43 %; the threshold is 10.00 %" in titles
    assert "failure rate by hour, from 1.00 % to 3.00 %" in titles


def test_number_of_listings_is_counted_and_no_rate_between_bounds() -> None:
    listings = RuleFigures(
        metric="critical_listing", window="1h", numerator=2, denominator=0, rate=2, lower=2, upper=2, threshold=1
    )
    drawn = Tree(draw_row(msgspec.structs.replace(row(rule="critical_listing"), figures=listings), "r1", 61_000))
    assert "counted 2; the threshold is 1" in "\n".join(drawn.values)
    assert "surely" not in drawn.said + "".join(drawn.values)


def test_what_is_not_known_is_no_figure() -> None:
    few, unseen = replace(RATE, enough=False), replace(RATE, unseen=(12, 900))
    known = row(rule="", complaint=unseen, failure=few, block=WorstRate(0.0, (0, 0)), score=None)
    drawn = Tree(draw_row(msgspec.structs.replace(known, figures=None, trend=()), "r1", 61_000))
    assert "not seen" in drawn.said
    assert "123 of 10,000, too few to be judged by" in drawn.values
    assert "Of 900 recipients only 12 are with providers that report complaints" in drawn.values
    assert "svg" not in [tag for tag, *_ in drawn.tags]
    assert drawn.said.split()[-2:] == ["%", "-"]


def test_what_small_customers_share_has_no_page_of_a_customer() -> None:
    drawn = Tree(draw_row(row(customer="", scope="pool:shared-1"), "r1", 61_000))
    assert "shared-1" in drawn.said
    assert not any("/console/customers/" in value for value in drawn.values)
