"""What the hook says: a line of text, or of JSON, for each thing that it does, would do, or refuses to do. Pure."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from jobs.hooks.measure import Measure, Mode
from schemas.alert import AlertData, AlertEvent
from schemas.hook import Effect
from schemas.wording import amount, decided_by, held_by, on_one_line, rfc3339

#: Characters of a text that is shown, and of a name in it. No true one is longer; forged ones may be.
LONGEST_TEXT, LONGEST_NAME = 4_000, 256

What = Literal[
    "applied",
    "lifted",
    "failed",
    "waiting",
    "withdrawn",
    "renewed",
    "cleared",
    "already",
    "refused",
    "held",
    "stream only",
    "shared only",
    "never",
    "skipped",
    "breaker opened",
    "topic",
    "standby",
    "acting",
    "store",
]
#: Done, and would be done.
APPLIED: dict[Effect, tuple[str, str]] = {
    "suspend": ("suspended", "would suspend"),
    "throttle": ("slowed down", "would slow down"),
    "notify": ("told", "would tell"),
}
LIFTED: dict[Effect, tuple[str, str]] = {
    "suspend": ("lifted the suspension of", "would lift the suspension of"),
    "throttle": ("slows down no more", "would slow down no more"),
    "notify": ("told that it is over:", "would tell that it is over:"),
}


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that the hook says. `time` is RFC 3339, UTC; `text` the whole in words."""

    time: str
    mode: Mode
    what: What
    text: str
    customer: str = ""
    scope: str = ""
    action: str = ""
    level: str = ""
    alert_ids: tuple[str, ...] = ()
    event_id: str = ""
    answer: str = ""


class Note(NamedTuple):
    """A row for the table `audit`: what was done, when (epoch ms), about whom and why."""

    time_ms: int
    action: str
    customer: str
    subject: str
    why: str
    detail: dict[str, str]


Say = Callable[[Said], None]


def said_of(mode: Mode, what: What, measure: Measure, now_ms: int, text: str, answer: str = "") -> Said:
    """Something about a measure."""
    return Said(
        time=rfc3339(now_ms),
        mode=mode,
        what=what,
        text=on_one_line(text),
        customer=measure.customer,
        scope=measure.scope,
        action=measure.action,
        level=measure.level,
        alert_ids=measure.alert_ids,
        answer=answer,
    )


def said_of_hint(mode: Mode, what: What, event: AlertEvent, now_ms: int, text: str) -> Said:
    """Something about an alert that came."""
    data = event.data
    return Said(
        time=rfc3339(now_ms),
        mode=mode,
        what=what,
        text=on_one_line(cut(text, LONGEST_TEXT)),
        customer=cut(data.customer),
        scope=cut(data.scope),
        level=data.level,
        alert_ids=(cut(data.alert_id),),
        event_id=cut(event.id),
    )


def done_line(mode: Mode, measure: Measure, *, lifted: bool, configured: bool) -> str:
    """`suspended acme by kumo: critical failure 14.20 % in 24h (threshold 10.00 %), alert 3f9c: ...`."""
    verb = (LIFTED if lifted else APPLIED)[measure.effect][mode == "dry"]
    part = "" if measure.scope == "customer" else f" ({measure.scope})"
    by = f" by {measure.action}" if configured else ""
    wanted = f", as {measure.by} wanted" if lifted and measure.by else ""
    answer = f" [{measure.said}]" if measure.said else ""
    return f"{verb} {measure.customer}{part}{by}{wanted}: {measure.why}{answer}"


def held_line(event: AlertEvent) -> str:
    """An alert that is held."""
    return f"held, {_would_not(event.data)} ({held_by(event.data)}): {verdict_of(event)}"


def stream_line(event: AlertEvent) -> str:
    """An alert on a part of a customer's mail, on which no rung of the ladder acts."""
    data = event.data
    return f"{data.scope.partition(':')[0]} only, {_would_not(data)} ({data.scope}): {verdict_of(event)}"


def shared_line(event: AlertEvent) -> str:
    """An alert on small customers together."""
    return f"{event.data.scope}: small customers together, nobody to suspend: {verdict_of(event)}"


def refused_line(event: AlertEvent, fault: str) -> str:
    """An alert that is not followed."""
    whom = cut(event.data.customer or event.subject)
    return f"refused, not acting on {whom}: {cut(fault, LONGEST_TEXT // 2)}; it says: {verdict_of(event)}"


def _would_not(data: AlertData) -> str:
    return f"not suspending {data.customer}"


def verdict_of(event: AlertEvent) -> str:
    """`critical failure 14.20 % in 24h (threshold 10.00 %), alert 3f9c: Most failed.`; a count stands as a count."""
    data = event.data
    decided = f" ({who})" if (who := decided_by(data)) else ""
    return f"{_figures(data)}{decided}, alert {data.alert_id}: {data.explanation}"


def _figures(data: AlertData) -> str:
    if data.kind == "overridden":  # the threshold is then that of what the override allows
        return f"overridden {data.metric} {amount(data.metric, data.rate)}"
    word = data.kind if data.kind == "resolved" else data.level
    found, threshold = (amount(data.metric, value) for value in (data.rate, data.threshold))
    return f"{word} {data.metric} {found} in {data.window} (threshold {threshold})"


def cut(text: str, most: int = LONGEST_NAME) -> str:
    """Text of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
