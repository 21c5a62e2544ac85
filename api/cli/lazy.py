"""Commands that are imported when they are called, so that help, completion and the light ones start at once.

The command line is drawn in `api.cli.table`: what each command is called, one line about it, and where it is defined.
A group knows no more than that, and imports one module: that of the command that was asked for.
"""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple, Union

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem


class CommandEntry(NamedTuple):
    """A command: one line about it, and `module:name` of what it is."""

    line: str
    where: str


class Subgroup(NamedTuple):
    """Several commands under one name, about which `line` says something. `example` is one of theirs."""

    line: str
    commands: Mapping[str, CommandEntry]
    example: str


#: Commands by name.
Table = Mapping[str, Union[CommandEntry, Subgroup]]  # noqa: UP007 - both are classes of this module
#: The same by headings of the help.
Sections = Mapping[str, Table]


#: Options with a note of whoever calls: empty they say nothing, and that is what they mean.
NOTES = frozenset({"why", "label"})


class Command(click.Command):
    """A command whose help ends with examples, each a line as it is typed."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = tuple(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As ever, and nothing that is given is empty."""
        rest = super().parse_args(ctx, args)
        _refuse_empty(self, ctx)
        return rest

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples come last."""
        super().format_epilog(ctx, formatter)
        _write_examples(formatter, self.examples)


class LazyGroup(click.Group):
    """A group that finds its commands in a table."""

    def __init__(self, *args: Any, sections: Sections, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.sections = sections
        self.examples = tuple(examples)
        self._table: dict[str, CommandEntry | Subgroup] = {
            name: found for table in sections.values() for name, found in table.items()
        }

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As ever, and nothing that is given is empty."""
        rest = super().parse_args(ctx, args)
        _refuse_empty(self, ctx)
        return rest

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, for which its module is imported."""
        found = self._table.get(cmd_name)
        if found is None:
            return None
        if isinstance(found, Subgroup):
            return LazyGroup(
                name=cmd_name,
                help=f"{found.line}.",
                sections={"Commands": found.commands},
                examples=[found.example],
                no_args_is_help=True,
            )
        module, _, name = found.where.partition(":")
        with importing():
            command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table is ours, and tested
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As ever; of a name that is none, the nearest is named."""
        if args and args[0] not in self._table:
            from schemas.nearest import meant  # for who mistyped

            if near := meant(args[0], self._table):
                ctx.fail(f"No such command {args[0]!r}{near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and lines, without importing any."""
        widest = max(map(len, self._table))
        for title, table in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{widest}}", found.line) for name, found in table.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples come last."""
        _write_examples(formatter, self.examples)
        super().format_epilog(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names and lines, without importing any."""
        names = [CompletionItem(n, help=each.line) for n, each in self._table.items() if n.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


def command(*examples: str, name: str | None = None) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command; `examples` are lines as they are typed."""
    return click.command(name, cls=Command, examples=examples)


def group(*examples: str, name: str, commands: Table) -> Callable[[Callable[..., Any]], LazyGroup]:
    """Make a function a command that does something by itself, and has others below it."""
    return click.group(
        name, cls=LazyGroup, sections={"Commands": commands}, examples=examples, invoke_without_command=True
    )


def _refuse_empty(command: click.Command, ctx: click.Context) -> None:
    """An option or argument that is given and empty is most often a variable that was not set: as a filter it would
    mean everybody. An option that has no default clears something.

    Raises:
        SettingsError: there is one.
    """
    for each in command.params:
        clears = isinstance(each, click.Option) and not each.required and not isinstance(each.default, str)
        if clears or each.name is None or each.name in NOTES or ctx.params.get(each.name) != "":
            continue
        if ctx.get_parameter_source(each.name) is ParameterSource.COMMANDLINE:
            from schemas.settings import SettingsError

            raise SettingsError(
                f"{each.opts[0] if isinstance(each, click.Option) else each.human_readable_name}: is empty"
            )


def _write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    if examples:
        with formatter.section("Example" if len(examples) == 1 else "Examples"):
            for line in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


@contextmanager
def importing() -> Iterator[None]:
    """Around imports that take a while. They make hundreds of thousands of objects and next to no garbage: the
    collector rests meanwhile, and does not look through them later either. `repmon up` starts with a quarter less
    processor time."""
    known = len(sys.modules)
    gc.disable()
    try:
        with ended_by_interrupt():
            yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        gc.enable()


@contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """The engines take a while to import: until that is done, Ctrl-C ends the process without a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
