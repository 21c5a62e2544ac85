"""Hooks killed (SIGKILL) while they act, on either side of a request and at any time: nobody is suspended or lifted
twice, and nobody is forgotten."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobs.embedded.broker import EmbeddedBroker
from jobs.setup.topics import create_topics
from schemas.alert import AlertEvent
from schemas.settings import Kafka
from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_ALERTS, load_topics
from streams.io.broker import Publisher
from streams.io.store import Store
from tests.support.databases import Databases
from tests.support.hook_process import HookProcesses
from tests.support.hook_targets import TargetStandIn, target_stand_in
from tests.support.hooked import Scene
from tests.support.store_process import StoreProcess
from tests.support.waiting import wait_for

#: How often a hook is killed; a hundred times by hand.
KILLS = int(os.environ.get("REPMON_TEST_HOOK_KILLS") or 20)
DECIDED = "SELECT action, customer FROM audit FINAL WHERE action IN ('customer suspended', 'customer unsuspended')"
SUSPENDED = "SELECT count() FROM suspensions FINAL WHERE suspended"
OWED = """
SELECT count() FROM (
    SELECT argMax(state, version) AS state FROM hook_actions GROUP BY mode, customer, scope, action
) WHERE state != {state:String}
"""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    broker = EmbeddedBroker(0, tmp_path_factory.mktemp("broker") / "broker.log")
    broker.start()
    create_topics(broker.kafka, load_topics())
    yield broker.kafka
    broker.stop()


@pytest.fixture
def store(store_process: StoreProcess, databases: Databases) -> Iterator[Store]:
    assert store_process.pid
    with databases.opened(lasting=False) as opened:
        yield opened


@pytest.fixture
def hooks(kafka: Kafka, store: Store, tmp_path: Path) -> Iterator[tuple[HookProcesses, TargetStandIn]]:
    with target_stand_in() as mta:
        settings = store.settings
        file = tmp_path / "repmon.toml"
        file.write_text(f"""
            [kafka]
            bootstrap = "{kafka.bootstrap}"
            static_assignment = true
            [clickhouse]
            url = "{settings.url}"
            password = "{settings.password}"
            database = "{settings.database}"
            [hook]
            lease_s = 0.3
            sweep_s = 0.2
            retry_s = 0.1
            max_per_hour = 1000
            share_from = 1000
            [hook.actions.kumo]
            kind = "kumomta"
            urls = ["{mta.url}"]
            [hook.ladder.stop]
            level = "excessive"
            do = ["kumo"]
        """)
        found = HookProcesses({"REPMON_TEST_CONFIG": str(file)})
        yield found, mta
        found.close()


class Killer:
    """Kills the hook before or after what it asks is done, or at any time; each kill is drawn."""

    def __init__(self, hooks: HookProcesses, mta: TargetStandIn, chance: random.Random) -> None:
        self._hooks, self._chance = hooks, chance
        self._when = ""
        mta.before = lambda method, _body: self._at("before", method)
        mta.after = lambda method, _body: self._at("after", method)
        self._armed = threading.Event()
        self.times = Counter[str]()

    def run(self, method: str) -> None:
        """Start a hook, and see it killed; where it asks nothing it is killed after a while."""
        self._when = self._chance.choice([f"before {method}", *[f"after {method}"] * 2, "after GET", "any time"])
        self._armed.clear()
        self._hooks.start()
        if self._when == "any time" or not self._armed.wait(3):
            time.sleep(self._chance.uniform(0.0, 1.0))
            self.times["any time"] += 1
        self._when = ""
        self._hooks.kill()

    def _at(self, side: str, method: str) -> None:
        if self._when == f"{side} {method}" and self._chance.random() < 0.7:
            self.times[self._when] += 1
            self._when = ""
            self._hooks.kill()
            self._armed.set()
            if side == "before":
                raise ConnectionAbortedError("who asks is dead")


def send(kafka: Kafka, events: list[AlertEvent]) -> None:
    publisher = Publisher(kafka)
    for each in events:
        publisher.publish(REPUTATION_ALERTS, each.subject.encode(), msgspec.json.encode(each))
    publisher.flush()


def test_each_customer_is_suspended_once_and_lifted_once(
    kafka: Kafka, store: Store, hooks: tuple[HookProcesses, TargetStandIn]
) -> None:
    processes, mta = hooks
    scene, chance = Scene(store, utc_now_ms()), random.Random(1)
    customers = [f"bad{number:02}" for number in range(KILLS // 2)]
    scene.mail(customers)
    killer = Killer(processes, mta, chance)
    for method, level, kind in (("POST", "critical", "opened"), ("DELETE", "good", "resolved")):
        scene.now_ms = utc_now_ms()
        made: Any = (level, kind)
        send(kafka, [scene.alert(each, *made) for each in customers])
        for _ in range(KILLS // 2):
            killer.run(method)
        processes.start()
        done = {"state": "applied" if method == "POST" else "lifted"}
        wait_for(
            lambda: len(mta.calls(method)) >= len(customers) and not store.rows(OWED, done)[0][0],  # noqa: B023
            f"every {method}",
            60 + 3 * KILLS,
        )
        processes.kill()
        asked = [body.get("tenant") for body in mta.calls("POST")]
        assert Counter(asked) == dict.fromkeys(customers, 1), "nobody is suspended twice"
        assert mta.tenants() == (set(customers) if method == "POST" else set())
    assert len(mta.calls("DELETE")) == len(customers), "nobody is lifted twice"
    assert Counter(map(tuple, store.rows(DECIDED))) == dict.fromkeys(
        [(action, each) for action in ("customer suspended", "customer unsuspended") for each in customers], 1
    )
    assert store.rows(SUSPENDED)[0][0] == 0
    assert processes.kills >= KILLS
    assert {each for each in killer.times if each.startswith("after")} == {"after GET", "after POST", "after DELETE"}
    print(f"killed {sum(killer.times.values())} times: {dict(killer.times)}")
