"""Alerts as a monitor stores and sends them, without a monitor; and hooks over them by a clock of the test's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from api.stack.hook import make_context
from jobs.hooks.engine import Engine
from jobs.hooks.lines import Said
from jobs.hooks.measure import Measure, Mode
from jobs.hooks.outbox import measures
from schemas.alert import ALERT_SOURCE, AlertEvent, Held, TransitionKind
from schemas.hook import Hook, HookAction, LadderRung
from schemas.levels import Level
from schemas.settings import Settings
from schemas.times import utc_time
from schemas.wording import rfc3339
from streams.alerts.lifecycle import AlertState, alert_id
from streams.alerts.record import store_alerts
from streams.io.deployment import read_deployment
from streams.io.store import Store
from tests.support.alert_life import alert
from tests.support.api_client import NOW

NOW_MS = NOW * 1000
MINUTE_MS = 60_000
AUDIT = "SELECT action, customer FROM audit FINAL WHERE who = 'suspend-hook' ORDER BY audit.time, action"


def kumo(*urls: str, **more: Any) -> HookAction:
    return HookAction(kind="kumomta", urls=urls, timeout_s=5, **more)


def one_rung(action: HookAction, level: Level = "excessive", **more: Any) -> Hook:
    """Settings with one action, from a level on."""
    return Hook(actions={"kumo": action}, ladder={"stop": LadderRung(level=level, do=("kumo",))}, **more)


@dataclass
class Scene:
    """Customers with mail and alerts in a store."""

    store: Store
    now_ms: int = NOW_MS
    states: dict[tuple[str, str, str], AlertState] = field(default_factory=dict)
    _count: int = 0
    _judged: int = 0

    def mail(self, customers: Sequence[str], recipients: int = 1000) -> None:
        """They sent to so many an hour ago."""
        self._count += 1
        self.store.insert(
            "counts",
            {
                "dimension": ["provider"] * len(customers),
                "customer": list(customers),
                "value": ["gmail"] * len(customers),
                "bucket": [utc_time(self.now_ms - 3_600_000)] * len(customers),
                "source": [f"scene{self._count}"] * len(customers),
                "delivered": [recipients] * len(customers),
            },
        )

    def alert(
        self,
        customer: str,
        level: Level = "critical",
        kind: TransitionKind = "opened",
        *,
        scope: str = "customer",
        rule: str = "failure",
        held: Held | None = None,
        stored: bool = True,
        unsent: bool = False,
    ) -> AlertEvent:
        """The alert's next transition, stored as sent (or about to be); the event."""
        key = (customer, scope, rule)
        before = self.states.get(key)
        episode = before.episode if before else 1
        state = AlertState(
            customer=customer,
            scope=scope,
            rule=rule,
            level=level,
            episode=episode,
            transition=before.transition + 1 if before else 1,
            opened_ms=before.opened_ms if before else self.now_ms,
            changed_ms=self.now_ms,
            raised_ms=self.now_ms if kind in ("escalated", "opened", "reopened", "override-ended") else 0,
            held=held,
        )
        event = alert(
            kind,
            level,
            customer=customer,
            scope=scope,
            rule=rule,
            alert_id=alert_id(customer, scope, rule, episode),
            transition=state.transition,
            held=held,
            explanation=f"Most failed at example.net. {'So it goes on for a while, as explanations do. ' * 9}",
        )
        source = read_deployment(self.store).source(ALERT_SOURCE)
        event = msgspec.structs.replace(event, time=rfc3339(self.now_ms), source=source)
        if stored:
            self.states[key] = state
            self.judged(state, [event] if unsent else [])
            if not unsent:
                store_alerts(self.store, [event], self.now_ms)
        return event

    def judged(self, state: AlertState, unsent: Sequence[AlertEvent] = ()) -> None:
        """The state is as the last judgement left it, now."""
        self._judged += 1
        row = {
            "customer": state.customer,
            "scope": state.scope,
            "rule": state.rule,
            "updated": utc_time(self.now_ms) + timedelta(microseconds=self._judged),
            "level": state.level,
            "state": msgspec.json.encode(state).decode(),
            "unsent": [msgspec.json.encode(each).decode() for each in unsent],
        }
        self.store.insert("alert_states", {name: [value] for name, value in row.items()})

    def later(self, minutes: float, *, judge: bool = True) -> None:
        """So much later; everybody was judged meanwhile, unless the monitor is down."""
        self.now_ms += round(minutes * MINUTE_MS)
        if judge:
            for state in self.states.values():
                self.judged(state)


class Hooked:
    """A hook over a scene, as a process would be that has just taken its turn."""

    def __init__(self, scene: Scene, hook: Hook, mode: Mode = "act", **settings: Any) -> None:
        self.scene, self.mode = scene, mode
        self.said: list[Said] = []
        self.settings = Settings(clickhouse=scene.store.settings, hook=hook, **settings)
        self.context = make_context(self.settings, scene.store, self.said.append, mode, lambda: self.scene.now_ms)
        self.engine = Engine(self.context)
        self.holder = self.context.lease.take()

    def hear(self, *events: AlertEvent) -> list[str]:
        """What is said of these."""
        before = len(self.said)
        self.engine.hear(events)
        return self.new(before)

    def ask_again(self, minutes: float = 0.2) -> list[str]:
        """What is said later of those that the store did not know; by itself once it had its time."""
        before = len(self.said)
        self.scene.later(minutes)
        self.engine.ask_again()
        return self.new(before)

    def sweep(self) -> list[str]:
        before = len(self.said)
        self.engine.sweep()
        return self.new(before)

    def renew(self) -> list[str]:
        before = len(self.said)
        self.engine.renew()
        return self.new(before)

    def new(self, before: int) -> list[str]:
        return [f"{each.what} {each.customer}".strip() for each in self.said[before:]]

    def stop(self) -> None:
        """Let another hook act."""
        self.context.lease.release()

    @property
    def text(self) -> str:
        """The last line."""
        return self.said[-1].text

    def measures(self) -> dict[str, Measure]:
        """By customer and action, those that are over too."""
        return {f"{each.customer} {each.name}": each for each in measures(self.scene.store, self.mode, over=True)}


def hook_audit(store: Store) -> list[tuple[str, str]]:
    """What hooks wrote down of what they did, oldest first: the action and the customer."""
    return [(str(action), str(customer)) for action, customer in store.rows(AUDIT)]
