"""`repmon ingest-file`: a log that somebody has."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click

from api.cli.durations import seconds
from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line, print_note
from api.cli.publishing import open_publisher
from api.cli.reading import default_customer, format_option
from api.stack.adapting import adapt_context
from api.text.bad_file import refuse_packed, unread_notes
from jobs.resend.file_kind import KeepsHead
from jobs.resend.ingest_file import moved_to, read_events, send_file
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from schemas.topics import MAIL_BLOCKLISTINGS, MAIL_EVENTS
from streams.adapt import LISTING_FORMATS


@command("repmon ingest-file --format kumomta --shift-to 1h docs/examples/kumomta.jsonl")
@click.argument("path", metavar="FILE", type=click.Path(allow_dash=True))
@format_option
@default_customer
@click.option("--shift-to", default="", help="Move all times so that the log began, say, 1h ago.")
@with_reached
def ingest_file(settings: Settings, path: str, format_name: str, customer: str, shift_to: str) -> None:
    """Send a real log to the broker.

    FILE is - for standard input. Events go to the topic mail.events; what an outside monitor saw on blocklists, to
    mail.blocklistings.
    """
    began_ago_s = seconds(shift_to, "--shift-to")
    context = adapt_context(settings, customer)
    with _opened(path) as opened:
        refuse_packed(opened.peek(8), path, f"ingest-file --format {format_name} -")
        source = KeepsHead(opened)
        events = read_events(source, format_name, context)
        if began_ago_s is not None:
            events = moved_to(events, utc_now_ms() - round(began_ago_s * 1000))
        publisher = open_publisher(settings)
        topic = MAIL_BLOCKLISTINGS if format_name in LISTING_FORMATS else MAIL_EVENTS
        sent = send_file(events, lambda key, value: publisher.publish(topic, key, value))
    publisher.flush()
    if not source.head.strip():
        print_note(f"{path}: is empty")
    notes = list(unread_notes(sent.events, sent.bad, source.head, format_name, context))
    for note in notes:
        print_note(f"{path}: {note}")
    print_line(f"sent {sent.events:,} events; {sent.bad.count:,} records could not be read")
    if notes and not sent.events:
        raise click.exceptions.Exit(1)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[io.BufferedReader]:
    if path == "-":
        yield cast(io.BufferedReader, sys.stdin.buffer)
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        yield file
