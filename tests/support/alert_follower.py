"""A consumer that knows nothing but the alerts: whom it would suspend and release by them, in the order they come in.

What docs/alerts.md says consumers should do is enough for that; the project's own hook asks the store in addition.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from jobs.hooks.latest import Latest
from schemas.alert import AlertData, AlertEvent, TransitionKind
from schemas.scope import CUSTOMER, shared_by

SUSPENDING = frozenset({"excessive", "critical"})
#: Kinds of transitions by which a level may have risen.
RISING: frozenset[TransitionKind] = frozenset({"opened", "reopened", "escalated", "override-ended", "confirmed"})
Action = Literal["suspend", "already suspended", "stream only", "shared only", "held", "lift", "keep suspended"]


class SuspendingEpisode(NamedTuple):
    """An open episode that suspends its customer."""

    rule: str
    episode: int
    alert_id: str


@dataclass
class HookMemory:
    """What the hook remembers: ids of events; for each open episode (`alert_id`) of a customer's own scope
    whether it was acted on; and for each customer the open episodes that suspend it.
    """

    events: Latest[str, None] = field(default_factory=Latest)
    episodes: Latest[str, bool] = field(default_factory=Latest)
    suspended: Latest[str, frozenset[SuspendingEpisode]] = field(default_factory=Latest)


@dataclass(frozen=True, slots=True)
class HookDecision:
    """What a hook would do about one alert."""

    action: Action
    event: AlertEvent


def decide(event: AlertEvent, seen: HookMemory) -> HookDecision | None:
    """What a hook would do about an alert, or None where there is nothing to do. Brings `seen` up to date.

    Each event id counts once; an episode suspends once, however often it escalates. A resolved episode lifts
    its suspension unless another open episode of the same customer holds it, and so does one that an operator's
    override took below what suspends, and one that is held: nobody is to be suspended by it until it is confirmed. Each
    may suspend again under the same `alert_id`. A later episode of a rule says that earlier ones are over.
    """
    if event.id in seen.events:
        return None
    seen.events.put(event.id, None)
    data = event.data
    if data.held is not None:
        return _waiting(event, seen)
    if data.kind == "resolved" or (data.kind == "overridden" and data.level not in SUSPENDING):
        return _over(event, seen) if data.scope == CUSTOMER else None
    if data.scope != CUSTOMER:
        action: Action = "shared only" if shared_by(data.scope) else "stream only"
        return HookDecision(action, event) if _suspends(data) else None
    if not _suspends(data):
        if data.kind in RISING and data.alert_id not in seen.episodes:
            seen.episodes.put(data.alert_id, False)
        return None
    return _suspended(event, seen)


def _suspended(event: AlertEvent, seen: HookMemory) -> HookDecision:
    """An episode that suspends its customer."""
    data = event.data
    acted = seen.episodes.get(data.alert_id)
    seen.episodes.put(data.alert_id, True)
    if acted:
        return HookDecision("already suspended", event)
    holding = seen.suspended.get(data.customer) or frozenset()
    earlier = {each for each in holding if each.rule == data.rule and each.episode < data.episode}
    seen.suspended.put(data.customer, holding - earlier | {_suspending(data)})
    return HookDecision("suspend", event)


def _over(event: AlertEvent, seen: HookMemory) -> HookDecision | None:
    """An episode that suspends no more."""
    data = event.data
    acted = seen.episodes.get(data.alert_id)
    if data.kind == "resolved":
        seen.episodes.drop(data.alert_id)
    else:
        seen.episodes.put(data.alert_id, False)
    if acted is False:
        return None
    holding = (seen.suspended.get(data.customer) or frozenset()) - {_suspending(data)}
    if holding:
        seen.suspended.put(data.customer, holding)
        return HookDecision("keep suspended", event)
    seen.suspended.drop(data.customer)
    # Its opening is older than what is kept or remembered; a suspension that is lifted in vain harms nobody.
    return HookDecision("lift", event)


def _waiting(event: AlertEvent, seen: HookMemory) -> HookDecision | None:
    """An alert that is held: nothing is done, and what was done before is undone."""
    data = event.data
    if data.scope == CUSTOMER:
        if seen.episodes.get(data.alert_id):
            return _over(event, seen)
        seen.episodes.put(data.alert_id, False)
    return HookDecision("held", event) if data.kind in RISING or data.kind == "held" else None


def _suspending(data: AlertData) -> SuspendingEpisode:
    return SuspendingEpisode(data.rule, data.episode, data.alert_id)


def _suspends(data: AlertData) -> bool:
    return data.kind in RISING and data.level in SUSPENDING
