"""`repmon recount`: count a time again from Kafka or from files, beside live traffic."""

from collections.abc import Iterator, Sequence

import click
import msgspec

from api.cli.durations import until_ms
from api.cli.lazy import command
from api.cli.options import by, needed_why, with_reached
from api.cli.patience import patient_store
from api.cli.printing import print_json, print_line, print_note
from api.stack.adapting import adapt_context
from api.stack.reading import batch_readers
from api.stack.running import tune_memory
from api.text.bad_file import refuse_packed
from jobs.data.fault import StoredDataError
from jobs.data.recount import Counter, Messages, RecountSpan, begin, recount, report_lines
from jobs.data.recount import discard as _discard
from jobs.data.topic_messages import Partition, read_messages, read_partitions, stretches
from jobs.operator.audit import Decision, record_decision
from jobs.resend.bad_records import BadRecord
from jobs.resend.inputs import find_inputs
from jobs.resend.read_inputs import InputsReader
from schemas.event import MailEvent
from schemas.settings import Settings, SettingsError
from schemas.times import HOUR_MS, MINUTE_MS, epoch_ms, utc_now_ms, utc_time
from schemas.topics import MAIL_EVENTS, REPUTATION_CHANGES
from streams.intake.batch import BatchReader, MailReader, SourcePartition
from streams.intake.seen import SeenIds
from streams.io.broker import Publisher
from streams.io.changes import messages as changes

#: How long one statement may take, in s.
PATIENT_S = 3_600.0
#: Events of files that are taken at a time.
AT_ONCE = 5_000
RECOUNTED = "time counted again"


@command(
    "repmon recount --from 2026-11-29T00:00:00Z --to 2026-11-30T00:00:00Z --by Ida --why 'mapping mended'",
    "repmon recount --from 2026-11-29T00:00:00Z --to 2026-11-30T00:00:00Z --by Ida --why 'mapping mended' --yes",
    name="recount",
)
@click.option("--from", "since", required=True, metavar="TIME", help="The first minute (RFC 3339).")
@click.option("--to", "until", required=True, metavar="TIME", help="The first minute that is no more counted again.")
@click.option("--topic", default="", help="Only what came by this topic; with --file mail.events.")
@click.option("--file", "files", multiple=True, metavar="FILE", help="Count these files in place of the topic's log.")
@click.option("--format", "format_name", default="canonical", show_default=True, help="The format of the files.")
@by
@needed_why
@click.option("--yes", is_flag=True, help="Put it in place; without it is only said what would change.")
@click.option("--discard", is_flag=True, help="First remove what a recount left that was killed.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object; times are epoch ms.")
@with_reached
def recount_time(
    settings: Settings,
    since: str,
    until: str,
    topic: str,
    files: tuple[str, ...],
    format_name: str,
    by: str,
    why: str,
    yes: bool,
    discard: bool,
    as_json: bool,
) -> None:
    """Count a time again, beside live traffic.

    Messages that are counted are read again, from Kafka or from files, by the settings of now, and compared with
    what is stored of these minutes. With --yes the difference is put in place at once. What comes meanwhile is
    counted once, as always.
    """
    tune_memory()
    span = _span(since, until)
    if not settings.ingest.hash_key:
        raise SettingsError("ingest.hash_key: is not set; give that of `ingest`")
    readers: dict[str, BatchReader] = {
        name: each for name, each in batch_readers(settings).items() if isinstance(each, MailReader)
    }
    if topic and topic not in readers:
        raise SettingsError(f"--topic: {topic} is none that counts are read from: {', '.join(sorted(readers))}")
    topics = [topic or MAIL_EVENTS] if files else [topic] if topic else sorted(readers)
    partitions = read_partitions(settings.kafka, topics)
    with patient_store(settings.clickhouse, PATIENT_S) as store:
        if discard:
            _discard(store)
        counted = begin(store, span, [each.source for each in partitions])
        try:
            if files:
                asked = [each for each in partitions if each.source in counted][:1] or partitions[:1]
                some = _of_files(settings, files, format_name, asked[0].source)
                first: dict[str, int] = {each.source: 0 for each in partitions}
                readers = {asked[0].topic: _canonical(settings)}
            else:
                ahead_ms = round(settings.ingest.max_ahead_hours * HOUR_MS)
                wanted = stretches(settings.kafka, partitions, counted, span.since_s * 1000 - ahead_ms)
                some = read_messages(settings.kafka, wanted)
                first = {each.source: each.ids_from for each in wanted}
            negatives = SeenIds(settings.ingest.dedup_memory_mb * 1_000_000)
            counter = Counter(store, span, readers, _sources(settings, partitions), first, negatives)
            report, changed = recount(store, span, counter, some, put_in_place=yes)
        finally:
            _discard(store)
        if yes:
            detail = {"since_ms": report.since_ms, "until_ms": report.until_ms, "customers": report.customers}
            now = utc_time(utc_now_ms())
            record_decision(store, Decision(now, by, RECOUNTED, "", ", ".join(topics), why, detail))
    if yes and changed:
        _announce(settings, changed)
    if as_json:
        print_json(report)
    else:
        for line in report_lines(report):
            print_line(line)
    if not yes:
        print_note("nothing was changed; --yes puts it in place")


def _span(since: str, until: str) -> RecountSpan:
    now_ms = utc_now_ms()
    first, last = (until_ms(text, name, now_ms) for text, name in ((since, "--from"), (until, "--to")))
    if first % MINUTE_MS or last % MINUTE_MS:
        raise StoredDataError("--from, --to: counts are by the minute; give full minutes")
    if last <= first:
        raise StoredDataError("--to: is not after --from")
    return RecountSpan(first // 1000, last // 1000)


def _sources(settings: Settings, partitions: Sequence[Partition]) -> dict[str, SourcePartition]:
    most_bytes = settings.ingest.dedup_memory_mb * 1_000_000 // max(1, len(partitions))
    return {
        each.source: SourcePartition(
            each.source, each.topic, each.partition, SeenIds(most_bytes), partitions=each.partitions
        )
        for each in partitions
    }


def _canonical(settings: Settings) -> BatchReader:
    """Reads what files say, which is adapted already."""
    formats = {MAIL_EVENTS: "canonical"}
    ingest = msgspec.structs.replace(settings.ingest, formats=formats, max_behind_days=1e6, max_ahead_hours=1e6)
    return batch_readers(msgspec.structs.replace(settings, ingest=ingest))[MAIL_EVENTS]


def _of_files(settings: Settings, files: Sequence[str], format_name: str, source: str) -> Iterator[Messages]:
    """The events of files, as messages of one source; what cannot be read is told."""
    context = adapt_context(settings)
    reader = InputsReader(
        find_inputs(files, format_name, context),
        format_name,
        context,
        lambda head, name: refuse_packed(head, name, "recount --file -"),
        lambda _: None,
    )
    payloads: list[bytes] = []
    offset = bad = time_ms = 0
    for each in reader.events():
        if isinstance(each, BadRecord) or not isinstance(each, MailEvent):
            bad += 1
            continue
        time_ms = epoch_ms(each.time)
        payloads.append(msgspec.json.encode(each))
        if len(payloads) == AT_ONCE:
            yield Messages(source, payloads, range(offset, offset + len(payloads)), time_ms)
            offset, payloads = offset + len(payloads), []
    if payloads:
        yield Messages(source, payloads, range(offset, offset + len(payloads)), time_ms)
    if bad:
        print_note(f"{bad:,} records of the files could not be read")


def _announce(settings: Settings, customers: Sequence[str]) -> None:
    """Let the monitor judge them again."""
    publisher = Publisher(settings.kafka)
    for each in changes(customers, utc_now_ms(), publisher.partitions(REPUTATION_CHANGES)):
        publisher.publish(REPUTATION_CHANGES, each.key, each.value, each.partition)
    publisher.flush()
