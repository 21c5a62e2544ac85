"""Log files, saved webhook bodies and saved mails, read and adapted for sending on as canonical events.

Reading and adapting only: where the events go is the caller's, through a callback. Packed files are unpacked before
(`jobs.resend.unpack`).
"""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol, cast

import msgspec

from jobs.resend.bad_records import BadRecord, BadRecords
from jobs.resend.mailbox import begins_mailbox, mails_of
from schemas.event import MAX_EVENT_BYTES, MailEvent
from schemas.listing import BlocklistEvent
from schemas.times import epoch_ms
from streams.adapt import (
    EVERY_FORMAT,
    LISTING_FORMATS,
    MAILS,
    Adapter,
    AdaptError,
    Context,
    ListingAdapter,
    file_adapter,
    kumomta_names,
    listing_adapter,
    powermta,
)
from streams.adapt.apart import read_parts, record_parts
from streams.adapt.arrival import stamped
from streams.adapt.json_parts import json_parts

#: Formats of logs: a record a line.
LOGS = frozenset({"canonical", "exim", "kumomta", "postfix", "powermta"})
#: Formats of which a file may be one webhook body, as well as a body a line.
WEBHOOKS = frozenset(EVERY_FORMAT) - LOGS - MAILS
#: The largest single body: a file that is one JSON document is held in memory.
MAX_BODY_BYTES = 64 * MAX_EVENT_BYTES
#: Logs of JSON, or that may be.
_JSON_LOGS = frozenset({"canonical", "kumomta", "powermta"})
#: What an array begins with.
_BRACKET = ord("[")
#: A record of CSV may have so many lines: a diagnostic text has a few.
MOST_JOINED_LINES = 100

_ENCODER = msgspec.json.Encoder()
_ANY_DOCUMENT = msgspec.json.Decoder(msgspec.Raw)

Event = MailEvent | BlocklistEvent
AnyAdapter = Adapter | ListingAdapter

#: Takes the key and the value of one message.
Publish = Callable[[bytes, bytes], None]


#: A line's number, from 1, and its bytes; or why it cannot be read.
Line = tuple[int, bytes] | BadRecord


class Readable(Protocol):
    """What is read of a file."""

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, or all."""

    def readline(self, size: int = -1, /) -> bytes:
        """A line, or so many bytes of it."""


@dataclass(frozen=True, slots=True)
class SentEvents:
    """Events sent, in all and by type, and the records that could not be read."""

    events: int
    by_type: Mapping[str, int]
    bad: BadRecords


def reader(format_name: str) -> AnyAdapter:
    """An adapter for the records of one file, or of several in the order of time: it remembers earlier lines.

    Raises:
        AdaptError: there is no such format.
    """
    return listing_adapter(format_name) if format_name in LISTING_FORMATS else file_adapter(format_name)


def read_events(
    stream: Readable, format_name: str, context: Context, adapt: AnyAdapter | None = None
) -> Iterator[Event | BadRecord]:
    """The events of a file in the order of its records, and in their place the records that are bad.

    One record a line for every format but CSV, where a line end in quotes ends none; a webhook file may also be JSON
    texts over several lines, and a file of a mail format is one mail, or a mailbox file. Blank lines are counted but
    are no records. `adapt` is the `reader` of the files before this one.

    Raises:
        AdaptError: there is no such format.
    """
    adapt = adapt or reader(format_name)
    if format_name in MAILS:
        return _mails(stream, adapt, context)
    if format_name in WEBHOOKS:
        return _bodies(stream, adapt, context)
    lines = _lines(stream, MAX_EVENT_BYTES)
    if format_name in _JSON_LOGS:
        first = list(islice(lines, 1))
        lines = chain(first, lines)
        if first and _goes_on(first[0]):
            return _json_log(lines, adapt, context)
    if format_name == powermta.NAME:
        return _csv(lines, adapt, context)
    return _records(lines, adapt, context, arrays=format_name == kumomta_names.NAME)


def moved_to(events: Iterable[Event | BadRecord], first_ms: int) -> Iterator[Event | BadRecord]:
    """The same events, all moved in time by one span, so that the first is at `first_ms` (epoch ms, UTC).

    For trying out old logs, such as the examples: ingest takes no events of long ago. When mail was sent moves along,
    since its outcomes are counted then.
    """
    shift: int | None = None
    for event in events:
        if not isinstance(event, BadRecord):
            if shift is None:
                shift = first_ms - event.time_ms
            event.time = event.time_ms + shift
            if isinstance(event, MailEvent) and event.sent:
                event.sent = epoch_ms(event.sent) + shift
        yield event


def send_file(events: Iterable[Event | BadRecord], publish: Publish) -> SentEvents:
    """Publish each event under its customer, or what is listed, as key, so that the events of one keep their order."""
    counts: dict[str, int] = {}
    bad = BadRecords()
    encode = _ENCODER.encode
    for event in events:
        if isinstance(event, MailEvent):
            publish(event.customer.encode(), encode(event))
        elif isinstance(event, BadRecord):
            bad.add(event)
            continue
        else:
            publish(event.resource.encode(), encode(event))
        counts[event.type] = counts.get(event.type, 0) + 1
    return SentEvents(events=sum(counts.values()), by_type=counts, bad=bad)


def _records(
    lines: Iterator[Line], adapt: AnyAdapter, context: Context, *, arrays: bool = False
) -> Iterator[Event | BadRecord]:
    """The events of records a line; with `arrays` a line may be an array of them, each read by itself."""
    for line in lines:
        if isinstance(line, BadRecord):
            yield line
            continue
        number, raw = line
        if arrays and raw[0] == _BRACKET:
            yield from _records(((number, part) for part in json_parts(raw)), adapt, context)
            continue
        # Most lines of a log give nothing: they cost no generator.
        try:
            if found := adapt(raw, context):
                yield from found
        except AdaptError as error:
            yield BadRecord(number, 1, str(error))


def _goes_on(line: Line) -> bool:
    """Whether JSON begins with this line and does not end with it."""
    return not isinstance(line, BadRecord) and line[1][:1] in (b"[", b"{") and not _is_document(line[1])


def _json_log(lines: Iterator[Line], adapt: AnyAdapter, context: Context) -> Iterator[Event | BadRecord]:
    """Objects over several lines, or an array: some log shippers write so. What is held of a file is bounded. Where a
    line after a begun object is one by itself, the first was merely broken."""
    held: list[tuple[int, bytes]] = []
    size = 0
    for line in lines:
        if isinstance(line, BadRecord):
            yield line
            continue
        held.append(line)
        size += len(line[1]) + 1
        if size > MAX_BODY_BYTES or (held[0][1][:1] == b"{" and _is_object(line)):
            yield from _records(chain(held, lines), adapt, context)
            return
    for number, record in enumerate(json_parts(b"\n".join(text for _, text in held)), start=1):
        yield from _adapted(record, 1, number, adapt, context)


def _csv(lines: Iterator[Line], adapt: AnyAdapter, context: Context) -> Iterator[Event | BadRecord]:
    """Records of CSV: a line end within quotes ends none (RFC 4180 section 2.6). Where what is quoted so is no record,
    the quote stands for itself, and the first line is one alone."""
    held: list[tuple[int, bytes]] = []
    for line in lines:
        held += [line] if not isinstance(line, BadRecord) else []
        while held and (isinstance(line, BadRecord) or _is_whole(held)):
            try:
                yield from adapt(b"\n".join(text for _, text in held), context)
                held = []
            except AdaptError:
                first, *held = held
                yield from _records(iter([first]), adapt, context)
        if isinstance(line, BadRecord):
            yield line
    yield from _records(iter(held), adapt, context)


def _is_whole(lines: list[tuple[int, bytes]]) -> bool:
    """Whether no quote is open, or so much is within it that it is none."""
    quotes = sum(text.count(b'"') for _, text in lines)
    return quotes % 2 == 0 or len(lines) >= MOST_JOINED_LINES or sum(len(text) for _, text in lines) > MAX_EVENT_BYTES


def read_mail(stream: Readable, adapt: AnyAdapter, context: Context, arrived_ms: int) -> Iterator[Event | BadRecord]:
    """The same of one mail, whatever it begins with, that came at a time (epoch ms). Of a large one the beginning is
    enough: what a report says stands before the mail that it is about."""
    return _mail(stamped(stream.read(MAX_EVENT_BYTES), arrived_ms)[:MAX_EVENT_BYTES], 1, adapt, context)


def _mails(stream: Readable, adapt: AnyAdapter, context: Context) -> Iterator[Event | BadRecord]:
    """Of one mail, or of all mails of a mailbox file."""
    while (first := stream.readline(MAX_EVENT_BYTES)) and not first.strip():
        pass
    first = first.removeprefix(BOM_UTF8)
    if first.lstrip()[:1] in (b"{", b"["):
        # Reports as JSON (XARF): one, several joined or a line each, or an array.
        for number, record in enumerate(json_parts(first + stream.read(MAX_BODY_BYTES)), start=1):
            yield from _adapted(record, 1, number, adapt, context)
        return
    if not begins_mailbox(first):
        yield from _mail(first + stream.read(MAX_EVENT_BYTES - len(first)), 1, adapt, context)
        return
    for number, mail in enumerate(mails_of(stream, MAX_EVENT_BYTES, first), start=1):
        text = mail.text if mail.delivered_ms is None else stamped(mail.text, mail.delivered_ms)
        yield from _mail(text[:MAX_EVENT_BYTES], number, adapt, context, "mail")


def _mail(
    raw: bytes, number: int, adapt: AnyAdapter, context: Context, word: str = "line"
) -> Iterator[Event | BadRecord]:
    """One mail: whole, else the recipients that it reports one by one, so that a bad one costs only itself."""
    try:
        yield from adapt(raw, context)
    except AdaptError as error:
        first = 1

        def read(part: bytes) -> list[Event]:
            return list(adapt(part, context))

        for part in read_parts(cast(Callable[[bytes, Context], list[Event]], adapt), raw, read):
            yield from part.events
            if part.error:
                yield from (BadRecord(number, place, part.error, word) for place in part.records)
            first += part.count
        if first == 1:
            yield BadRecord(number, 1, str(error), word)


def _bodies(stream: Readable, adapt: AnyAdapter, context: Context) -> Iterator[Event | BadRecord]:
    """Of webhooks. One that is a form in parts has blank lines that count, and is the whole file."""
    first = stream.readline(MAX_BODY_BYTES + 2)
    if first.startswith(b"--"):
        yield from _body(first + stream.read(MAX_BODY_BYTES - len(first)), 1, adapt, context)
    else:
        yield from _webhooks(_lines(_Begun(first, stream), MAX_BODY_BYTES), adapt, context)


class _Begun:
    """A file of which the first line was read."""

    def __init__(self, first: bytes, rest: Readable) -> None:
        self._first, self._rest = first, rest

    def readline(self, size: int = -1, /) -> bytes:
        first, self._first = self._first, b""
        return first or self._rest.readline(size)

    def read(self, size: int = -1, /) -> bytes:
        first, self._first = self._first, b""
        return first + self._rest.read(size)


def _webhooks(lines: Iterator[Line], adapt: AnyAdapter, context: Context) -> Iterator[Event | BadRecord]:
    """Bodies a line or, where the first line is no JSON text by itself, one body for the whole file."""
    held: list[Line] = []
    size = 0
    for line in lines:
        held.append(line)
        if isinstance(line, BadRecord) or size > MAX_BODY_BYTES or (not size and _is_document(line[1])):
            break
        size += len(line[1]) + 1
    else:
        whole = b"\n".join(line[1] for line in held if not isinstance(line, BadRecord))
        # Objects that are joined, each over several lines, are no document; but then none of the lines is one either.
        if held and (_is_document(whole) or not any(_is_object(line) for line in held)):
            yield from _body(whole, 1, adapt, context)
            return
    for line in chain(held, lines):
        if isinstance(line, BadRecord):
            yield line
        else:
            yield from _body(line[1], line[0], adapt, context)


def _lines(stream: Readable, limit: int) -> Iterator[Line]:
    """Lines that are not blank, without the space around them; one that is too long is passed over."""
    number = 0
    readline = stream.readline
    while line := readline(limit + 2):
        number += 1
        if number > 1 and len(line) <= limit:
            # Nearly every one.
            if line := line.strip():
                yield number, line
            continue
        cut = len(line) == limit + 2 and not line.endswith(b"\n")
        if cut:
            while (more := stream.readline(limit)) and not more.endswith(b"\n"):
                pass
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        line = line.strip()
        if cut or len(line) > limit:
            yield BadRecord(number, 1, f"the line is longer than {limit:,} bytes")
        elif line:
            yield number, line


def _is_document(text: bytes) -> bool:
    try:
        _ANY_DOCUMENT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _is_object(line: Line) -> bool:
    return (
        not isinstance(line, BadRecord) and line[1][:1] in (b"{", b"[") and len(line[1]) > 2 and _is_document(line[1])
    )


def _body(body: bytes, line: int, adapt: AnyAdapter, context: Context) -> Iterator[Event | BadRecord]:
    """One webhook body, its records one by one, so that a bad one costs only itself."""
    for number, record in enumerate(record_parts(adapt, body), start=1):
        yield from _adapted(record, line, number, adapt, context)


def _adapted(
    raw: bytes, line: int, record: int, adapt: AnyAdapter, context: Context, word: str = "line"
) -> Iterator[Event | BadRecord]:
    try:
        yield from adapt(raw, context)
    except AdaptError as error:
        yield BadRecord(line, record, str(error), word)
