"""An alert as one line of text, for a console."""

from schemas.alert import AlertEvent
from schemas.scope import CUSTOMER, STREAM_PREFIX
from schemas.wording import decided_by, held_by

#: So many digits of an alert's id are shown. Every command that wants an id takes a unique prefix of it.
ID_SHOWN = 12


def alert_line(alert: AlertEvent) -> str:
    """One alert as one line of text: when, which, what happened, to whom, by which rule, how bad, and why."""
    data = alert.data
    scope = "" if data.scope == CUSTOMER else f" ({data.scope.removeprefix(STREAM_PREFIX)})"
    whose = f"{data.customer}{scope}" if data.customer else data.scope
    changed = data.kind != "opened" and data.previous_level != data.level
    level = f"{data.previous_level} to {data.level}" if changed else data.level
    who = f" {said}" if (said := decided_by(data)) else ""
    held = f", held ({said})" if (said := held_by(data)) else ""
    return (
        f"ALERT {alert.time} {data.alert_id[:ID_SHOWN]} {data.kind}{who}: {whose} {data.rule} {level}{held}. "
        f"{data.explanation}"
    )
