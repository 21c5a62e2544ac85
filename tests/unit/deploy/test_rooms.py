"""What rooms and modules say of themselves is true: what comes in, what goes out, and whether a module is pure."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.root import ROOT

#: Rooms are the folders of these.
HOUSES = ("streams", "jobs", "api")
ROOMS = sorted(str(file.parent.relative_to(ROOT)) for house in HOUSES for file in (ROOT / house).glob("*/__init__.py"))
MOST_LINES = 12


def paragraph(room: str) -> str:
    text = (ROOT / room / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def import_rules() -> list[dict[str, Any]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rules: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return rules


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


def test_arrows_of_the_plan_on_the_page_are_those_of_the_import_rules() -> None:
    """A rule names what a room must not import; what is left is what its arrows point to."""
    rules = {
        rule["source_modules"][0].removeprefix("streams."): {
            each.removeprefix("streams.") for each in rule["forbidden_modules"]
        }
        for rule in import_rules()
        if rule["name"].startswith("streams.")
    }
    allowed = {room: set(rules) - forbidden - {room} for room, forbidden in rules.items()}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    inside = page.split("subgraph streams\n", 1)[1].split("\n    end\n", 1)[0]
    drawn = {room: set(others.split(" & ")) for room, others in re.findall(r"^ +(\w+) --> (.+)$", inside, re.MULTILINE)}
    assert drawn == {room: others for room, others in allowed.items() if others}
    assert set(re.findall(r"^ +(\w+)\[", inside, re.MULTILINE)) == set(rules)


def test_module_that_calls_itself_pure_is_held_to_it_by_the_import_rules() -> None:
    (held,) = (
        rule["source_modules"] for rule in import_rules() if rule["name"] == "the pure core does no input or output"
    )
    said = set()
    for file in (path for house in (*HOUSES, "schemas") for path in (ROOT / house).rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        pure = re.compile(r"\bPure\b")
        if pure.search(text) and pure.search(ast.get_docstring(ast.parse(text)) or ""):
            said.add(".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    loose = {name for name in said if not any(f"{name}.".startswith(f"{each}.") for each in held)}
    assert len(said) > 30
    assert not loose
