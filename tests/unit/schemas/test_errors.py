"""The tree of errors: every error of the project is in it, and the page says so."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import errors

ROOT = Path(__file__).parents[3]
PACKAGES = ("schemas", "streams", "jobs", "api", "dashboards", "repmon")
#: Only where there may be one is a file parsed.
MAY_DEFINE = re.compile(r"\bclass\s+\w*Error\b")


def defined() -> Iterator[tuple[str, list[str]]]:
    """Every error class of the project, with the names of its bases."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)) if MAY_DEFINE.search(text) else ():
                if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                    yield node.name, [ast.unparse(base) for base in node.bases]


def documented() -> dict[str, str]:
    """Each error of the tree in the docstring, with the one it is drawn below."""
    found, above = {}, dict[int, str]()
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"([ │├└─]*)(\w+Error)\b", line):
            depth = (len(match[1]) - 4) // 4
            above[depth] = match[2]
            found[match[2]] = above.get(depth - 1, "Exception")
    return found


def test_every_error_is_drawn_below_its_base() -> None:
    drawn = documented()
    assert len(drawn) > 25
    assert drawn == {name: bases[0] for name, bases in defined()}


def test_every_error_has_the_one_base() -> None:
    bases = dict(defined())
    for name in bases:
        above = name
        while above != "RepmonError":
            assert above in bases, f"{name} does not derive from RepmonError"
            above = bases[above][0]


@pytest.mark.parametrize(
    ("error", "builtin"), [(errors.InvalidInputError, ValueError), (errors.ExternalError, RuntimeError)]
)
def test_what_expects_the_builtin_error_still_catches_it(error: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(error, builtin)
    assert issubclass(error, errors.RepmonError)
