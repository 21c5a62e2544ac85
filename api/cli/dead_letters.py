"""The commands `repmon dead-letters ...`: what could not be read, and sending it again once it can be."""

import os
import pwd
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli.durations import since_ms
from api.cli.printing import print_exactly, print_json, print_line, print_note
from api.stack.reading import adapt_context
from api.text.harmless import harmless
from jobs.embedded.folder import reached
from jobs.resend.dead_letters import (
    Chosen,
    DeadLetterError,
    Letter,
    Reason,
    Replay,
    letter_named,
    newest,
    oldest_first,
    payloads,
    replays,
    summary,
)
from jobs.resend.replay import Reader, Replayer, ReplayOutcome
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from streams.io.broker import Publisher
from streams.io.store import open_store

#: As large as a dead letter can be.
MAX_MESSAGE_BYTES = 16_000_000

app = typer.Typer(help="Messages that could not be read.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The letter's id or short id, or a unique prefix of one.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids or short ids, or unique prefixes of them.")]
Topic = Annotated[str, typer.Option("--topic", help="Only of this topic.")]
ReasonText = Annotated[
    str, typer.Option("--reason", help="Only with this text in the reason, as it is or as --summary shows it.")
]
Since = Annotated[str, typer.Option("--since", help="Only of this last period, for example 24h.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many lines.")]


@app.command("list")
def list_letters(
    ctx: typer.Context,
    topic: Topic = "",
    reason: ReasonText = "",
    since: Since = "",
    limit: Limit = 50,
    by_reason: Annotated[bool, typer.Option("--summary", help="Count by reason, all numbers as N.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show dead letters, newest first.

    Each with its short id, when it was refused, its topic, the reason, and whether it was replayed.
    """
    settings, chosen = reached(ctx.obj), _chosen(topic, reason, since)
    store = open_store(settings.clickhouse)
    found: list[Letter] | list[Reason]
    found = summary(store, chosen, limit + 1) if by_reason else newest(store, chosen, limit + 1)
    store.close()
    for each in found[:limit]:
        if as_json:
            print_json(as_object(each))
        else:
            print_line(as_line(each))
    if len(found) > limit:
        print_note(f"there are more than these {limit:,}; --limit says how many are shown")


@app.command("show")
def show(
    ctx: typer.Context,
    which: Id,
    payload_only: Annotated[bool, typer.Option("--payload", help="Only the original bytes, to be corrected.")] = False,
) -> None:
    """Show one dead letter, with its bytes."""
    settings = reached(ctx.obj)
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


@app.command("replay")
def replay(
    ctx: typer.Context,
    ids: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not replayed yet, oldest first.")] = False,
    topic: Topic = "",
    reason: ReasonText = "",
    since: Since = "",
    mended: Annotated[
        str, typer.Option("--with", metavar="FILE", help="Send the corrected bytes of FILE (- is standard input).")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Send what still cannot be read, and what was replayed before.")
    ] = False,
) -> None:
    """Send dead letters to their topic again.

    Each is first read as `repmon ingest` would with the settings in force here: mend the settings, start ingest with
    them, then replay. A letter is sent with its customer as key, and recorded as replayed (when, and by whom) once the
    broker has it. An event that comes twice counts once, as long as ingest knows its id: for 24 hours, and for 30 days
    where it is a bounce, a complaint or other negative event.
    """
    settings, chosen = reached(ctx.obj), _chosen(topic, reason, since)
    which = ids or []
    if bool(which) == everything:
        raise SettingsError("give either ids of dead letters or --all")
    if which and chosen != Chosen():
        raise SettingsError("--topic, --reason and --since choose letters of --all, not ids")
    if mended and len(which) != 1:
        raise SettingsError("--with takes the id of one dead letter")
    outcomes = _replayed(settings, which, chosen, _read(mended) if mended else None, force=force)
    if outcomes["refused"]:
        raise typer.Exit(1)


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
    replayer = Replayer(store, publisher, reader, os_user(), utc_now_ms, force=force, mended=mended)
    counts: Counter[str] = Counter()
    try:
        for outcome in replayer.run(letters):
            counts[outcome.what] += 1
            print_line(outcome_line(outcome))
    finally:
        print_line(f"{counts['sent']:,} sent, {counts['refused']:,} not, {counts['passed over']:,} replayed before")
        store.close()
    return counts


def as_line(found: Letter | Reason) -> str:
    """A letter, or how often a reason was given, as one line of text."""
    if isinstance(found, Reason):
        replayed = f", {found.replayed:,} replayed" if found.replayed else ""
        last = f"last {utc(found.last_ms)} {found.example}"
        return f"{found.letters:>9,} x {harmless(found.reason)}  ({harmless(found.topic)}, {last}{replayed})"
    replayed = f"  (replayed {utc(found.replayed_ms)} by {harmless(found.replayed_by)})" if found.replayed_ms else ""
    return f"{found.short}  {utc(found.time_ms)}  {harmless(found.topic)}  {harmless(found.reason)}{replayed}"


def as_object(found: Letter | Reason) -> dict[str, object]:
    """The same for a program. Times are RFC 3339, or null."""
    if isinstance(found, Reason):
        return {
            "topic": found.topic,
            "reason": found.reason,
            "letters": found.letters,
            "replayed": found.replayed,
            "last": utc(found.last_ms),
            "example": found.example,
        }
    return {
        "id": found.id,
        "short": found.short,
        "topic": found.topic,
        "source": found.source,
        "offset": found.position,
        "time": utc(found.time_ms),
        "reason": found.reason,
        "bytes": found.size,
        "replayed": utc(found.replayed_ms) if found.replayed_ms else None,
        "replayed_by": found.replayed_by or None,
    }


def described(letter: Letter, history: list[Replay], payload: bytes) -> list[str]:
    """Everything about a letter, as lines of text."""
    topic, topic_id, partition = letter.source.rsplit(":", 2)
    lines = [
        f"id         {letter.id}",
        f"short id   {letter.short}",
        f"topic      {topic} (id {topic_id}), partition {partition}, offset {letter.position}",
        f"refused    {utc(letter.time_ms)}",
        f"reason     {letter.reason}",
    ]
    for each in history:
        how = "".join(f", {word}" for word, so in (("mended", each.mended), ("forced", each.forced)) if so)
        lines.append(f"replayed   {utc(each.time_ms)} by {each.by}{how}")
    if not history:
        lines.append("replayed   never")
    lines = [harmless(line) for line in lines]
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return [*lines, f"payload    {len(payload):,} bytes, not UTF-8, here in base64:", b64encode(payload).decode()]
    return [*lines, f"payload    {len(payload):,} bytes:", *map(harmless, text.split("\n"))]


def outcome_line(outcome: ReplayOutcome) -> str:
    """What became of one letter, as one line of text."""
    letter = outcome.letter
    if outcome.what == "sent":
        return f"{letter.short}  sent to {harmless(letter.topic)}"
    if outcome.what == "passed over":
        when = f"{utc(letter.replayed_ms)} by {harmless(letter.replayed_by)}"
        return f"{letter.short}  replayed before, {when}; --force sends it again"
    return f"{letter.short}  not sent: {harmless(outcome.why)}"


def utc(epoch_ms: int) -> str:
    """RFC 3339, to the second."""
    return f"{datetime.fromtimestamp(epoch_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


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
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
