"""Whether an event's time is plausible. Pure: the time now is passed in."""

from typing import Protocol

from schemas.times import DAY_MS, HOUR_MS

#: Epoch milliseconds below this are in 1970; nothing that happened now looks like it, epoch seconds do.
_SECONDS_BELOW_MS = 100_000_000_000


class HasTime(Protocol):
    """Anything with a time in epoch ms, UTC."""

    @property
    def time_ms(self) -> int:
        """Epoch ms, UTC."""


def check_time(event: HasTime, now_ms: int, max_ahead_ms: int, max_behind_ms: int) -> str | None:
    """Why the event's time cannot be taken, for a person to read; None if it can.

    All times are ms; both bounds belong to what is allowed.
    """
    time_ms = event.time_ms
    ahead_ms = time_ms - now_ms
    if ahead_ms > max_ahead_ms:
        return (
            f"field `time`: lies {_span(ahead_ms)} in the future; {_span(max_ahead_ms)} are allowed"
            " (is the sender's clock right?)"
        )
    if -ahead_ms > max_behind_ms:
        hint = " (are these seconds? milliseconds are expected)" if 0 < time_ms < _SECONDS_BELOW_MS else ""
        return f"field `time`: lies {_span(-ahead_ms)} in the past; {_span(max_behind_ms)} are allowed{hint}"
    return None


def _span(ms: int) -> str:
    if ms >= 3 * DAY_MS:
        return f"{ms // DAY_MS:,} days"
    if ms >= HOUR_MS:
        return f"{ms / HOUR_MS:,.1f} hours"
    return f"{ms / 1000:,.0f} seconds"
