"""The command `repmon`: every stage and job, with settings from a file and the environment.

Whatever the operator can mend (a wrong setting, an unreachable broker or store, a folder that cannot be written)
ends with one line on stderr and exit code 2; where a server was looked for follows.
"""

import errno
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import click

from api.cli.lazy import LazyGroup
from api.cli.leaving import exit_process
from api.cli.options import read_settings
from api.cli.printing import print_fault, print_note
from api.cli.table import SECTIONS
from schemas.errors import RepmonError
from schemas.version import VERSION

if TYPE_CHECKING:
    from schemas.settings import Settings

#: What is said of an option or an argument.
_OF_OPTION = re.compile(r"(--[a-z-]+|CUSTOMER|PLACE|ID): (.+)")
COMPLETION = "\b\nCompletion in bash, zsh and fish: source <(repmon completion bash)"


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    examples=("repmon demo", "repmon up", "repmon policy --help"),
    epilog=COMPLETION,
    no_args_is_help=True,
)
@click.option("--config", "-c", type=click.Path(), help="Settings file; repmon.toml if there.")
@click.option(
    "--data", type=click.Path(), default="", help="Data folder of the `repmon up` that is meant; else as set, or data."
)
@click.option("--verbose", "-v", is_flag=True, help="Log what is being done.")
@click.version_option(VERSION, message="repmon %(version)s")
@click.pass_context
def app(ctx: click.Context, config: str | None, data: str, verbose: bool) -> None:
    """Find out which of your customers harm your sending reputation, from a stream of mail events."""
    if ctx.obj is not None:
        return  # the settings of a caller

    @cache
    def read() -> "Settings":
        return read_settings(config, data, verbose=verbose)

    ctx.obj = read
    if config is not None:
        read()  # a file that is named is checked, even by a command that needs no settings


def main() -> None:
    """The entry point."""
    exit_process(run())


def run() -> int:
    """Run the command of `sys.argv`; its exit code."""
    try:
        found = app.main(prog_name="repmon", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    except RepmonError as error:
        return _fault(str(error), getattr(error, "__notes__", ()))
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise  # no path that somebody gave: the fault is ours, and its traceback is wanted
        return _fault(f"{error.filename or 'standard output'}: {error.strerror}")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return found if isinstance(found, int) else 0


def _fault(message: str, notes: Iterable[str] = ()) -> int:
    said = " ".join(message.split())
    if found := _OF_OPTION.fullmatch(said):
        from schemas.wording import said_of

        said = said_of(found[1], found[2])
    print_fault(f"repmon: {said}")
    for note in notes:
        print_note(f"repmon: {note}")
    return 2


if __name__ == "__main__":
    main()
