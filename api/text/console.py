"""Alerts as they come, a line each."""

from schemas.alert import AlertEvent
from schemas.scope import CUSTOMER, STREAM_PREFIX
from streams.alerts.describe import decided_by


def alert_line(alert: AlertEvent) -> str:
    """One alert as one line of text."""
    data = alert.data
    scope = "" if data.scope == CUSTOMER else f" ({data.scope.removeprefix(STREAM_PREFIX)})"
    whose = f"{data.customer}{scope}" if data.customer else data.scope
    changed = data.kind != "opened" and data.previous_level != data.level
    level = f"{data.previous_level} to {data.level}" if changed else data.level
    who = f" {said}" if (said := decided_by(data)) else ""
    return f"ALERT {alert.time} {data.kind}{who}: {whose} {data.rule} {level}. {data.explanation}"
