"""The options of commands that read raw bodies, logs or mails."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from streams.adapt import EVERY_FORMAT

C = TypeVar("C", bound=Callable[..., None])


def format_of(names: Iterable[str]) -> Callable[[C], C]:
    """The option `--format` of a command that reads these."""
    known = list(names)

    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(each) for each in known if each.startswith(incomplete)]

    return click.option(
        "--format", "format_name", required=True, shell_complete=complete, help=f"One of {', '.join(known)}."
    )


format_option = format_of(EVERY_FORMAT)
default_customer = click.option("--customer", default="", help="The customer of records that name none.")


def input_arguments(*, required: bool) -> Callable[[C], C]:
    """The argument PATH, any number of times."""
    return click.argument("paths", metavar="PATH...", nargs=-1, required=required, type=click.Path(allow_dash=True))
