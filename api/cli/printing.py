"""How commands print: lines to standard output, notes for the person at the terminal to standard error."""

import sys
from typing import Any


def print_line(text: str) -> None:
    """One line to standard output, just as it is, and at once: a follower may read it through a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """One value as a line of JSON to standard output."""
    import msgspec

    print_line(msgspec.json.encode(value).decode())


def print_note(text: str) -> None:
    """One line to standard error: what a program that reads standard output need not see."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
