"""Dead letters as lines of text, and for a program."""

from base64 import b64encode
from datetime import UTC, datetime

from api.text.harmless import harmless
from jobs.resend.dead_letters import Letter, LetterReason, Replay
from jobs.resend.replay import ReplayOutcome


def as_line(found: Letter | LetterReason) -> str:
    """A letter, or how often a reason was given, as one line of text."""
    if isinstance(found, LetterReason):
        replayed = f", {found.replayed:,} replayed" if found.replayed else ""
        last = f"last {utc(found.last_ms)} {found.example}"
        return f"{found.letters:>9,} x {harmless(found.reason)}  ({harmless(found.topic)}, {last}{replayed})"
    replayed = f"  (replayed {utc(found.replayed_ms)} by {harmless(found.replayed_by)})" if found.replayed_ms else ""
    return f"{found.short}  {utc(found.time_ms)}  {harmless(found.topic)}  {harmless(found.reason)}{replayed}"


def as_object(found: Letter | LetterReason) -> dict[str, object]:
    """The same for a program. Times are RFC 3339, or null."""
    if isinstance(found, LetterReason):
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
