"""The brake over a real store: who rises is counted there, held alerts say so, and operators' decisions end that."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs.hooks.suspend_hook import HookMemory, decide
from jobs.operator.holds import decide_hold
from schemas.alert import AlertEvent
from schemas.times import MINUTE_MS
from streams.io.store import StoreError
from streams.monitor.batch import BatchJudge
from tests.support.api_client import MINUTE, NOW, Row
from tests.support.judging import NOW_MS, Counting, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

SCENARIOS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("holds.toml").read_text("utf-8"))["scenario"]


class Fleet:
    """Customers who rise at minutes of our choice, the monitors that judge them, and a hook that follows the alerts."""

    def __init__(self, ground: Ground, active: int = 0) -> None:
        self.ground = ground
        self.ours: dict[str, list[str]] = {"a": [], "b": []}
        self.stores = {name: Counting(ground.store) for name in self.ours}
        self.monitors: dict[str, BatchJudge] = {}
        self.restart()
        self._hook, self._heard = HookMemory(), 0
        self.suspended: set[str] = set()
        ground.put(*(Row(NOW - 7200, delivered=500, customer=f"good{number}") for number in range(active)))

    def restart(self) -> None:
        self.monitors = {name: self.ground.judge(store) for name, store in self.stores.items()}

    def rise(self, minute: float, count: int, monitor: str = "a") -> list[str]:
        """So many new customers have sent to a bad list by this minute."""
        taken = sum(map(len, self.ours.values()))
        new = [f"customer{number:03}" for number in range(taken, taken + count)]
        self.ours[monitor] += new
        self.send(new, minute - 1, hard=300, delivered=700)
        return new

    def send(self, customers: Sequence[str], minute: float, *, hard: int, delivered: int = 0) -> None:
        at = NOW + int(minute * MINUTE)
        self.ground.put(*(Row(at, customer=each, hard=hard, delivered=delivered) for each in customers))

    def judge(self, minute: float, customers: Sequence[str] = ()) -> None:
        """Judge these, or everybody after a look for holds."""
        now_ms = NOW_MS + int(minute * MINUTE_MS)
        for name, monitor in self.monitors.items():
            if not customers:
                monitor.refresh_incidents(now_ms)
            mine = [each for each in customers or self.ours[name] if each in self.ours[name]]
            monitor.judge_customers(mine, now_ms)

    @property
    def open(self) -> dict[tuple[str, str, str], AlertEvent]:
        """The last transition of each alert that is not resolved."""
        last = {(each.data.customer, each.data.scope, each.data.rule): each for each in self.ground.sent}
        return {key: each for key, each in last.items() if each.data.kind != "resolved"}

    @property
    def held(self) -> set[str]:
        return {each.data.customer for each in self.open.values() if each.data.held is not None}

    def hear(self) -> set[str]:
        """Whom a hook has suspended, of all that was sent."""
        for event in self.ground.sent[self._heard :]:
            decision = decide(event, self._hook)
            if decision is not None and decision.action == "suspend":
                self.suspended.add(event.data.customer)
            if decision is not None and decision.action == "lift":
                self.suspended.discard(event.data.customer)
        self._heard = len(self.ground.sent)
        return self.suspended

    def decide(self, minute: float, *, confirm: bool, only: int = 0) -> None:
        now_ms = NOW_MS + int(minute * MINUTE_MS)
        who = sorted(self.held)[:only] if only else [""]
        for each in who:
            decide_hold(self.ground.store, "", confirm=confirm, customer=each, by="Ida", why="seen", now_ms=now_ms)

    def step(self, step: dict[str, Any]) -> None:
        minute, new = step["minute"], list[str]()
        everybody = [each for some in self.ours.values() for each in some]
        if step.get("restart"):
            self.restart()
        if "rise" in step:
            new = self.rise(minute, step["rise"], step.get("monitor", "a"))
        if "again" in step:
            self.send(everybody[: step["again"]], minute - 1, hard=150, delivered=350)
        if "late" in step:
            self.send(everybody[: step["late"]], -30, hard=100)
        if "confirm" in step or "release" in step:
            self.decide(minute, confirm="confirm" in step, only=step.get("only", 0))
        if "fails" in step:
            self.stores["a"].failing = step["fails"]
            with pytest.raises(StoreError):
                self.judge(minute, new)
            self.stores["a"].failing = ""
        else:
            self.judge(minute, new)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[each["name"] for each in SCENARIOS])
def test_scenario(ground: Ground, scenario: dict[str, Any]) -> None:
    fleet = Fleet(ground, scenario.get("active", 0))
    for step in scenario["steps"]:
        fleet.step(step)
        told = {each.id for each in ground.holds}
        assert (len(fleet.held), len(fleet.hear()), len(told)) == (step["held"], step["suspended"], step["told"]), step
