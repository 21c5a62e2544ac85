"""What several commands have in common: their options, and how they get at the settings."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click

from schemas.errors import ExternalError

if TYPE_CHECKING:
    from schemas.settings import Settings
    from schemas.watch_settings import LogSettings

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
#: What a context holds: the settings are read by commands that need them, and not before.
Read = Callable[[], "Settings"]

NOISY = ("faust", "mode", "aiokafka", "kafka", "urllib3", "clickhouse_connect")

by = click.option("--by", required=True, help="Who decides it.")
why = click.option("--why", default="", help="The reason.")
needed_why = click.option("--why", required=True, help="The reason.")
only_customer = click.option("--customer", default="", help="Only this customer's.")
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
json_lines = click.option("--json", "as_json", is_flag=True, help="One JSON object a line; times are epoch ms.")
duration = click.option("--for", "duration", default="", help="Stop after this time, for example 60s or 5m.")
an_id = click.argument("which", metavar="ID")


def limit(default: int) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """At most so many lines."""
    return click.option(
        "--limit", type=click.IntRange(1), default=default, show_default=True, help="At most this many lines."
    )


def read_settings(config: str | None, data: str, *, verbose: bool) -> "Settings":
    """The settings of this call; from now on it is logged as it says.

    Raises:
        SettingsError: one is wrong.
    """

    import msgspec

    from schemas.settings_file import load_settings

    settings = load_settings(None if config is None else Path(config))
    log_to_stderr(settings.log, _stage(), verbose=verbose)
    if data:
        settings = msgspec.structs.replace(settings, embedded=msgspec.structs.replace(settings.embedded, data=data))
    return settings


def log_to_stderr(settings: "LogSettings", stage: str, *, verbose: bool) -> None:
    """Log warnings, or with `verbose` what is being done, as the settings say."""
    import logging

    from api.text.log_lines import formatter

    verbose = verbose or settings.level == "info"
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(formatter(settings.format, stage, terminal=sys.stderr.isatty()))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[lines])
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.CRITICAL)
    # uvicorn logs why it cannot listen; the error that ends the command says so once.
    logging.getLogger("uvicorn.error").addFilter(lambda record: verbose or not isinstance(record.msg, OSError))


def _stage() -> str:
    """The command that runs, without `repmon`."""
    context = click.get_current_context(silent=True)
    return "" if context is None else context.command_path.partition(" ")[2]


def with_settings(run: "Callable[Concatenate[Settings, Arguments], None]") -> Callable[Arguments, None]:
    """Give a command the settings as its first argument, as they are written."""

    @wraps(run)
    def called(*args: Arguments.args, **named: Arguments.kwargs) -> None:
        run(_read(), *args, **named)

    return called


def with_reached(run: "Callable[Concatenate[Settings, Arguments], None]") -> Callable[Arguments, None]:
    """Give a command the settings as its first argument, with broker and store of a `repmon up` that runs.

    Where they cannot be reached, the error is followed by where they were looked for. A group does nothing where one of
    its commands follows.
    """

    @wraps(run)
    def called(*args: Arguments.args, **named: Arguments.kwargs) -> None:
        if click.get_current_context().invoked_subcommand is not None:
            return
        written = _read()
        with told_where(written) as settings:
            run(settings, *args, **named)

    return called


@contextmanager
def told_where(written: "Settings") -> "Iterator[Settings]":
    """The settings with broker and store of a `repmon up` that runs; an error that they cannot be reached is noted
    with where they were looked for."""
    from jobs.embedded.reach import reached, where_from

    try:
        yield reached(written)
    except ExternalError as error:
        if error.unreachable:
            for line in where_from(written, error.unreachable):
                error.add_note(line)
        raise


def _read() -> "Settings":
    read: Read = click.get_current_context().obj
    return read()


def new_file(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """For `callback` of an option that names a file to be written when all is done: it is known before that it may be.

    Raises:
        click.BadParameter: it cannot be.
    """
    if path is not None and path.is_dir():
        raise click.BadParameter(f"{path}: is a folder")
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"{path.parent}: there is no such folder")
    return path
