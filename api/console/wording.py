"""How pages write numbers, times and names: the filters of the templates. Pure."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from api.text.harmless import harmless
from schemas import wording
from schemas.scope import CUSTOMER
from schemas.times import epoch_ms, utc_time
from schemas.wording import scope_name, shared_name

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
    """`0.43 %`, which no line ends within; a dash where there is none."""
    return NONE if ratio is None else wording.percent(ratio).replace(" ", "\u00a0")


def amount(metric: str, value: float) -> str:
    """What a metric or its threshold amounts to; no line ends between number and unit."""
    return wording.amount(metric, value).replace(" %", "\u00a0%")


def together(text: str) -> str:
    """A text of which no line ends between a number and its unit. What is markup stays so."""
    found = wording.together(str(text))
    return Markup(found) if isinstance(text, Markup) else found  # noqa: S704 - it was markup, and a blank is none


def sentence(text: str) -> str:
    """A sentence: it steers nothing, and no line of it ends between a number and its unit."""
    return together(harmless(text))


def iso(epoch_ms: int) -> str:
    """A time (epoch ms) for the attribute `datetime`: RFC 3339, UTC, to the second."""
    return f"{utc_time(epoch_ms).isoformat()[:19]}Z"


def utc(epoch_ms: int) -> str:
    """The same for people: `2026-03-12 12:34 UTC`."""
    return f"{utc_time(epoch_ms).isoformat(' ')[:16]} UTC"


def age_ms(milliseconds: float) -> str:
    """So long: `40 s`, `12 min`, `3.5 h`, `2.0 d`."""
    return together(wording.age(max(0.0, milliseconds) / 1000))


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
    "sentence": sentence,
    "together": together,
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
