"""How long a server that is asked over HTTP asks to wait."""

from email.utils import parsedate_to_datetime


def retry_after_s(written: str, now_s: float) -> float | None:
    """The field Retry-After in s: a number of seconds, or a date (RFC 9110 section 10.2.3); None where it is neither.

    `now_s` is epoch s. A date that has passed is 0.
    """
    written = written.strip()
    if written.isascii() and written.isdigit():
        return float(written[:9])
    try:
        return max(0.0, parsedate_to_datetime(written).timestamp() - now_s) if written else None
    except (ValueError, OverflowError):
        return None
