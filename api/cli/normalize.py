"""`repmon normalize`: one raw body, log or mail in, its canonical events as JSON lines out.

The operator's way to try a mapping: what it prints is what a topic of this format would have counted.
"""

from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import IO

import msgspec

from api.text.harmless import harmless, harmless_json
from jobs.resend.ingest_file import LOGS, MAX_BODY_BYTES, BadRecord, Event, read_events
from streams.adapt import LISTING_FORMATS, AdaptError, Context, adapter, listing_adapter

#: How many problems are shown; a log of another format has nothing else.
SHOWN = 20

_ENCODER = msgspec.json.Encoder()


def normalize(source: IO[bytes], out: IO[bytes], problems: IO[str], format_name: str, context: Context) -> bool:
    """Write the events of what `source` holds to `out`, and each problem as a line to `problems`.

    False where nothing could be read: a body of opens and clicks alone has no events, but no problem either.

    Raises:
        AdaptError: there is no such format.
    """
    if format_name not in LISTING_FORMATS:
        adapter(format_name)
    events, bad = 0, 0
    for found in _read(source.read(MAX_BODY_BYTES + 1).removeprefix(BOM_UTF8), format_name, context):
        if not isinstance(found, str):
            events += 1
            out.write(harmless_json(_ENCODER.encode(found).decode()).encode() + b"\n")
            continue
        bad += 1
        if bad <= SHOWN:
            problems.write(f"{harmless(found)}\n")
    if bad > SHOWN:
        problems.write(f"and {bad - SHOWN:,} more\n")
    out.flush()
    return bool(events) or not bad


def _read(raw: bytes, format_name: str, context: Context) -> Iterator[Event | str]:
    """Events, and in words what could not be read.

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
            yield from (str(each) if isinstance(each, BadRecord) else each for each in found)
        else:
            yield str(error)
    else:
        yield from events
