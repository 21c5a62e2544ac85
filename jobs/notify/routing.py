"""Which route takes which event, and when it goes out. Pure."""

import re
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from typing import Literal

from jobs.notify.events import Event
from jobs.notify.quiet import quiet_until_ms
from schemas.alert import AlertData
from schemas.notify import Route
from schemas.times import MINUTE_MS

STREAM = "stream:"
#: What an alert is for one who is told of its state alone.
AlertCondition = Literal["firing", "acknowledged", "over"]


def takes(route: Route, event: Event, plan: str) -> bool:
    """Whether the route takes the event; `plan` is that of its customer. What is said of alerts holds for them."""
    if not _any(route.events, event.kind):
        return False
    if route.customers and not _any(route.customers, event.customer or event.subject):
        return False
    if route.plans and not _any(route.plans, plan):
        return False
    return event.alert is None or _takes_alert(route, event.alert)


def condition(route: Route, data: AlertData) -> AlertCondition:
    """What the alert is for the route: over too where it left the route's levels, or is held from now on."""
    if data.held is not None and not route.held:
        return "over"
    if data.level == "good" or (route.levels and data.level not in route.levels):
        return "over"
    return "acknowledged" if data.kind == "acknowledged" else "firing"


def due_ms(route: Route, event: Event, now_ms: int) -> int:
    """When the event goes out, if nothing waits for longer (epoch ms)."""
    due = now_ms + round(route.digest_minutes * MINUTE_MS)
    quiet = route.quiet
    if quiet is None or event.alert is None or {event.alert.level, event.alert.previous_level} & {*quiet.passes}:
        return due
    return quiet_until_ms(quiet, due) or due


def notification_id(route: str, event: Event) -> str:
    """The id of an event on its way to a route, the same whenever it is taken: `msg_` and 32 hex digits."""
    return digest_id([event.source, event.id, route])


def digest_id(parts: Iterable[str]) -> str:
    """An id of these texts in this order."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return f"msg_{digest.hexdigest()}"


def _takes_alert(route: Route, data: AlertData) -> bool:
    if data.held is not None and not route.held and data.kind != "held":
        return False  # it comes again once it is confirmed
    if route.levels and not {data.level, data.previous_level} & {*route.levels}:
        return False
    if route.metrics and data.metric not in route.metrics:
        return False
    if route.kinds and data.kind not in route.kinds:
        return False
    if route.streams and not (data.scope.startswith(STREAM) and _any(route.streams, data.scope.removeprefix(STREAM))):
        return False
    return not route.providers or any(_any(route.providers, each.name) for each in data.evidence.providers)


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(_pattern(each).fullmatch(name) for each in patterns)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """`*` is anything; whatever else stands there is meant as it is."""
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
