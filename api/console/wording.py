"""How pages write numbers, times and names: the filters of the templates. Pure."""

from collections.abc import Callable
from typing import Any

from api.text.harmless import harmless
from schemas.scope import CUSTOMER
from schemas.times import epoch_ms, utc_time
from schemas.wording import age, amount, percent, scope_name, shared_name

#: Where there is no number.
NONE = "-"
#: What a standing is called.
STANDINGS = {
    "suspended": "suspended",
    "reinstated": "reinstated",
    "critical": "critical",
    "excessive": "excessive",
    "warning": "warning",
    "watch": "watch",
    "good": "good",
    "insufficient_volume": "too few",
    "inactive": "inactive",
}
#: What the metrics are called whose rates are shown everywhere.
METRICS = {"complaint": "Complaints", "failure": "Failures", "block": "Blocks", "exposure": "Exposure"}


def number(value: float | None) -> str:
    """`12,345`; a dash where there is none."""
    return NONE if value is None else f"{value:,.0f}"


def ratio_as_percent(ratio: float | None) -> str:
    """`0.43 %`; a dash where there is none."""
    return NONE if ratio is None else percent(ratio)


def iso(epoch_ms: int) -> str:
    """A time (epoch ms) for the attribute `datetime`: RFC 3339, UTC, to the second."""
    return utc_time(epoch_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc(epoch_ms: int) -> str:
    """The same for people: `2026-03-12 12:34 UTC`."""
    return utc_time(epoch_ms).strftime("%Y-%m-%d %H:%M UTC")


def age_ms(milliseconds: float) -> str:
    """So long: `40 s`, `12 min`, `3.5 h`, `2.0 d`."""
    return age(max(0.0, milliseconds) / 1000)


def scope_text(scope: str) -> str:
    """Which part of a customer's mail, empty where it is all of it."""
    return "" if scope == CUSTOMER else shared_name(scope) or scope_name(scope)


def standing_text(standing: str) -> str:
    """What a standing is called."""
    return STANDINGS.get(standing, standing)


def metric_text(metric: str) -> str:
    """What a metric is called."""
    return METRICS.get(metric, metric.replace("_", " "))


FILTERS: dict[str, Callable[..., Any]] = {
    "shown": harmless,
    "number": number,
    "percent": ratio_as_percent,
    "iso": iso,
    "utc": utc,
    "ms": epoch_ms,
    "age": age_ms,
    "scope": scope_text,
    "standing_text": standing_text,
    "metric_text": metric_text,
    "amount": amount,
}
