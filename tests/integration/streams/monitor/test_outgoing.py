"""What people decide is sent: stored before it is in force, sent by a monitor, and again under the same id after a
crash."""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from jobs.operator.holds import decide_hold
from jobs.operator.incidents import declare_incident, dismiss_incident
from jobs.operator.suspensions import suspend, unsuspend
from schemas.deployment import Deployment
from schemas.errors import ExternalError
from schemas.hold import Hold
from schemas.incident import Incident
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.topics import REPUTATION_ALERTS, REPUTATION_HOLDS, REPUTATION_INCIDENTS
from streams.decisions.holds import store_hold
from streams.io.broker import BrokerError
from streams.io.outgoing import count_unsent
from streams.io.store import Store, StoreError
from streams.monitor.outgoing import OutgoingSender
from tests.support.api_client import NOW, Row
from tests.support.judging import NOW_MS, Counting, Ground

DEPLOYMENT = Deployment(id="5f0c9a417b22d85e", name="mail-eu")
HELD = """
INSERT INTO alert_states (customer, scope, rule, updated, level, state)
VALUES ('acme', 'customer', 'failure', now64(6), 'critical', {state:String})
"""


@dataclass
class Wire:
    """A sender, and what came over the wire; it may fail before the broker acknowledges."""

    store: Store
    came: list[dict[str, Any]] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    failures: int = 0
    sender: OutgoingSender = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, store: Store | None = None) -> None:
        self.sender = OutgoingSender(store or self.store, self.publish, self.flush, DEPLOYMENT)

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        self.keys.append((topic, key.decode()))
        self.came.append(msgspec.json.decode(value))

    def flush(self) -> None:
        if self.failures:
            self.failures -= 1
            raise BrokerError("gone")

    def heard(self, after_ms: int = 0) -> list[str]:
        """The types of what is sent, each behind the common part of the name."""
        before = len(self.came)
        self.sender.send(NOW_MS + after_ms)
        return [each["type"].removeprefix("org.repmon.").removesuffix(".v1") for each in self.came[before:]]


@pytest.fixture
def wire(ground: Ground) -> Iterator[Wire]:
    ground.put(Row(NOW - 600, delivered=900))
    yield Wire(ground.store)


def by_ida(now_ms: int = NOW_MS) -> dict[str, Any]:
    return {"by": "Ida", "why": "a bought list", "now_ms": now_ms}


def test_suspension_its_end_and_the_fresh_start_are_told_in_order_and_once(wire: Wire) -> None:
    suspend(wire.store, "acme", **by_ida())
    assert count_unsent(wire.store, NOW_MS) == (1, NOW_MS)
    assert wire.heard() == ["customer.suspended"]
    assert count_unsent(wire.store, NOW_MS) == (0, 0)
    unsuspend(wire.store, "acme", **by_ida(NOW_MS + DAY_MS), fresh_start=True)
    assert sorted(wire.heard(DAY_MS)) == ["customer.reinstated", "customer.unsuspended"]
    assert wire.heard(DAY_MS) == []
    assert set(wire.keys) == {(REPUTATION_ALERTS, "acme")}
    assert {each["source"] for each in wire.came} == {"/repmon/mail-eu.5f0c9a417b22d85e/customers"}
    lifted = next(each for each in wire.came if each["data"]["kind"] == "unsuspended")
    assert lifted["data"]["since_ms"] == NOW_MS


def test_what_failed_on_the_way_is_sent_again_under_the_same_id(wire: Wire) -> None:
    suspend(wire.store, "acme", **by_ida())
    wire.failures = 1
    with pytest.raises(BrokerError):
        wire.heard()
    broken = Counting(wire.store)
    broken.failing = "INSERT INTO outgoing_events"
    wire.restart(broken)
    with pytest.raises(ExternalError):
        wire.heard()
    wire.restart()
    assert wire.heard() == ["customer.suspended"]
    assert wire.heard() == []
    assert len({(each["source"], each["id"]) for each in wire.came}) == 1


@pytest.mark.parametrize("seed", range(4))
def test_law_whatever_fails_each_decision_is_told_and_those_of_a_customer_in_order(wire: Wire, seed: int) -> None:
    """Of what is repeated, the first time counts."""
    chance, decided = random.Random(seed), list[tuple[str, int]]()
    broken = Counting(wire.store)
    for number in range(1, 13):
        kind = suspend if number % 2 else unsuspend
        kind(wire.store, "acme", **by_ida(NOW_MS + number))
        decided.append(("suspended" if number % 2 else "unsuspended", NOW_MS + number))
        broken.failing = chance.choice(["", "FROM outgoing_events", "INSERT INTO outgoing_events"])
        wire.failures = chance.randrange(2)
        wire.restart(broken)
        with contextlib.suppress(ExternalError):
            wire.heard(number)
    wire.failures = 0
    wire.restart()
    wire.heard(13)
    told = {each["id"]: (each["data"]["kind"], each["data"]["decided_ms"]) for each in reversed(wire.came)}
    first = dict.fromkeys(each["id"] for each in wire.came)
    assert [told[each] for each in first] == decided
    assert wire.heard(14) == []


def test_decision_that_could_not_come_into_force_was_to_be_sent_and_can_be_repeated(wire: Wire) -> None:
    broken = Counting(wire.store)
    broken.failing = "INSERT INTO suspensions"
    with pytest.raises(StoreError):
        suspend(broken, "acme", **by_ida())
    suspend(wire.store, "acme", **by_ida(NOW_MS + 1))
    assert wire.heard(1) == ["customer.suspended"] * 2


def declare(wire: Wire, until_ms: int, now_ms: int = NOW_MS) -> Incident:
    asked: dict[str, Any] = {"from_ms": NOW_MS - 3 * HOUR_MS, "until_ms": until_ms, "providers": ["gmail"]}
    return declare_incident(wire.store, "gmail", **asked, **by_ida(now_ms))


def test_incident_that_is_declared_ends_when_it_was_said_to(wire: Wire) -> None:
    found = declare(wire, NOW_MS + HOUR_MS)
    over_ms = found.until_s * 1000 - NOW_MS
    assert wire.heard() == ["incident.declared"]
    assert wire.heard(over_ms - 1) == []
    assert wire.heard(over_ms) == ["incident.ended"]
    assert wire.came[-1]["data"]["closed_ms"] == found.until_s * 1000
    assert set(wire.keys) == {(REPUTATION_INCIDENTS, "gmail")}


def test_incident_of_the_past_is_declared_before_it_ends(wire: Wire) -> None:
    declare(wire, NOW_MS - 2 * HOUR_MS)
    assert wire.heard(1) == ["incident.declared", "incident.ended"]


def test_incident_that_is_dismissed_has_no_end(wire: Wire) -> None:
    found = declare(wire, NOW_MS + HOUR_MS)
    dismiss_incident(wire.store, found.id, **by_ida(NOW_MS + 1))
    assert wire.heard(1) == ["incident.declared", "incident.dismissed"]
    assert wire.heard(DAY_MS) == []


def test_incident_that_is_declared_again_ends_at_its_new_end_alone(wire: Wire) -> None:
    declare(wire, NOW_MS + HOUR_MS)
    longer = declare(wire, NOW_MS + 3 * HOUR_MS, NOW_MS + 1)
    again = declare(wire, NOW_MS + 3 * HOUR_MS, NOW_MS + 2)
    assert again.id == longer.id
    assert wire.heard(2) == ["incident.declared"] * 3
    assert wire.heard(DAY_MS) == ["incident.ended"]
    assert wire.came[-1]["data"]["closed_ms"] == longer.until_s * 1000


def test_hold_is_over_once_nobody_comes_into_it_and_all_is_decided(wire: Wire) -> None:
    hold = Hold(
        id="3f9c0a417b22d85e",
        reason="brake",
        began_ms=NOW_MS,
        from_ms=NOW_MS - 10 * MINUTE_MS,
        until_ms=NOW_MS,
        customers=23,
        limit=20,
        minutes=10,
    )
    store_hold(wire.store, hold, NOW_MS)
    held = {"held": {"id": hold.id, "reason": "brake", "since_ms": NOW_MS, "customers": 23}}
    wire.store.run(HELD, {"state": msgspec.json.encode(held).decode()})
    assert wire.heard(HOUR_MS) == []
    decide_hold(wire.store, hold.id, confirm=True, **by_ida(NOW_MS + HOUR_MS))
    assert wire.heard(HOUR_MS) == ["hold.confirmed"]
    assert wire.came[-1]["data"]["decision"]["customers"] == ["acme"]
    wire.store.run(HELD, {"state": "{}"})
    assert wire.heard(HOUR_MS + MINUTE_MS) == ["hold.ended"]
    assert wire.heard(HOUR_MS + 2 * MINUTE_MS) == []
    assert set(wire.keys) == {(REPUTATION_HOLDS, hold.id)}


def test_hold_is_not_over_while_somebody_may_come_into_it(wire: Wire) -> None:
    hold = Hold(id="3f9c", reason="brake", began_ms=NOW_MS, from_ms=0, until_ms=NOW_MS, customers=23, minutes=10)
    store_hold(wire.store, hold, NOW_MS)
    assert wire.heard(11 * MINUTE_MS) == []
    assert wire.heard(11 * MINUTE_MS + 10_001) == ["hold.ended"]
