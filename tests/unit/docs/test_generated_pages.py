"""Pages that are made from the code are as the code would make them now, and every setting has its meaning."""

import click
import pytest
from msgspec import Struct

from api.cli.lazy import LazyGroup
from api.cli.main import app
from docs.generate import commands, findings, settings, tables
from docs.generate.__main__ import FOLDER, PAGES
from docs.generate.metrics import registries
from schemas.settings_file import ONE_UNDERSCORE
from schemas.version import VERSION

SECTIONS = dict(settings.sections())
#: How a name ends, and the unit it is then in; the longest ending counts.
UNITS = {
    "_per_s": "1/s",
    "_s": "s",
    "_seconds": "s",
    "_ms": "ms",
    "_mb": "MB",
    "_hours": "h",
    "_days": "d",
    "_bytes": "bytes",
    "_share": "ratio",
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_make_docs_writes(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize(("path", "section"), SECTIONS.items(), ids=SECTIONS)
def test_every_setting_says_what_it_is_for_and_in_which_unit(path: str, section: type[Struct]) -> None:
    assert section.__doc__
    for each in settings.settings_of(path, section):
        assert each.meaning.endswith("."), f"{path}.{each.name} has no sentence below it"
        wanted = next((unit for ending, unit in UNITS.items() if each.name.endswith(ending)), each.unit)
        assert each.unit == wanted, f"{path}.{each.name}"


def test_every_setting_says_since_which_version_it_is_there() -> None:
    there = [
        f"{path}.{each.name}" for path, section in SECTIONS.items() for each in settings.settings_of(path, section)
    ]
    listed = settings.since()
    assert [name for name in there if name not in listed] == [], "add it to docs/since.toml"
    assert [name for name in listed if name not in there] == [], "gone: say so in the changelog, and take it out"
    assert set(listed.values()) <= {VERSION, settings.FIRST}


def test_every_variable_is_named() -> None:
    named = [each.variable for path, section in SECTIONS.items() for each in settings.settings_of(path, section)]
    assert sorted(filter(None, named)) == sorted(ONE_UNDERSCORE.values())


def test_tables_within_tables_are_there() -> None:
    assert {"ingest.mapping.FORMAT", "blocklists.every_minutes", "collect.sources.NAME"} < SECTIONS.keys()


def test_every_metric_says_what_it_counts() -> None:
    for stage, metrics in registries():
        for each in metrics.collect():
            assert each.name.startswith(f"repmon_{stage}_")
            assert each.documentation.endswith("."), each.name


def test_every_command_and_option_says_what_it_is_for() -> None:
    assert isinstance(app, LazyGroup)
    found = dict(commands.commands(app))
    assert {("up",), ("policy", "apply"), ("alerts", "ack")} < found.keys()
    for words, command in found.items():
        assert command.help, words
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, (words, option.name)


def test_every_table_says_what_it_is_for() -> None:
    known = tables.tables()
    told = {name: note for group in tables.notes() for name, note in group.tables.items()}
    assert told.keys() == known.keys()
    assert [
        f"{name}.{column}"
        for name, note in told.items()
        for column in note.columns
        if column not in known[name].columns
    ] == []


def test_every_finding_says_what_when_and_with_which_versions() -> None:
    assert {each.file for each in findings.findings()} == {each.name for each in findings.FOLDER.glob("*.sh")}
