"""The picture of the demo's table in the README has the columns that the table has."""

import re

from api.text.columns import fitted, line
from api.text.top import COLUMNS, LEGEND
from tests.support.root import ROOT

#: As wide as the picture says it is.
WIDTH = 100


def test_headings_and_legend_are_those_of_the_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"On {WIDTH} columns.*?^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    picture = found[1]
    placed = fitted([each.column for each in COLUMNS], WIDTH)
    assert line([each.column.heading for each in placed], placed).rstrip() in picture.splitlines()
    assert LEGEND in picture.splitlines()
    assert max(map(len, picture.splitlines())) <= WIDTH
