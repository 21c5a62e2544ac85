"""A marked example, by which a route is tried (`repmon notify test`). Pure."""

from collections.abc import Iterator

import msgspec

from jobs.notify.events import Event, read_event
from jobs.notify.notification import Notification, Parcel
from jobs.notify.routing import notification_id
from schemas.alert import ALERT_TYPE, AlertData, AlertEvent, TransitionKind
from schemas.levels import Level
from schemas.notify import Alertmanager, PagerDuty, Route
from schemas.wording import rfc3339

CUSTOMER = "repmon-test"


def examples(route: Route, source: str, now_ms: int) -> Iterator[tuple[str, Event, Parcel]]:
    """What is sent, each with a word for it: an alert, and where the target keeps a state, its end."""
    level: Level = route.levels[-1] if route.levels else "critical"
    steps: list[tuple[str, TransitionKind, Level, Level]] = [("example", "opened", level, "good")]
    if isinstance(route.target, Alertmanager | PagerDuty):
        steps = [("example opened", "opened", level, "good"), ("example resolved", "resolved", "good", level)]
    for number, (word, kind, now, before) in enumerate(steps, 1):
        event = read_event(msgspec.json.encode(_event(route, source, now_ms, number, kind, now, before)))
        item = Notification(
            id=notification_id(route.name, event),
            route=route.name,
            event_id=event.id,
            lane=event.lane,
            reader="",
            place=now_ms * 1000 + number,
            due_ms=now_ms,
            taken_ms=now_ms,
            event=event.text,
        )
        yield word, event, Parcel(route=route.name, lane=item.lane, items=[item])


def _event(
    route: Route, source: str, now_ms: int, number: int, kind: TransitionKind, level: Level, before: Level
) -> AlertEvent:
    metric = route.metrics[0] if route.metrics else "failure"
    return AlertEvent(
        id=f"test-{now_ms}-{number}",
        type=ALERT_TYPE.format(kind=kind),
        subject=CUSTOMER,
        source=source,
        time=rfc3339(now_ms),
        data=AlertData(
            alert_id=f"test-{now_ms}",
            customer=CUSTOMER,
            scope="customer",
            rule="test",
            metric=metric,
            kind=kind,
            level=level,
            previous_level=before,
            episode=1,
            transition=number,
            window="24h",
            numerator=0,
            denominator=1000,
            rate=0.0,
            lower=0.0,
            upper=0.0,
            confidence=0.95,
            threshold=0.05,
            policy_version="test",
            explanation=f"This is a test of the route {route.name}. Nothing happened, and nobody is meant.",
        ),
    )
