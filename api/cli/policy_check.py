"""`repmon policy check`: the mistakes of a policy, without asking anybody for anything."""

import click

from api.cli.lazy import command
from api.cli.printing import print_line
from api.text.policy import described
from schemas import policy_check
from schemas.policy import Policy
from schemas.policy_metric import PolicyError

#: Text, since `pathlib` takes a twentieth of the time in which a policy is checked.
policy_file = click.argument("file", type=click.Path())


@command("repmon policy check stricter.toml", name="check")
@policy_file
def check_file(file: str) -> None:
    """Show every mistake of a policy, or its rules.

    Each mistake is shown with its line, and the exit code is then 1.
    """
    for line in described(checked(file)[0]):
        print_line(line)


def checked(file: str) -> tuple[Policy, str]:
    """The policy of a file and its text. One with mistakes ends the command, with all of them as lines.

    Raises:
        PolicyError: the file cannot be read.
    """
    try:
        with open(file, "rb") as opened:  # noqa: PTH123
            raw = opened.read()
    except OSError as error:
        raise PolicyError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        print_line(f"{file}:{line}: not valid TOML: not UTF-8: byte {raw[error.start]:#04x}")
        raise click.exceptions.Exit(1) from error
    found = policy_check.checked(text)
    for mistake in found.mistakes:
        print_line(f"{file}:{mistake.line}: {mistake.said}")
    if found.policy is None:
        raise click.exceptions.Exit(1)
    return found.policy, text
