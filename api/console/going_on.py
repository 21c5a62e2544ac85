"""Which incidents go on, for the pages that show them. Pure."""

from collections.abc import Iterable

from schemas.incident import Incident


def goes_on(incident: Incident, now_ms: int) -> bool:
    """Whether it is one still at a moment (epoch ms): open, or declared with an end that is to come."""
    if incident.state == "dismissed":
        return False
    return incident.open or (incident.state == "declared" and incident.until_s * 1000 > now_ms)


def going_on(incidents: Iterable[Incident], now_ms: int) -> tuple[Incident, ...]:
    """Those that go on, the latest first."""
    found = (each for each in incidents if goes_on(each, now_ms))
    return tuple(sorted(found, key=lambda each: (-each.from_s, each.id)))
