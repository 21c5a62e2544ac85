"""The time range of a request: read, checked, and cut into buckets. Pure; times are epoch seconds, UTC."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from schemas.errors import InvalidInputError
from schemas.times import DAY_S, HOUR_S, MINUTE_MS, MINUTE_S
from streams.subjects.arrays import SHORT_S

WINDOW_S = {"1h": HOUR_S, "24h": DAY_S, "7d": 7 * DAY_S, "15d": 15 * DAY_S, "30d": 30 * DAY_S}
StepName = Literal["auto", "minute", "hour", "day", "week", "month"]
WEEK_S = 7 * DAY_S
#: Stands for a calendar month, which has no length.
MONTH = 0
STEP_S = {"minute": MINUTE_S, "hour": HOUR_S, "day": DAY_S, "week": WEEK_S, "month": MONTH}
MOST_POINTS = 2_000
#: Counts are kept for 400 days; the longest window must still be whole at the first point.
OLDEST_S = (400 - 30) * DAY_S

# RFC 3339 section 5.6. A "+" that was not escaped reaches us as a space, and can only have meant a "+".
RFC_3339 = re.compile(
    r"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?)"
    r"(?P<offset>[Zz]|[+\- ][0-9]{2}:[0-9]{2})"
)
EPOCH_MS = re.compile(r"-?[0-9]{1,15}")


class RangeError(InvalidInputError):
    """A time or range that cannot be asked for; `parameter` is `from`, `to` or `step`."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


class Span(NamedTuple):
    """Whole buckets of `step` seconds from `start` to `end`; counting has got to `now` (end of its minute). A step of
    `MONTH` is a calendar month (UTC).
    """

    start: int
    end: int
    step: int
    now: int

    def buckets(self) -> Sequence[tuple[int, int]]:
        """Begin and end of each bucket; the end of a running bucket is `now`."""
        return _buckets(self)


@lru_cache(maxsize=100)
def _buckets(cut: Span) -> tuple[tuple[int, int], ...]:
    if cut.step == MONTH:
        begins = [cut.start]
        while (following := _next_month(begins[-1])) < cut.end:
            begins.append(following)
        return tuple((at, min(_next_month(at), cut.now)) for at in begins)
    return tuple((at, min(at + cut.step, cut.now)) for at in range(cut.start, cut.end, cut.step))


def span(start: str | None, end: str | None, window_s: int, now_ms: int, step: StepName = "auto") -> Span:
    """The span between two wire times. A missing `end` is now, a missing `start` one window before the end.

    Where `step` leaves it open, up to 6 hours are cut into minutes, up to 31 days into hours, more into days.

    Raises:
        RangeError: a time that cannot be read, or a range that is empty, too old, in the future, or of too many steps.
    """
    now = end_of_minute(now_ms)
    until = now if end is None else min(instant("to", end), now)
    since = until - window_s if start is None else instant("from", start)
    if since >= now:
        raise RangeError("from", "lies in the future")
    if since >= until:
        raise RangeError("from", "must lie before `to`")
    if since < now - OLDEST_S:
        raise RangeError("from" if start else "to", f"lies more than {OLDEST_S // DAY_S} days back")
    chosen = step_for(until - since) if step == "auto" else STEP_S[step]
    if chosen == MONTH:
        return Span(_month(since), _next_month(_month(until - 1)), MONTH, now)
    if (count := -(-(until - since) // chosen)) > MOST_POINTS:
        detail = f"makes {count:,} points of this range, and {MOST_POINTS:,} are the most: take a longer one"
        raise RangeError("step", detail)
    # Weeks begin on Monday; the epoch was a Thursday.
    shift = 4 * DAY_S if chosen == WEEK_S else 0
    first, last = (since - shift) // chosen * chosen + shift, -(-(until - shift) // chosen) * chosen + shift
    return Span(first, last, chosen, now)


def between(start: str | None, end: str | None, usual_ms: int, longest_ms: int, now_ms: int) -> tuple[int, int]:
    """From when to when two wire times ask, epoch ms: by default the last `usual_ms` until `end`, which is now.

    Raises:
        RangeError: a time that cannot be read, or a range that is reversed, in the future or older than `longest_ms`.
    """
    until = now_ms if end is None else min(instant("to", end) * 1000, now_ms)
    since = until - usual_ms if start is None else instant("from", start) * 1000
    if since > now_ms:
        raise RangeError("from", "lies in the future")
    if since > until:
        raise RangeError("from", "must not lie after `to`")
    oldest = now_ms - longest_ms
    if until < oldest or (start is not None and since < oldest):
        raise RangeError("from" if start else "to", f"lies more than {longest_ms // DAY_S // 1000} days back")
    return max(since, oldest), until


def step_for(length: int) -> int:
    """The bucket length for a range of `length` seconds: at most 745 buckets."""
    if length <= 6 * HOUR_S:
        return MINUTE_S
    return HOUR_S if length <= 31 * DAY_S else DAY_S


def step_name(step: int) -> str:
    """What a bucket length is called."""
    return next(name for name, seconds in STEP_S.items() if seconds == step)


def _month(at: int) -> int:
    return int(datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0).timestamp())


def _next_month(at: int) -> int:
    return _month(at + 31 * DAY_S)


def end_of_minute(ms: int) -> int:
    """The end of the minute that `ms` (epoch ms) lies in, epoch seconds: so far a window counts, now."""
    return (ms // (MINUTE_MS) + 1) * MINUTE_S


def judged_since(now: int, window_s: int) -> int:
    """Where the window that is judged now begins; `now` is the end of the running minute.

    Its begin is rounded down to a minute, or to an hour where it is longer than a day, as in `streams.windows.current`.
    """
    grain = MINUTE_S if window_s <= SHORT_S else HOUR_S
    return (now - MINUTE_S - window_s) // grain * grain


def rfc3339(at: int) -> datetime:
    """Epoch seconds as a UTC time."""
    return datetime.fromtimestamp(at, UTC)


def instant(parameter: str, text: str) -> int:
    """A time on the wire as epoch seconds, rounded down; `parameter` names it in errors.

    Raises:
        RangeError: not RFC 3339 with an offset, nor epoch milliseconds.
    """
    if EPOCH_MS.fullmatch(text):
        return int(text) // 1000
    match = RFC_3339.fullmatch(text)
    if not match:
        raise RangeError(
            parameter,
            "must be RFC 3339 with an offset (2026-01-31T12:00:00Z) or epoch milliseconds",
        )
    offset = match["offset"].replace(" ", "+").upper()
    try:
        return int(datetime.fromisoformat(match["local"] + offset).timestamp())
    except (ValueError, OverflowError) as error:
        raise RangeError(parameter, f"is not a time: {error}") from None
