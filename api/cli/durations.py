"""Durations as people write them: `60s`, `5m`, `2h`, `30d`."""

import re

from schemas.settings import SettingsError

DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
UNITS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST_S = 1e9


def seconds(text: str, option: str) -> float | None:
    """A duration such as `60s`, `5m` or `2h` in seconds; None for empty text.

    Raises:
        SettingsError: it is none; `option` is named.
    """
    if not text:
        return None
    match = DURATION.fullmatch(text.strip())
    found = float(match[1]) * UNITS[match[2]] if match else 0.0
    if not 0 < found <= LONGEST_S:
        raise SettingsError(f"{option}: {text!r} is not a duration; write for example 60s, 5m or 2h")
    return found


def since_ms(text: str, option: str, now_ms: int) -> int:
    """The moment (epoch ms, UTC) so long before `now_ms` as `text` says; 0 for empty text.

    Raises:
        SettingsError: it is no duration; `option` is named.
    """
    ago_s = seconds(text, option)
    return 0 if ago_s is None else max(0, now_ms - round(ago_s * 1000))


def until_ms(text: str, option: str, now_ms: int) -> int:
    """The moment (epoch ms, UTC) that `text` says: so long after `now_ms` (`14d`), or a time (RFC 3339, or epoch ms).

    Raises:
        SettingsError: it is neither; `option` is named.
    """
    from api.http.ranges import RangeError, instant

    if text.strip()[-1:] in UNITS:
        return now_ms + round((seconds(text, option) or 0) * 1000)
    try:
        return instant(option, text) * 1000
    except RangeError as error:
        raise SettingsError(f"{option}: {text!r} {error}, or a duration such as 14d") from error
