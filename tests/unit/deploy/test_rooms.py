"""Each room says, before anybody opens a door, what comes in, what goes out and who may import it."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.root import ROOT

#: Rooms are the folders of these.
HOUSES = ("streams", "jobs", "api")
ROOMS = sorted(str(file.parent.relative_to(ROOT)) for house in HOUSES for file in (ROOT / house).glob("*/__init__.py"))
MOST_LINES = 12


def paragraph(room: str) -> str:
    text = (ROOT / room / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def test_there_are_rooms() -> None:
    assert len(ROOMS) > 20


@pytest.mark.parametrize("room", ROOMS)
def test_room_says_what_comes_in_what_goes_out_and_who_imports_it(room: str) -> None:
    text = " ".join(paragraph(room).split()).lower()
    assert re.search(r"\bin come|\bcomes? in\b", text)
    assert re.search(r"\bout (go|come)|\bgo(es)? out\b", text)
    assert "import" in text
    assert len(paragraph(room).splitlines()) <= MOST_LINES


@pytest.mark.parametrize("room", [room for room in ROOMS if room.startswith("streams/")])
def test_room_of_streams_names_no_room_that_is_gone(room: str) -> None:
    """A reference such as `streams.alerts` leads somewhere."""
    for word in paragraph(room).replace("`", " ").replace(",", " ").split():
        if word.startswith(("streams.", "schemas.")):
            path = ROOT / Path(*word.rstrip(".;:").split("."))
            assert path.is_dir() or path.with_suffix(".py").is_file(), word
