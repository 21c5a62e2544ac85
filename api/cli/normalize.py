"""`repmon normalize`: one raw body, log or mail in, its canonical events as JSON lines out.

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
from api.cli.reading import default_customer, format_option
from api.stack.adapting import adapt_context
from api.text.bad_file import refuse_packed, unread_notes
from api.text.harmless import harmless, harmless_json
from jobs.resend.bad_records import BadRecord, BadRecords
from jobs.resend.file_kind import HEAD_BYTES
from jobs.resend.ingest_file import LOGS, MAX_BODY_BYTES, Event, read_events
from schemas.settings import Settings
from streams.adapt import LISTING_FORMATS, AdaptError, Context, adapter, listing_adapter

_ENCODER = msgspec.json.Encoder()


@command("repmon normalize --format arf < docs/examples/complaint.eml", name="normalize")
@format_option
@default_customer
@with_settings
def normalize_input(settings: Settings, format_name: str, customer: str) -> None:
    """Print the events of one raw body, log or mail.

    It is read from standard input, and the canonical events are printed as JSON lines. Of the formats of outside
    blocklist monitors these are blocklist events. The exit code is 1 if nothing can be read.
    """
    context = adapt_context(settings, customer)
    if not normalize(sys.stdin.buffer, sys.stdout.buffer, sys.stderr, format_name, context):
        raise click.exceptions.Exit(1)


def normalize(source: IO[bytes], out: IO[bytes], problems: IO[str], format_name: str, context: Context) -> bool:
    """Write the events of what `source` holds to `out`, and each problem as a line to `problems`.

    False where nothing could be read: a body of opens and clicks alone has no events, but no problem either.

    Raises:
        AdaptError: there is no such format.
    """
    if format_name not in LISTING_FORMATS:
        adapter(format_name)
    raw = source.read(MAX_BODY_BYTES + 1)
    refuse_packed(raw, "standard input", f"normalize --format {format_name}")
    raw = raw.removeprefix(BOM_UTF8)
    events, bad, failed = 0, BadRecords(), False
    for found in _read(raw, format_name, context):
        if isinstance(found, BadRecord):
            bad.add(found)
        elif isinstance(found, str):
            failed = True
            problems.write(f"{harmless(found)}\n")
        else:
            events += 1
            out.write(harmless_json(_ENCODER.encode(found).decode()).encode() + b"\n")
    for line in unread_notes(events, bad, raw[:HEAD_BYTES], format_name, context):
        problems.write(f"{harmless(line)}\n")
        failed = failed or format_name in LOGS
    out.flush()
    return bool(events) or not (bad.count or failed)


def _read(raw: bytes, format_name: str, context: Context) -> Iterator[Event | BadRecord | str]:
    """Events, the records that could not be read, and in words what of the whole could not.

    As a whole first, as from a topic. Where that fails the records are tried one by one, which tells the line.
    """
    if not raw.strip():
        yield "standard input is empty"
        return
    try:
        events: Sequence[Event] = (listing_adapter if format_name in LISTING_FORMATS else adapter)(format_name)(
            raw, context
        )
    except AdaptError as error:
        found = list(read_events(BytesIO(raw), format_name, context))
        if format_name in LOGS or any(not isinstance(each, BadRecord) for each in found):
            yield from found
        else:
            yield str(error)
    else:
        yield from events
