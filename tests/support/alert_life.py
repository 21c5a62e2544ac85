"""Alerts and the lives that lead to them, judged at times of our choice."""

from typing import Any

import msgspec

from schemas.alert import ALERT_TYPE, Acknowledgement, AlertData, AlertEvent, OperatorOverride, TransitionKind
from schemas.levels import Level
from schemas.policy_rule import Levels, Rule
from streams.alerts.lifecycle import AlertState, Basis, Transition
from streams.alerts.outcome import JudgementContext, advance_alert
from streams.judge.verdict import Verdict


def verdict(level: Level, holding: Level | None = None) -> Verdict:
    return Verdict(
        rule="complaint",
        metric="complaint",
        level=level,
        holding_level=level if holding is None else holding,
        window="24h",
        numerator=0,
        denominator=0,
        rate=0.0,
        lower=0.0,
        upper=1.0,
        confidence=0.95,
        threshold=0.001,
        insufficient_volume=False,
    )


MINUTE, HOUR = 60_000, 3_600_000
LENGTHS = {"1h": HOUR, "24h": 24 * HOUR}
RULE = Rule(
    name="complaint",
    metric="complaint",
    windows=("24h",),
    min_volume=1000,
    levels=Levels(warning=0.001, excessive=0.003, critical=0.01),
)


IDA = OperatorOverride(id="0a1b", by="Ida", why="list mended", until_ms=9 * HOUR)


class Life:
    """One alert, judged at minutes of our choice."""

    def __init__(self, rule: Rule = RULE) -> None:
        self.rule = rule
        self.state: AlertState | None = None
        self.said: list[Transition] = []

    def at(self, minute: float, level: Level = "good", holding: Level | None = None, **context: Any) -> list[str]:
        """Judge; the kinds of what happened."""
        now_ms = int(minute * MINUTE)
        now = Basis(
            time_ms=now_ms,
            policy_version=context.pop("version", "a"),
            overrides=context["override"].id if context.get("override") else "",
            counts=context.pop("counts", {}),
        )
        said = msgspec.structs.replace(verdict(level, holding), rule=self.rule.name)
        self.state, found = advance_alert(
            self.state, said, self.rule, JudgementContext(now, **context), ("acme", "customer"), LENGTHS
        )
        self.said += found
        return [each.kind for each in found]

    def flap(self, minute: float, level: Level = "warning") -> float:
        """Open, and resolve after the hold time; the minute of the resolution."""
        self.at(minute, level)
        self.at(minute + 1)
        return next(minute + 1 + more for more in range(10_000) if "resolved" in self.at(minute + 1 + more))


def acknowledgement(minute: float) -> Acknowledgement:
    return Acknowledgement(by="Ida", why="called them", time_ms=int(minute * MINUTE))


def alert(kind: TransitionKind = "opened", level: Level = "critical", **changes: Any) -> AlertEvent:
    """An alert on all mail of acme-retail; its id differs for each episode, kind and level."""
    data = AlertData(
        alert_id="episode-1",
        customer="acme-retail",
        scope="customer",
        rule="failure",
        metric="failure",
        kind=kind,
        level=level,
        previous_level="good",
        episode=1,
        transition=1,
        window="24h",
        numerator=1420,
        denominator=10_000,
        rate=0.142,
        lower=0.135,
        upper=0.149,
        confidence=0.95,
        threshold=0.1,
        policy_version="default-1",
        explanation="Most failed at example.net.",
    )
    data = msgspec.structs.replace(data, **changes)
    return AlertEvent(
        id=f"{data.alert_id}-{data.kind}-{data.level}" + (f"-{data.transition}" if data.transition > 1 else ""),
        type=ALERT_TYPE.format(kind=kind),
        subject=data.customer,
        time="2025-12-01T09:00:15Z",
        data=data,
    )
