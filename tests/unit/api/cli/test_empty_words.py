"""What is given and empty, as a variable that was not set, is refused by name: as a filter it would mean everybody."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from api.cli.lazy import NOTES
from api.cli.main import app
from schemas.settings import SettingsError


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*path, name), found
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


def filled(each: click.Parameter) -> list[str]:
    return [each.opts[0], "x"] if isinstance(each, click.Option) else ["x"]


def cases() -> Iterator[tuple[tuple[str, ...], str]]:
    for path, command in commands(app):
        for each in command.params:
            if not isinstance(each, click.Option) or each.name in NOTES:
                continue
            if isinstance(each.default, str) and not each.multiple and each.type is click.STRING:
                yield path, each.opts[0]


@pytest.mark.parametrize(
    ("path", "option"), list(cases()), ids=lambda each: each if isinstance(each, str) else " ".join(each)
)
def test_empty_option_is_refused_before_anything_is_done(path: tuple[str, ...], option: str) -> None:
    """`repmon holds confirm --customer "$WHO"` confirmed all of a hold."""
    command = dict(commands(app))[path]
    needed = [word for each in command.params if each.required and each.opts[0] != option for word in filled(each)]
    done = CliRunner().invoke(app, [*path, *needed, option, ""])
    assert isinstance(done.exception, SettingsError), done.output
    assert str(done.exception) == f"{option}: is empty"


@pytest.mark.parametrize("words", [("notify", "test", ""), ("explain", ""), ("alerts", "text", "")])
def test_empty_argument_is_refused_by_name(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, SettingsError)
    assert str(done.exception).endswith(": is empty")


def test_note_may_be_empty_and_option_without_default_clears() -> None:
    done = CliRunner().invoke(app, ["customers", "set", "acme", "--plan", "", "--by", "", "--why", ""])
    assert str(done.exception) == "--by: is empty"
