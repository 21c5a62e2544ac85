"""What a hook has done and owes, a line each."""

from jobs.hooks.shown import ShownMeasure
from schemas.wording import age, rfc3339


def measure_line(shown: ShownMeasure, now_ms: int) -> str:
    """`3f9c-1  applied  acme  by kumo  since 2026-11-29T10:00:00.000Z  critical failure ...`."""
    measure = shown.measure
    since = measure.applied_ms if measure.state == "applied" else measure.changed_ms
    parts = [
        shown.id,
        f"waiting for {measure.waits}" if measure.state == "waiting" else measure.state,
        measure.customer if measure.scope == "customer" else f"{measure.customer} ({measure.scope})",
        f"by {measure.name}",
        f"since {rfc3339(since)}",
        measure.why,
    ]
    if shown.approved_by:
        parts.append(f"approved by {', '.join(shown.approved_by)}")
    if measure.failing_ms:
        parts.append(f"fails since {age((now_ms - measure.failing_ms) / 1000)}: {measure.said}")
    elif measure.said and measure.state != "lifted":
        parts.append(f"[{measure.said}]")
    return "  ".join(parts)
