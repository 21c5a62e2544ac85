"""What is said of a file of which some or all could not be read."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from jobs.resend.bad_records import BadRecords
from jobs.resend.file_kind import likely_formats, looks_like, packed
from streams.adapt import AdaptError, Context, postfix
from streams.adapt.postfix_kind import strangers


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


def unknown_lines(head: bytes, format_name: str, context: Context) -> Iterator[str]:
    """That no line is of the program whose log it should be, where other programs' lines are passed over."""
    if format_name == postfix.NAME:
        zone = context.options(format_name).time_zone
        if programs := strangers(head, zone, context.now_ms()):
            yield f"no line is one of Postfix; they are of {', '.join(programs)}"


def unread_notes(events: int, bad: BadRecords, head: bytes, format_name: str, context: Context) -> Iterator[str]:
    """A line for each reason why records are bad or unknown, and, where not most of the file was understood, one for
    the format that it more likely is of."""
    yield from bad.lines()
    if not events and not bad.count:
        yield from unknown_lines(head, format_name, context)
    if events <= bad.count and (said := looks_like(likely_formats(head, format_name, context))):
        yield said
