"""How the tests are laid out: by the rooms they test, and what several of them use lives in tests/support."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.support.root import ROOT

FOLDERS = {
    "tests": {"conformance", "faults", "fuzz", "fuzz_api", "integration", "mutation", "support", "unit", "upgrade"},
    "tests/unit": {"api", "benchmarks", "dashboards", "deploy", "docs", "jobs", "schemas", "streams", "support"},
    "tests/integration": {"api", "dashboards", "deploy", "docs", "jobs", "streams", "support", "browser"},
}
LONGEST_NAME = 80
#: Only where there may be something of it is a file parsed.
MAY_IMPORT_TEST = re.compile(r"\b(import|from)\b[^#\n]*\btest_|^\s+test_\w+( as \w+)?,?$", re.MULTILINE)
FUNCTION = re.compile(r"\bdef (\w+)")


def packages(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir() if each.is_dir() and any(each.rglob("*.py"))}


def files() -> Iterator[tuple[Path, str]]:
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        yield file.relative_to(ROOT), file.read_text(encoding="utf-8")


def test_folders_of_tests_are_those_of_what_they_test() -> None:
    for folder, expected in FOLDERS.items():
        assert packages(ROOT / folder) <= expected, folder
    for top in ("unit", "integration"):
        for layer in ("api", "jobs", "streams"):
            assert packages(ROOT / "tests" / top / layer) <= packages(ROOT / layer), (top, layer)


def test_every_folder_of_tests_is_a_package() -> None:
    """Two files of one name are two modules only then."""
    folders = {file.parent for file in (ROOT / "tests").rglob("*.py")}
    assert [each for each in folders if not (each / "__init__.py").exists()] == []


def test_no_test_imports_from_another() -> None:
    found = [
        f"{file}: {node.module}"
        for file, text in files()
        if MAY_IMPORT_TEST.search(text)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests.")
        if any(part.startswith("test_") for part in [*str(node.module).split("."), *(each.name for each in node.names)])
    ]
    assert found == []


def test_names_of_tests_say_one_thing() -> None:
    """What more is to be said stands in a docstring."""
    found = [f"{file}: {name}" for file, text in files() for name in FUNCTION.findall(text) if len(name) > LONGEST_NAME]
    assert found == []


def test_files_that_are_mutated_and_their_tests_are_there() -> None:
    mutmut = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    named = [*mutmut["paths_to_mutate"], *mutmut["tests_dir"], *mutmut["also_copy"]]
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_no_file_has_a_mark_of_an_unfinished_merge() -> None:
    """One stood in the picture of the README, where no tool looks."""
    marks = tuple(f"{sign * 7} " for sign in "<>")
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "schemas").rglob("*.yaml")]
    texts += [
        each for each in ROOT.iterdir() if each.suffix in {".toml", ".yml"} or each.name in {"Makefile", "Dockerfile"}
    ]
    found = [each for each in texts if any(line.startswith(marks) for line in each.read_text("utf-8").splitlines())]
    assert not found
