"""The page of threats names, for each defence, tests that there are."""

import re

from tests.support.root import ROOT

PAGE = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
TEST = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+)`")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and not line.startswith(("|---", "| who, what"))]


def test_every_defence_names_a_test() -> None:
    assert len(ROWS) > 25
    assert [row for row in ROWS if not NAMED.search(row)] == []


def test_every_named_test_is_there() -> None:
    known = {name for file in (ROOT / "tests").rglob("test_*.py") for name in TEST.findall(file.read_text("utf-8"))}
    assert set(NAMED.findall(PAGE)) - known == set()
