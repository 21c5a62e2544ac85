"""What is said of a file of which some or all could not be read."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from jobs.resend.bad_records import BadRecords
from jobs.resend.file_kind import likely_formats, looks_like, packed
from streams.adapt import AdaptError, Context


def refuse_packed(head: bytes, path: str, command: str) -> None:
    """Let only text pass.

    Raises:
        AdaptError: the file is packed, or in another encoding; what unpacks it for `command` is said.
    """
    if (known := packed(head)) is None:
        return
    kind, unpack = known
    name = path if Path(path).exists() else "FILE"
    line = f"{unpack.format(shlex.quote(name))} | repmon {command}"
    raise AdaptError(f"{path}: is {kind}; make text of it first: {line}")


def unread_notes(events: int, bad: BadRecords, head: bytes, format_name: str, context: Context) -> Iterator[str]:
    """A line for each reason why records are bad, and, where not most of the file was understood, one for the format
    that it more likely is of."""
    yield from bad.lines()
    if events <= bad.count and (said := looks_like(likely_formats(head, format_name, context))):
        yield said
