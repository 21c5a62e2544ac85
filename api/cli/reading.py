"""The options of commands that read raw bodies, logs or mails."""

from collections.abc import Callable
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from streams.adapt import EVERY_FORMAT


def _formats(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(each) for each in EVERY_FORMAT if each.startswith(incomplete)]


format_option = click.option(
    "--format", "format_name", required=True, shell_complete=_formats, help=f"One of {', '.join(EVERY_FORMAT)}."
)
default_customer = click.option("--customer", default="", help="The customer of records that name none.")


C = TypeVar("C", bound=Callable[..., None])


def input_arguments(*, required: bool) -> Callable[[C], C]:
    """The argument PATH, any number of times."""
    return click.argument("paths", metavar="PATH...", nargs=-1, required=required, type=click.Path(allow_dash=True))
