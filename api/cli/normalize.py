"""`repmon normalize`: raw bodies, logs or mails in, their canonical events as JSON lines out.

The operator's way to try a mapping: what it prints is what a topic of this format would have counted.
"""

import sys
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import IO

import click
import msgspec

from api.cli.lazy import command
from api.cli.options import with_settings
from api.cli.reading import default_customer, format_option, input_arguments
from api.stack.adapting import adapt_context
from api.text.bad_file import input_notes, refuse_packed, unread_notes
from api.text.harmless import harmless, harmless_json
from jobs.resend.bad_records import BadRecord, BadRecords
from jobs.resend.file_kind import HEAD_BYTES
from jobs.resend.ingest_file import LOGS, Event, read_events
from jobs.resend.inputs import STDIN, find_inputs
from jobs.resend.read_inputs import YEARLESS, InputsReader, ReadInput
from jobs.resend.unpack import continued, unpacked
from jobs.resend.years import WithYears, Years, has_leap_day
from schemas.event import MAX_EVENT_BYTES
from schemas.settings import Settings
from streams.adapt import LISTING_FORMATS, AdaptError, Context, adapter, listing_adapter

_ENCODER = msgspec.json.Encoder()


@command("repmon normalize --format arf < docs/examples/complaint.eml", name="normalize")
@input_arguments(required=False)
@format_option
@default_customer
@with_settings
def normalize_input(settings: Settings, paths: tuple[str, ...], format_name: str, customer: str) -> None:
    """Print the events of raw bodies, logs or mails.

    PATH is as for ingest-file; without any one body, log, mail or mailbox is read from standard input. The canonical
    events are printed as JSON lines. Of the formats of outside blocklist monitors these are blocklist events. The exit
    code is 1 if nothing can be read, of any of the files.
    """
    context = adapt_context(settings, customer)
    if paths and paths != (STDIN,):
        good = normalize_paths(paths, sys.stdout.buffer, sys.stderr, format_name, context)
    else:
        good = normalize(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, format_name, context)
    if not good:
        raise click.exceptions.Exit(1)


def normalize_paths(
    paths: Sequence[str], out: IO[bytes], problems: IO[str], format_name: str, context: Context
) -> bool:
    """Write the events of files to `out`, and each problem as a line to `problems`.

    False where nothing of one of them was understood.

    Raises:
        AdaptError: there is no such format, or a file is packed and cannot be unpacked.
        SettingsError: a file is not there, or cannot be read.
    """
    good = True

    def done(read: ReadInput) -> None:
        nonlocal good
        notes, nothing = input_notes(read, format_name, context)
        good = good and not nothing
        for note in notes:
            problems.write(f"{harmless(note)}\n")

    def check(head: bytes, name: str) -> None:
        refuse_packed(head, name, f"normalize --format {format_name}")

    for found in InputsReader(find_inputs(paths, format_name, context), format_name, context, check, done).events():
        if not isinstance(found, BadRecord):
            _write(found, out)
    out.flush()
    return good


def _write(event: Event, out: IO[bytes]) -> None:
    out.write(harmless_json(_ENCODER.encode(event).decode()).encode() + b"\n")


def normalize(source: IO[bytes], out: IO[bytes], problems: IO[str], format_name: str, context: Context) -> bool:
    """Write the events of what `source` holds to `out`, and each problem as a line to `problems`.

    False where nothing could be read: a body of opens and clicks alone has no events, but no problem either.

    Raises:
        AdaptError: there is no such format.
    """
    if format_name not in LISTING_FORMATS:
        adapter(format_name)
    stream, packing = unpacked(source, "standard input")
    raw = stream.read(MAX_EVENT_BYTES + 1)
    refuse_packed(raw, "standard input", f"normalize --format {format_name}")
    events, bad, failed = 0, BadRecords(), False
    for found in _read(raw, stream, format_name, context):
        if isinstance(found, BadRecord):
            bad.add(found)
        elif isinstance(found, str):
            failed = True
            problems.write(f"{harmless(found)}\n")
        else:
            events += 1
            _write(found, out)
    for line in unread_notes(events, bad, raw[:HEAD_BYTES], format_name, context):
        problems.write(f"{harmless(line)}\n")
        failed = failed or format_name in LOGS
    if packing.problem:
        problems.write(f"standard input: {packing.problem}\n")
    out.flush()
    return bool(events) or not (bad.count or failed)


def _read(raw: bytes, rest: IO[bytes], format_name: str, context: Context) -> Iterator[Event | BadRecord | str]:
    """Events, the records that could not be read, and in words what of the whole could not.

    As a whole first, as from a topic. Where that fails, or it is more than a message may have, the records are read one
    by one, which tells the line.
    """
    if not raw.strip():
        yield "standard input is empty"
        return
    now_ms = context.now_ms()
    years = Years(now_ms) if format_name in YEARLESS and now_ms is not None and has_leap_day(BytesIO(raw)) else None
    if len(raw) > MAX_EVENT_BYTES or years is not None:
        whole = continued(raw, rest)
        yield from read_events(WithYears(whole, years) if years else whole, format_name, context)
        return
    try:
        events: Sequence[Event] = (listing_adapter if format_name in LISTING_FORMATS else adapter)(format_name)(
            raw.removeprefix(BOM_UTF8), context
        )
    except AdaptError as error:
        found = list(read_events(BytesIO(raw), format_name, context))
        if format_name in LOGS or any(not isinstance(each, BadRecord) or each.word == "mail" for each in found):
            yield from found
        else:
            yield str(error)
    else:
        yield from events
