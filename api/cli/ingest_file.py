"""`repmon ingest-file`: logs that somebody has, and mailboxes of reports."""

import click

from api.cli.durations import seconds
from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line, print_note
from api.cli.publishing import open_publisher
from api.cli.reading import default_customer, format_option, input_arguments
from api.stack.adapting import adapt_context
from api.text.bad_file import input_notes, refuse_packed
from jobs.resend.ingest_file import moved_to, send_file
from jobs.resend.inputs import find_inputs
from jobs.resend.read_inputs import InputsReader, ReadInput
from schemas.settings import Settings
from schemas.times import utc_now_ms
from schemas.topics import MAIL_BLOCKLISTINGS, MAIL_EVENTS
from streams.adapt import LISTING_FORMATS


@command("repmon ingest-file --format kumomta --shift-to 1h docs/examples/kumomta.jsonl")
@input_arguments(required=True)
@format_option
@default_customer
@click.option("--shift-to", default="", help="Move all times so that the log began, say, 1h ago.")
@with_reached
def ingest_file(settings: Settings, paths: tuple[str, ...], format_name: str, customer: str, shift_to: str) -> None:
    """Send real logs, or reports by mail, to the broker.

    PATH is a file, a folder or a pattern: logs, packed or not, that are read in order of time; for arf and dsn also a
    mailbox file (mbox) or a Maildir. - is standard input. Events go to the topic mail.events; what an outside monitor
    saw on blocklists, to mail.blocklistings.
    """
    began_ago_s = seconds(shift_to, "--shift-to")
    context = adapt_context(settings, customer)
    failed: list[str] = []

    def done(read: ReadInput) -> None:
        notes, nothing = input_notes(read, format_name, context)
        for note in notes:
            print_note(note)
        if nothing:
            failed.append(read.name)

    reader = InputsReader(
        find_inputs(paths, format_name, context),
        format_name,
        context,
        lambda head, name: refuse_packed(head, name, f"ingest-file --format {format_name} -"),
        done,
    )
    events = reader.events()
    if began_ago_s is not None:
        events = moved_to(events, utc_now_ms() - round(began_ago_s * 1000))
    publisher = open_publisher(settings)
    topic = MAIL_BLOCKLISTINGS if format_name in LISTING_FORMATS else MAIL_EVENTS
    sent = send_file(events, lambda key, value: publisher.publish(topic, key, value))
    publisher.flush()
    print_line(f"sent {sent.events:,} events; {sent.bad.count:,} records could not be read")
    if failed:
        raise click.exceptions.Exit(1)
