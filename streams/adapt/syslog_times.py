"""Times of log lines as epoch ms. What is the same for a whole minute is remembered, since logs are read line by line.

A time of RFC 3164 has neither year nor zone. The zone is given; the year is the latest in which the time is not after
the time now, by more than a day for clocks that are ahead.
"""

from datetime import datetime, tzinfo
from functools import lru_cache

from schemas.times import DAY_MS, MINUTE_MS, MINUTE_S, SECOND_MS, epoch_ms, utc_time
from streams.adapt.base import AdaptError

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
#: A leap day is at most eight years away (1896 to 1904).
_YEARS_BACK = 8
#: Less than any year, since zones change their offset.
_A_YEAR_MS = 360 * DAY_MS
#: More than any year.
_OVER_A_YEAR_MS = 368 * DAY_MS
#: Minutes that are remembered, of each kind.
_MINUTES = 4_096


def full_time(minute: str, second: str, fraction: str | None, offset: str | None, zone: tzinfo) -> int:
    """`2025-03-03T10:11` (or with a blank), `12`, `5` and `+01:00`, `+0100`, `Z` or nothing: epoch ms. Without an
    offset it is a time of `zone`.

    Raises:
        AdaptError: it is no time.
    """
    try:
        moment = _full_minute(minute, offset or "", zone)
    except (ValueError, OverflowError) as error:
        raise AdaptError(f"the time {_written(minute, second, fraction, offset)!r} is not RFC 3339") from error
    if second >= "60":
        raise AdaptError(f"the time {_written(minute, second, fraction, offset)!r} is not RFC 3339")
    return moment + within_minute(second, fraction)


def within_minute(second: str, fraction: str | None) -> int:
    """Milliseconds after the begin of the minute."""
    whole = int(second) * SECOND_MS
    return whole + (int(fraction[:6].ljust(6, "0")) + 500) // 1000 if fraction else whole


def yearless_time(day: str, clock: str, second: str, fraction: str | None, zone: tzinfo, now_ms: int | None) -> int:
    """`Mar  3`, `10:11`, `12` and a fraction: epoch ms.

    Raises:
        AdaptError: it is no time, or the time now is not known.
    """
    if now_ms is None:
        raise AdaptError(f"the time {_short(day, clock, second)!r} has no year, and the time now is not known")
    latest = now_ms + DAY_MS
    after = within_minute(second, fraction)
    if second < f"{MINUTE_S}":
        for moment in _minutes_of_years(day, clock, zone, _year(latest // DAY_MS)):
            if moment + after <= latest:
                return moment + after
    raise AdaptError(f"the time {_short(day, clock, second)!r} is not a time")


def goes_on(moment_ms: int, before_ms: int, day: str, clock: str, zone: tzinfo, now_ms: int) -> int:
    """The minute of a line that seemed to be of `moment_ms`, where the line before it was of `before_ms` (epoch ms): a
    leap day tells its year, which may be some years back, and the log goes on from there."""
    if now_ms - before_ms < _OVER_A_YEAR_MS or moment_ms <= before_ms:
        return moment_ms
    later = [
        each for each in _minutes_of_years(day, clock, zone, _year(now_ms // DAY_MS)) if each >= before_ms - DAY_MS
    ]
    return min(later, default=moment_ms)


def surely_latest(minute_ms: int) -> tuple[int, int]:
    """From when and until when a minute is surely not of the future, and that of the year after it is (epoch ms)."""
    first = minute_ms + MINUTE_MS - DAY_MS
    return first, first + _A_YEAR_MS


@lru_cache(maxsize=_MINUTES)
def _full_minute(minute: str, offset: str, zone: tzinfo) -> int:
    moment = datetime.fromisoformat(f"{minute}:00{offset}")
    return epoch_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))


@lru_cache(maxsize=_MINUTES)
def _minutes_of_years(day: str, clock: str, zone: tzinfo, year: int) -> tuple[int, ...]:
    """The minute in each year that it may be of, the latest first: a year after `year` to some before."""
    found = []
    for each in range(year + 1, year - _YEARS_BACK - 1, -1):
        try:
            start = datetime.fromisoformat(numbered(f"{each}", day, clock))
            found.append(epoch_ms(start.replace(tzinfo=zone)))
        except (ValueError, OverflowError):
            continue
    return tuple(found)


def numbered(year: str, day: str, clock: str) -> str:
    """`2025`, `Mar  3`, `10:11` as `2025-03-03T10:11`; what is no month is 00."""
    month, _, date = day.partition(" ")
    return f"{year}-{_MONTHS.get(month, 0):02}-{int(date):02}T{clock}"


@lru_cache(maxsize=_MINUTES)
def _year(day: int) -> int:
    """The year of an epoch day (UTC)."""
    return utc_time(day * DAY_MS).year


def zone_of(name: str, minute: str, zone: tzinfo) -> str:
    """The offset for a zone's short name, as journald writes it (`UTC`, `CET`, `+03`), at a minute of local time.

    Raises:
        AdaptError: it is not what `zone` is called then: such names are not unique, so nothing else is known of it.
    """
    if name in ("UTC", "GMT", "Z"):
        return "+00:00"
    if name[:1] in "+-":
        return name
    try:
        moment = datetime.fromisoformat(minute).replace(tzinfo=zone)
    except (ValueError, OverflowError) as error:
        raise AdaptError(f"the time {minute!r} is not a time") from error
    for each in (moment, moment.replace(fold=1)):
        if each.tzname() == name:
            return each.isoformat()[-6:]
    raise AdaptError(f"times of this log are in the zone `{name}`, and the option `time_zone` names another")


def _written(minute: str, second: str, fraction: str | None, offset: str | None) -> str:
    return f"{minute}:{second}{'.' + fraction if fraction else ''}{offset or ''}"[:40]


def _short(day: str, clock: str, second: str) -> str:
    return f"{' '.join(day.split())} {clock}:{second}"
