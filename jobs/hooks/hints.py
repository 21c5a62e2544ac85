"""Whether an alert may be what it says: it is a hint to look; none that is forged, foreign or old is followed. Pure."""

from datetime import datetime

from schemas.alert import ALERT_SOURCE, ALERT_TYPE, AlertEvent
from schemas.deployment import Deployment, names_no_deployment
from schemas.times import HOUR_MS, MINUTE_MS, epoch_ms
from schemas.wording import age
from streams.alerts.forged import fault_of_names

#: Clocks differ.
AHEAD_MS = 5 * MINUTE_MS


def fault_of_hint(event: AlertEvent, deployment: Deployment, max_age_ms: int, now_ms: int) -> str:
    """What is wrong with an alert by itself; empty where nothing is. `now_ms` is epoch ms."""
    data = event.data
    if fault := fault_of_names(event):
        return fault
    # Before sources named a deployment all had the same one; whether it was sent here, the store tells.
    if not deployment.sent(event.source) and not names_no_deployment(event.source):
        ours = deployment.source(ALERT_SOURCE)
        return f"of another deployment: its source is {event.source!r}, this one's is {ours!r}"
    if event.type != ALERT_TYPE.format(kind=data.kind):
        return f"forged: its type is {event.type!r}, and its kind {data.kind!r}"
    if fault := _fault_of_time(event.time, max_age_ms, now_ms):
        return fault
    if not data.numerator and not data.denominator:
        return "counts nothing: 0 of 0"
    return ""


def _fault_of_time(time: str, max_age_ms: int, now_ms: int) -> str:
    try:
        time_ms = epoch_ms(datetime.fromisoformat(time))
    except (ValueError, OverflowError):
        return f"forged: its time is {time!r}"
    if time_ms > now_ms + AHEAD_MS:
        return f"forged: its time is {time}, in the future"
    if now_ms - time_ms <= max_age_ms:
        return ""
    old = age((now_ms - time_ms) / 1000)
    return f"too old to begin anything: of {time}, {old} ago (hook.max_alert_age_h is {max_age_ms / HOUR_MS:g})"
