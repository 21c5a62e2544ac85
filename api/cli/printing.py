"""How commands print: lines to standard output, notes for the person at the terminal to standard error.

Whatever is printed goes through here, and so through `api.text.harmless`: names, reasons and answers of hosts come from
outside, and none of them steers a terminal or forges a line.
"""

import os
import sys
from collections.abc import Sized
from typing import Any

from api.text.harmless import harmless, harmless_json, harmless_lines


def print_line(text: str) -> None:
    """One line to standard output, at once: a follower may read it through a pipe."""
    sys.stdout.write(f"{harmless(text)}\n")
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """One value as a line of JSON to standard output."""
    import msgspec

    print_json_text(msgspec.json.encode(value).decode())


def print_json_text(text: str) -> None:
    """JSON that is a line already to standard output."""
    sys.stdout.write(f"{harmless_json(text)}\n")
    sys.stdout.flush()


def print_note(text: str) -> None:
    """One line to standard error: what a program that reads standard output need not see."""
    sys.stderr.write(f"{harmless(text)}\n")
    sys.stderr.flush()


def note_if_none(found: Sized, text: str) -> None:
    """Where nothing was found say so to the person: an empty list and a command that did nothing look the same."""
    if not found:
        print_note(text)


def print_fault(text: str) -> None:
    """The one line that a command ends with to standard error; red on a terminal, but where `NO_COLOR` is set."""
    red, plain = ("\x1b[31m", "\x1b[0m") if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else ("", "")
    sys.stderr.write(f"{red}{harmless(text)}{plain}\n")
    sys.stderr.flush()


def print_exactly(content: bytes) -> None:
    """Bytes to standard output as they are, for a file or another program. On a terminal what would steer it is
    escaped."""
    if sys.stdout.isatty():
        content = harmless_lines(content.decode(errors="backslashreplace")).encode()
    sys.stdout.buffer.write(content)
    sys.stdout.flush()
