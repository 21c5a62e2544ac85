"""Events whose times are odd: out of order, days late, from clocks that are wrong. Pure."""

import random

from schemas.event import EventType, MailEvent
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS

#: Some minutes within what is accepted (schemas/settings.py, `Ingest`), since they are not read at once.
ACCEPTED = (
    *(-90 * DAY_MS + 20 * MINUTE_MS, -31 * DAY_MS, -8 * DAY_MS, -25 * HOUR_MS, -HOUR_MS, -MINUTE_MS),
    *(-1, 0, MINUTE_MS, HOUR_MS, 24 * HOUR_MS - 20 * MINUTE_MS),
)
#: As far beyond it.
REFUSED = (-90 * DAY_MS - 20 * MINUTE_MS, -400 * DAY_MS, 24 * HOUR_MS + 20 * MINUTE_MS, 365 * DAY_MS)
#: Each is counted in the measure of its name.
TYPES: tuple[EventType, ...] = ("delivered", "deferred", "complained", "expired")


def accepted(chance: random.Random, name: str, now_ms: int, count: int) -> list[MailEvent]:
    """Events to be counted in the minutes they name. `name` sets their ids apart."""
    return [
        _event(
            f"{name}-{number}",
            now_ms + chance.choice(ACCEPTED) - chance.randrange(MINUTE_MS),
            chance.choice(TYPES),
        )
        for number in range(count)
    ]


def refused(name: str, now_ms: int) -> list[MailEvent]:
    """Events that must become dead letters, one of each kind of wrong clock."""
    times = (*(now_ms + offset for offset in REFUSED), now_ms // 1000, 0, -now_ms)
    return [_event(f"{name}-bad-{number}", time, "delivered") for number, time in enumerate(times)]


def _event(id_: str, time: int, type_: EventType) -> MailEvent:
    number = sum(id_.encode())
    return MailEvent(
        id=id_,
        type=type_,
        time=time,
        customer=f"odd-{number % 5}",
        recipient_domain="yahoo.com",
        sending_ip=f"192.0.2.{number % 3}",
        ip_pool="pool",
    )
