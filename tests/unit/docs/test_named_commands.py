"""Commands that pages only name, in sentences or where a reader runs them alone, are there, with those options."""

import re
import shlex

import click
import pytest

from api.cli.main import app
from docs.generate import commands
from tests.support.root import ROOT

PAGES = sorted(
    str(each.relative_to(ROOT))
    for each in (ROOT / "README.md", *(ROOT / "docs").glob("**/*.md"))
    if each.parent.name != "adr"
)
FOUND = dict(commands.commands(app))
GROUPS = {words[:length] for words in FOUND for length in range(1, len(words))} - FOUND.keys()
#: Between backticks in a sentence, or a line of its own in a block.
NAMED = re.compile(r"`(repmon [a-z][^`]*)`|^\s*(?:\$ )?(repmon (?!is up)[a-z].*)$", re.MULTILINE)
#: Of the command itself, before the name of what it is to do.
OWN = {"--config", "-c", "--data", "--verbose", "-v", "--version", "--help"}


def named(page: str) -> list[str]:
    """What the page names, in the page's order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [" ".join((one or other).split()) for one, other in NAMED.findall(text)]


def command_of(words: list[str]) -> tuple[str, ...] | None:
    """The longest beginning of words that is a command or a group."""
    for length in range(min(3, len(words)), 0, -1):
        if tuple(words[:length]) in FOUND.keys() | GROUPS:
            return tuple(words[:length])
    return None


def wrong(text: str) -> str:
    """What of it there is not; empty where there is all."""
    plain = re.split(r"\s(?:#|\||>|&&)|;", text.replace("...", ""))[0]
    try:
        words = shlex.split(plain)[1:]
    except ValueError:  # a sentence's apostrophe
        words = plain.split()[1:]
    found = command_of(words)
    if found is None:
        return "no such command"
    command = FOUND.get(found)
    given = {each.split("=")[0] for each in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", each)}
    known = (
        {name for each in command.params if isinstance(each, click.Option) for name in each.opts} if command else set()
    )
    return ", ".join([*sorted(given - known - OWN), *lacking(command, words[len(found) :], given, text)])


def lacking(command: click.Command | None, rest: list[str], given: set[str], text: str) -> list[str]:
    """What must be there too, where more is given than the command's name: it is copied as it stands."""
    if command is None or not rest or "..." in text or given & OWN:
        return []
    options = [each for each in command.params if isinstance(each, click.Option) and each.required]
    return [f"no {each.opts[0]}" for each in options if not given & set(each.opts)]


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_a_page_names_are_there(page: str) -> None:
    assert {text: fault for text in named(page) if (fault := wrong(text))} == {}


def test_what_is_not_there_is_found() -> None:
    assert wrong("repmon policy show --toml > mine.toml") == ""
    assert wrong("repmon polcy show") == "no such command"
    assert wrong("repmon policy show --yaml") == "--yaml"
    assert wrong("repmon holds release") == "", "only named"
    assert wrong("repmon holds release 3f9c") == "no --by, no --why"
    assert wrong('repmon holds release 3f9c --by Ida --why "our DNS"') == ""
