"""The commands `repmon dead-letters ...`: what could not be read, and sending it again once it can be."""

import os
import pwd
import sys
from collections import Counter
from collections.abc import Iterable

import click

from api.cli.durations import since_ms
from api.cli.lazy import command
from api.cli.options import an_id, as_json, limit, with_reached
from api.cli.printing import note_if_none, print_exactly, print_json, print_line, print_note
from api.stack.adapting import adapt_context
from api.text.dead_letters import as_line, as_object, described, outcome_line
from jobs.resend.dead_letters import (
    Chosen,
    DeadLetterError,
    Letter,
    LetterReason,
    letter_named,
    newest,
    oldest_first,
    payloads,
    replays,
    summary,
)
from jobs.resend.replay import Reader, Replayer
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from schemas.written_file import read_bounded
from streams.io.broker import Publisher
from streams.io.store import open_store

#: As large as a dead letter can be.
MAX_MESSAGE_BYTES = 16_000_000

topic_option = click.option("--topic", default="", help="Only of this topic.")
reason_option = click.option(
    "--reason", default="", help="Only with this text in the reason, as it is or as --summary shows it."
)
since_option = click.option("--since", default="", help="Only of this last period, for example 24h.")


@command("repmon dead-letters list --summary --since 24h", "repmon dead-letters list --reason customer", name="list")
@topic_option
@reason_option
@since_option
@limit(50)
@click.option("--summary", "by_reason", is_flag=True, help="Count by reason, all numbers as N.")
@as_json
@with_reached
def list_letters(
    settings: Settings, topic: str, reason: str, since: str, limit: int, by_reason: bool, as_json: bool
) -> None:
    """Show dead letters, newest first.

    Each with its short id, when it was refused, its topic, the reason, and whether it was replayed.
    """
    chosen = _chosen(topic, reason, since)
    store = open_store(settings.clickhouse)
    found: list[Letter] | list[LetterReason]
    found = summary(store, chosen, limit + 1) if by_reason else newest(store, chosen, limit + 1)
    store.close()
    note_if_none(found, "no dead letters")
    for each in found[:limit]:
        if as_json:
            print_json(as_object(each))
        else:
            print_line(as_line(each))
    if len(found) > limit:
        print_note(f"there are more than these {limit:,}; --limit says how many are shown")


@command("repmon dead-letters show 0fa39c7108a7", "repmon dead-letters show 0fa39c7108a7 --payload", name="show")
@an_id
@click.option("--payload", "payload_only", is_flag=True, help="Only the original bytes, to be corrected.")
@with_reached
def show(settings: Settings, which: str, payload_only: bool) -> None:
    """Show one dead letter, with its bytes.

    ID is the letter's id or short id, or a unique prefix of it.
    """
    store = open_store(settings.clickhouse)
    letter = letter_named(store, which)
    payload = payloads(store, [letter]).get(letter.id)
    history = replays(store, letter)
    store.close()
    if payload is None:
        raise DeadLetterError(f"dead letter {letter.short} is no longer stored")
    if payload_only:
        print_exactly(payload)
        return
    for line in described(letter, history, payload):
        print_line(line)


@command(
    "repmon dead-letters replay --all --reason customer",
    "repmon dead-letters replay 0fa39c7108a7 --with mended.json",
    name="replay",
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that were not replayed yet, oldest first.")
@topic_option
@reason_option
@since_option
@click.option(
    "--with",
    "mended",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    default="",
    help="Send the corrected bytes of FILE (- is standard input).",
)
@click.option("--force", is_flag=True, help="Send what still cannot be read, and what was replayed before.")
@with_reached
def replay(
    settings: Settings,
    ids: tuple[str, ...],
    everything: bool,
    topic: str,
    reason: str,
    since: str,
    mended: str,
    force: bool,
) -> None:
    """Send dead letters to their topic again.

    Each is first read as `repmon ingest` would with the settings in force here: mend the settings, start ingest with
    them, then replay. A letter is sent with its customer as key, and recorded as replayed (when, and by whom) once the
    broker has it. An event that comes twice counts once, as long as ingest knows its id: for 24 hours, and for 30 days
    where it is a bounce, a complaint or other negative event.
    """
    chosen, which = _chosen(topic, reason, since), list(ids)
    if bool(which) == everything:
        raise SettingsError("give either ids of dead letters or --all")
    if which and chosen != Chosen():
        raise SettingsError("--topic, --reason and --since choose letters of --all, not ids")
    if mended and len(which) != 1:
        raise SettingsError("--with takes the id of one dead letter")
    outcomes = _replayed(settings, which, chosen, _read(mended) if mended else None, force=force)
    if outcomes["refused"]:
        raise click.exceptions.Exit(1)


def _replayed(
    settings: Settings, which: list[str], chosen: Chosen, mended: bytes | None, *, force: bool
) -> Counter[str]:
    reader = Reader(settings.ingest, adapt_context(settings))
    store = open_store(settings.clickhouse)
    letters: Iterable[Letter]
    if which:
        letters = {each.id: each for each in (letter_named(store, name) for name in which)}.values()
    else:
        letters = oldest_first(store, chosen, utc_now_ms(), again=force)
    publisher = Publisher(settings.kafka, **{"message.max.bytes": MAX_MESSAGE_BYTES})
    replayer = Replayer(store, publisher, reader, os_user(), utc_now_ms, again=force, force=force, mended=mended)
    counts: Counter[str] = Counter()
    try:
        for outcome in replayer.run(letters):
            counts[outcome.what] += 1
            print_line(outcome_line(outcome))
    finally:
        print_line(f"{counts['sent']:,} sent, {counts['refused']:,} not, {counts['passed over']:,} replayed before")
        store.close()
    return counts


def os_user() -> str:
    """Who runs this, as the system knows it."""
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def _chosen(topic: str, reason: str, since: str) -> Chosen:
    return Chosen(topic=topic, reason=reason, since_ms=since_ms(since, "--since", utc_now_ms()))


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return read_bounded(path)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
