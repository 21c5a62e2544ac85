"""What programs of others import: `repmon.client`, with types, in the wheel and on the pages."""

import tomllib
from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

import repmon.client
from tests.support.root import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def models(hint: Any) -> Iterator[str]:
    """The names of the types of answers in an annotation."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint.__name__
    for each in get_args(hint):
        yield from models(each)


def test_public_names_are_those_of_the_client_and_of_the_types_of_its_answers() -> None:
    assert set(import_module("api.client").__all__) <= set(repmon.client.__all__)
    assert sorted(repmon.client.__all__) == list(repmon.client.__all__)
    for client in (repmon.client.Client, repmon.client.AsyncClient):
        asked = [each for name, each in vars(client).items() if not name.startswith("_") and name != "send"]
        answers = {name for each in asked for name in models(get_type_hints(each).get("return"))}
        assert len(answers) > 10
        assert answers <= set(repmon.client.__all__)


def test_packages_that_its_types_come_from_are_marked_as_typed() -> None:
    """Without the mark a checker reads every name of an installed package as anything (PEP 561)."""
    sources = {getattr(repmon.client, name).__module__.partition(".")[0] for name in repmon.client.__all__}
    assert all((ROOT / each / "py.typed").is_file() for each in {"repmon", *sources})
    found = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]["find"]
    assert "repmon" in found["include"]


def test_pages_import_the_client_by_its_public_name() -> None:
    assert not [page.name for page in PAGES if "from api.client" in page.read_text("utf-8")]
    assert "from repmon.client import" in PAGES[0].read_text("utf-8")
