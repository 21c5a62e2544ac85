"""How far the time of an event may lie from now. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.event import MailEvent
from schemas.settings import Ingest
from schemas.times import DAY_MS, HOUR_MS, epoch_ms
from streams.adapt import AdaptError
from streams.adapt.validate import check_time


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """How far an event's time may lie from now, in ms."""

    ahead_ms: int
    behind_ms: int


def time_bounds(settings: Ingest) -> TimeBounds:
    """How far event times may lie from now, as the settings have it."""
    return TimeBounds(int(settings.max_ahead_hours * HOUR_MS), int(settings.max_behind_days * DAY_MS))


def check_times(bounds: TimeBounds, now_ms: int, events: Iterable[MailEvent]) -> None:
    """Say so if an event lies too far from now (epoch ms).

    Raises:
        AdaptError: one does.
    """
    for event in events:
        if not -bounds.behind_ms <= epoch_ms(event.time) - now_ms <= bounds.ahead_ms:
            raise AdaptError(check_time(event, now_ms, bounds.ahead_ms, bounds.behind_ms) or "")
