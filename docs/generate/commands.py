"""docs/commands.md, from the command line itself: the help of every command, as it is printed."""

from collections.abc import Iterator

import click

from api.cli.lazy import LazyGroup
from api.cli.main import app

WIDTH = 100
HEAD = """# Commands

The help of every command, from the command line itself (`make docs`). Options of `repmon` stand before the command's
name: `repmon --config my.toml up`. A fault that can be put right is named in one line, and the exit code is then 2.
"""


def page() -> str:
    """The page, Markdown."""
    assert isinstance(app, LazyGroup)
    text = HEAD + _block("repmon", app)
    for title, table in app.sections.items():
        text += f"\n## {title}\n"
        for words, command in commands(app):
            if words[0] in table:
                name = " ".join(("repmon", *words))
                text += f"\n### {name}\n{_block(name, command)}"
    return text


def commands(group: LazyGroup, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command by its words, in the order of the help; of a group first itself."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*before, name), command
        if isinstance(command, LazyGroup):
            yield from commands(command, (*before, name))


def _block(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    with context:
        return f"\n```text\n{command.get_help(context).rstrip()}\n```\n"
