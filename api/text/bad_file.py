"""What is said of a file of which some or all could not be read."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from jobs.resend.bad_records import BadRecords
from jobs.resend.file_kind import NAMES, likely_formats, looks_like, packed
from jobs.resend.read_inputs import ReadInput
from jobs.resend.unread_kinds import unread_kind
from streams.adapt import AdaptError, Context, exim, exim_kind, postfix_entry, postfix_kind

_STRANGERS = {postfix_entry.NAME: postfix_kind.strangers, exim.NAME: exim_kind.strangers}


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
    if strangers := _STRANGERS.get(format_name):
        zone = context.options(format_name).time_zone
        if programs := strangers(head, zone, context.now_ms()):
            yield f"no line is one of {NAMES[format_name]}; they are of {', '.join(programs)}"


def input_notes(read: ReadInput, format_name: str, context: Context) -> tuple[list[str], bool]:
    """What to tell of a file, folder or mailbox that was read, a line each, and whether nothing was understood."""
    notes = list(unread_notes(read.events, read.bad, read.head, format_name, context))
    nothing = bool(notes) and not read.events
    if not read.head.strip():
        notes.append("is empty")
    return [f"{read.name}: {each}" for each in [*notes, *read.problems]], nothing


def unread_notes(events: int, bad: BadRecords, head: bytes, format_name: str, context: Context) -> Iterator[str]:
    """A line for each reason why records are bad or unknown, and, where not most of the file was understood, one for
    the format that it more likely is of."""
    yield from bad.lines()
    if not events and not bad.count:
        yield from unknown_lines(head, format_name, context)
    if not events and (known := unread_kind(head)):
        yield known
    elif events <= bad.count and (said := looks_like(likely_formats(head, format_name, context))):
        yield said
