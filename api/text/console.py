"""The console: the worst customers as a live table or as plain lines, and alerts as they come."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from schemas.alert import LEVELS, AlertEvent
from schemas.scope import CUSTOMER, STREAM_PREFIX
from streams.alerts.describe import decided_by
from streams.decisions.suspensions import SHOWN_STANDINGS
from streams.io.store import Store

#: The worst first: by level, then by how far the worst rate is above what is usual for it.
WORST = f"""
SELECT customer, scope, volume, complaint_rate, failure_rate, exposure_rate, overall_score, standing
FROM {SHOWN_STANDINGS}
WHERE scope = 'customer' OR standing NOT IN ('good', 'insufficient_volume')
ORDER BY
    transform(judged, {{levels:Array(String)}}, {{ranks:Array(UInt8)}}, 0) DESC,
    greatest(complaint_rate / 0.003, failure_rate / 0.05, exposure_rate) DESC,
    volume DESC, customer, scope
LIMIT {{limit:UInt32}}
"""  # noqa: S608 - made of texts of this project only

STYLES = {
    "suspended": "magenta",
    "critical": "bold red",
    "excessive": "red",
    "warning": "yellow",
    "watch": "cyan",
    "good": "green",
    "insufficient_volume": "dim",
}
HEADINGS = ("customer", "stream", "volume 24h", "complaints", "failures", "exposure", "score", "standing")


@dataclass(frozen=True, slots=True)
class Line:
    """One subject. Rates are ratios over 24 h; a score is from 0 to 100, 100 is best."""

    customer: str
    stream: str
    volume: int
    complaint_rate: float
    failure_rate: float
    exposure_rate: float
    score: int | None
    standing: str


def worst(store: Store, limit: int) -> list[Line]:
    """The worst subjects now.

    Raises:
        StoreError: the store failed.
    """
    ranks = list(range(1, len(LEVELS) + 1))
    rows = store.rows(WORST, {"levels": list(LEVELS), "ranks": ranks, "limit": limit})
    return [
        Line(customer, "all" if scope == CUSTOMER else scope.removeprefix(STREAM_PREFIX), volume, *rest)
        for customer, scope, volume, *rest in rows
    ]


def table(lines: Sequence[Line], title: str) -> Table:
    """The live table."""
    drawn = Table(title=title, title_justify="left", expand=True)
    for place, heading in enumerate(HEADINGS):
        drawn.add_column(heading, justify="right" if 2 <= place <= 6 else "left", no_wrap=True)
    for line in lines:
        style = STYLES.get(line.standing, "")
        drawn.add_row(
            escape(line.customer),
            escape(line.stream),
            f"{line.volume:,}",
            percent(line.complaint_rate),
            percent(line.failure_rate),
            percent(line.exposure_rate),
            "" if line.score is None else str(line.score),
            f"[{style}]{line.standing}[/]" if style else line.standing,
        )
    return drawn


def plain(line: Line) -> str:
    """One line of text for a pipe."""
    return (
        f"{line.standing:<10} {line.customer:<28} {line.stream:<16} {line.volume:>9,}  "
        f"complaints {percent(line.complaint_rate):>8}  failures {percent(line.failure_rate):>8}  "
        f"exposure {percent(line.exposure_rate):>8}  score {'-' if line.score is None else line.score:>3}"
    )


def alert_line(alert: AlertEvent) -> str:
    """One alert as one line of text."""
    data = alert.data
    scope = "" if data.scope == CUSTOMER else f" ({data.scope.removeprefix(STREAM_PREFIX)})"
    whose = f"{data.customer}{scope}" if data.customer else data.scope
    changed = data.kind != "opened" and data.previous_level != data.level
    level = f"{data.previous_level} to {data.level}" if changed else data.level
    who = f" {said}" if (said := decided_by(data)) else ""
    return f"ALERT {alert.time} {data.kind}{who}: {whose} {data.rule} {level}. {data.explanation}"


def percent(ratio: float) -> str:
    """A ratio as percent, two decimals."""
    return f"{ratio * 100:.2f} %"
