"""The brake over a real store: who rises is counted there, held alerts say so, and operators' decisions end that."""

import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jobs.operator.holds import decide_hold, shown_holds
from jobs.operator.incidents import dismiss_incident
from schemas.alert import AlertEvent
from schemas.incident import Incident
from schemas.settings import ClickHouse
from schemas.times import MINUTE_MS, utc_time
from streams.decisions.holds import held_alerts, read_holds
from streams.incidents.stored import read_incidents
from streams.io.store import StoreError, open_store
from streams.monitor.batch import BatchJudge
from tests.support.alert_follower import HookDecision, HookMemory, decide
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
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
                monitor.holds.refresh(now_ms)
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


def with_pools(ground: Ground, pools: dict[str, str], at: int) -> None:
    """Who sent through which pool in this minute."""
    columns: dict[str, list[Any]] = {
        "customer": list(pools),
        "stream": ["news"] * len(pools),
        "dimension": ["pool"] * len(pools),
        "value": list(pools.values()),
        "bucket": [utc_time(at // MINUTE * MINUTE * 1000)] * len(pools),
        "source": ["pools"] * len(pools),
        "delivered": [500] * len(pools),
    }
    ground.store.insert("counts", columns)


def suspected_pool(ground: Ground) -> tuple[BatchJudge, dict[str, str], Incident]:
    """Mail of one pool's eight customers expires at gmail, that of another pool does not; one there is bad."""
    pools = {f"{pool}{number}": pool for pool in ("struck", "spared") for number in range(8)} | {"bad": "spared"}
    hour = NOW // HOUR * HOUR - HOUR
    ground.put(
        *(
            Row(hour - day * DAY, delivered=250, provider=at, customer=each)
            for day in range(1, 6)
            for each in pools
            for at in ("gmail", "yahoo")
        )
    )
    judge = ground.judge()
    rows = []
    for each, pool in pools.items():
        expired = 80 if pool == "struck" else 0
        rows += [
            Row(hour + 1800, delivered=200 - expired, expired=expired, provider="gmail", customer=each),
            Row(hour + 1800, delivered=100, hard=60 if each == "bad" else 0, provider="yahoo", customer=each),
        ]
    ground.put(*rows)
    with_pools(ground, pools, hour + 1800)
    judge.judge_customers(pools, (hour + 2400) * 1000)
    (incident,) = read_incidents(ground.store).in_force()
    assert (incident.state, incident.value) == ("suspected", "struck@gmail")
    return judge, pools, incident


def test_alerts_of_a_suspected_pool_are_held_under_the_incident_and_others_are_not(ground: Ground) -> None:
    judge, pools, incident = suspected_pool(ground)
    hour = NOW // HOUR * HOUR - HOUR
    held = {each.data.customer: each.data.held for each in ground.sent if each.data.held is not None}
    assert held.keys() == {f"struck{number}" for number in range(8)}
    assert {(each.id, each.reason) for each in held.values()} == {(incident.id, "incident")}
    assert {each.data.metric for each in ground.sent if each.data.held} <= {"failure", "failure_burn"}
    assert {each.data.customer for each in ground.sent if not each.data.held} == {"bad"}
    assert not ground.holds, "the incident's own event told operators"
    hold, members = decide_hold(ground.store, "", confirm=True, by="Ida", why="spam", now_ms=(hour + 2500) * 1000)
    assert (hold.id, len(members)) == (incident.id, 8)
    judge.judge_customers(pools, (hour + 2500) * 1000)
    assert {each.data.customer for each in ground.sent if each.data.kind == "confirmed"} == held.keys()


def acts(decision: HookDecision) -> bool:
    return decision.action == "suspend"


def test_dismissing_a_suspected_incident_confirms_who_is_still_bad(ground: Ground) -> None:
    """The hook suspends them then; who has sent much good mail since is not confirmed, and resolves by itself."""
    judge, pools, incident = suspected_pool(ground)
    hook, hour = HookMemory(), NOW // HOUR * HOUR - HOUR
    first = {each.data.customer for each in ground.sent if (said := decide(each, hook)) and acts(said)}
    assert first == {"bad"}
    ground.put(Row(hour + 2400, delivered=30_000, provider="yahoo", customer="struck0"))
    now_ms = (hour + 2500) * 1000
    dismiss_incident(ground.store, incident.id[:6], by="Ida", why="they share a list", now_ms=now_ms)
    ground.sent.clear()
    judge.judge_customers(pools, now_ms + 1000)
    confirmed = [each.data for each in ground.sent if each.data.kind == "confirmed"]
    assert {each.customer for each in confirmed} == {f"struck{number}" for number in range(1, 8)}
    assert {(each.cause, each.held, each.decided.by if each.decided else "") for each in confirmed} == {
        ("operator", None, "Ida")
    }
    assert confirmed[0].explanation.startswith(
        "Confirmed: the operator found that there was no incident. The level stays "
    )
    suspended = {each.data.customer for each in ground.sent if (said := decide(each, hook)) and acts(said)}
    assert suspended == {f"struck{number}" for number in range(1, 8)}
    assert {each.customer for each in held_alerts(ground.store)} == {"struck0"}
    (hold,) = shown_holds(ground.store)
    assert (len(hold.held), hold.confirmed) == (1, 7)
    ground.sent.clear()
    for minutes in (2, 62):
        judge.judge_customers(pools, now_ms + minutes * MINUTE_MS)
    assert {each.data.kind for each in ground.sent if each.data.customer == "struck0"} <= {"resolved", "de-escalated"}
    assert held_alerts(ground.store) == []


def test_alerts_of_a_held_customer_that_rise_later_wait_for_the_same_decision(ground: Ground) -> None:
    fleet = Fleet(ground)
    (first, *_) = fleet.rise(0, 21)
    fleet.judge(0)
    fleet.judge(60)
    ground.put(Row(NOW + 69 * MINUTE, delivered=3_000, complained=90, customer=first))
    fleet.judge(70)
    holds = {each.data.rule: each.data.held for each in fleet.open.values() if each.data.customer == first}
    assert {"failure", "complaint"} <= holds.keys()
    assert len({each.id for each in holds.values() if each is not None}) == 1
    assert None not in holds.values()
    assert len(ground.holds) == 1
    fleet.decide(71, confirm=True, only=1)
    fleet.judge(71)
    assert first not in fleet.held


def test_released_customer_is_judged_again_at_once_and_stands_well(ground: Ground) -> None:
    fleet = Fleet(ground)
    who = fleet.rise(0, 21)
    fleet.judge(0)
    fleet.decide(1, confirm=False)
    released = fleet.monitors["a"].judge_customers(who, NOW_MS + MINUTE_MS)
    assert {customer for customer, at_ms in released.again if at_ms == NOW_MS + MINUTE_MS} == set(who)
    fleet.monitors["a"].judge_customers(who, NOW_MS + MINUTE_MS)
    assert {standing for standing, _, _ in ground.shown().values()} == {"good"}


def test_customer_with_many_bad_streams_is_one(ground: Ground) -> None:
    ground.put(
        *(Row(NOW - 600, delivered=700, hard=300, customer="acme", stream=f"stream{number}") for number in range(30))
    )
    ground.judge().judge_customers(["acme"], NOW_MS)
    assert len({each.data.scope for each in ground.sent}) == 31
    assert not [each for each in ground.sent if each.data.held]


def test_event_to_operators_says_how_many_of_how_many(ground: Ground) -> None:
    fleet = Fleet(ground)
    fleet.judge(0, fleet.rise(0, 23))
    (told,) = ground.holds
    assert (told.data.reason, told.data.customers, told.data.limit, told.data.minutes) == ("brake", 23, 20, 10)
    assert told.subject == told.data.id == next(iter(fleet.open.values())).data.held.id  # type: ignore[union-attr]


def test_monitors_that_judge_at_the_same_moment_begin_one_hold(ground: Ground, store_settings: ClickHouse) -> None:
    """Neither alone has more than are allowed."""
    fleet = Fleet(ground)
    who = {name: fleet.rise(0, 15, name) for name in ("a", "b")}
    stores = [open_store(store_settings) for _ in who]
    monitors = dict(zip(who, map(ground.judge, stores), strict=True))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda name: monitors[name].judge_customers(who[name], NOW_MS), who))
    for monitor, some in zip(monitors.values(), who.values(), strict=True):
        monitor.holds.refresh(NOW_MS + 2_000)
        monitor.judge_customers(some, NOW_MS + 2_000)
    for store in stores:
        store.close()
    assert len(fleet.held) == 30
    assert fleet.hear() == set()
    assert len({each.id for each in ground.holds}) == 1
    assert len(read_holds(ground.store)) == 1
