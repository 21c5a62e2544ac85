"""`repmon completion`: the script by which a shell completes commands, options and files."""

import click
from click.shell_completion import get_completion_class

from api.cli.lazy import command
from api.cli.printing import print_line

#: The variable by which the script asks `repmon`; click makes its name so.
ASKED_BY = "_REPMON_COMPLETE"


@command("source <(repmon completion bash)", "repmon completion fish > ~/.config/fish/completions/repmon.fish")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in a shell.

    A line such as the example's in ~/.bashrc or ~/.zshrc makes it permanent. Bash 4.4 or newer is needed.
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has all three
    for line in found(click.get_current_context().find_root().command, {}, "repmon", ASKED_BY).source().splitlines():
        print_line(line)
