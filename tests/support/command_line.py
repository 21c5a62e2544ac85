"""The command line as a tree of commands, to be looked at without running any."""

from collections.abc import Iterator, Sequence

import click

from api.cli.lazy import LazyGroup
from api.cli.main import app


def parsed(words: Sequence[str]) -> click.Context:
    """The context of the command that `words` (without `repmon`) name, its options parsed and nothing run.

    Raises:
        click.UsageError: there is no such command or option, or one is missing.
    """
    context = app.make_context("repmon", list(words))
    while isinstance(context.command, LazyGroup):
        rest = [*context._protected_args, *context.args]
        if not rest and context.command.invoke_without_command:
            break
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context


def every_command() -> Iterator[tuple[list[str], click.Command]]:
    """Each command and group with the words that name it, imported."""

    def below(words: list[str], group: LazyGroup) -> Iterator[tuple[list[str], click.Command]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield [*words, name], command
            if isinstance(command, LazyGroup):
                yield from below([*words, name], command)

    yield from below([], app)
