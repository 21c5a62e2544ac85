"""Workers that were taken for dead and go on: what they still hold is never counted a second time."""

import threading
import time
from collections.abc import Callable

import pytest

from tests.faults.deployment import Deployment
from tests.faults.proxy import COUNTS, INSERTS, Exchange, after, before, instead
from tests.faults.workers import Worker

pytestmark = pytest.mark.kafka

#: Shorter than the sleep of a test, longer than a worker goes without reading its offset while it counts.
LEASE_S = 4.0
#: How many tokens the store remembers.
KNOWN_TOKENS = 12


def test_worker_stopped_in_mid_air_adds_no_count_when_it_goes_on(deployment: Deployment) -> None:
    """Two workers; one sleeps past its session while it holds events, and its partitions move to the other."""
    sleeper, _other = deployment.worker("sleeper"), deployment.worker("other")
    deployment.await_members(2)
    load = deployment.load(1_000, seed=1)
    for _ in range(2):
        asleep = deployment.proxy("sleeper").when(INSERTS, instead(lambda _: sleeper.pause()))
        deployment.wait(asleep.met.is_set, "the worker to fall asleep")
        deployment.await_members(1)
        deployment.await_counting(500)
        sleeper.resume()
        deployment.await_members(2)
    load.end()
    deployment.await_counted()
    deployment.assert_exact()


def test_worker_that_slept_longer_than_the_store_remembers_adds_no_count(deployment: Deployment) -> None:
    """The store knows the tokens of the last so many INSERTs. A worker asleep for longer is to be kept out as well."""
    with deployment.opened() as store:
        store.run(f"ALTER TABLE counts MODIFY SETTING non_replicated_deduplication_window = {KNOWN_TOKENS}")
    held: list[str] = []
    stored: list[str] = []
    deployment.proxy("other").when(COUNTS, after(lambda exchange: stored.append(exchange.token)), times=None)
    sleeper = deployment.worker("sleeper", REPMON_INGEST__LEASE_S=str(LEASE_S))
    deployment.worker("other")
    deployment.await_members(2)
    load = deployment.load(300, seed=4)

    def fall_asleep(exchange: Exchange) -> None:
        held.append(exchange.token)
        sleeper.pause()

    asleep = deployment.proxy("sleeper").when(COUNTS, instead(fall_asleep))
    deployment.wait(asleep.met.is_set, "the worker to fall asleep")
    awake_at = time.monotonic() + LEASE_S + 1
    deployment.await_members(1)
    deployment.wait(lambda: held[0] in stored[:-KNOWN_TOKENS], "the store to forget the token of the INSERT")
    deployment.wait(lambda: time.monotonic() > awake_at, "the worker's lease to be over")
    sleeper.resume()
    deployment.await_members(2)
    load.end()
    deployment.await_counted()
    deployment.assert_exact()


def killed_and_held(worker: Worker, go_on: threading.Event) -> Callable[[Exchange], None]:
    """Kill the worker; its statement waits for `go_on`."""

    def callback(_: Exchange) -> None:
        worker.kill()
        go_on.wait(60)

    return callback


def test_counts_that_arrive_when_a_successor_has_taken_over_are_dropped(deployment: Deployment) -> None:
    """The INSERT of a worker that is dead by now is still on its way while its successor counts the same events."""
    go_on = threading.Event()
    dead = deployment.worker("dead")
    deployment.await_members(1)
    sent = deployment.proxy("dead").when(COUNTS, before(killed_and_held(dead, go_on)))
    load = deployment.load(1_000, seed=2)
    deployment.wait(sent.met.is_set, "the first flush")
    deployment.worker("successor")
    deployment.await_counting(3_000)
    arrived = deployment.proxy("dead").passed
    go_on.set()
    deployment.wait(lambda: deployment.proxy("dead").passed > arrived, "the late INSERT to be answered")
    load.end()
    deployment.await_counted()
    deployment.assert_exact()


def test_counts_that_arrive_first_are_those_that_count(deployment: Deployment) -> None:
    """The successor has read its position and taken events when the dead worker's INSERT arrives after all."""
    go_on = threading.Event()
    dead = deployment.worker("dead")
    deployment.await_members(1)
    sent = deployment.proxy("dead").when(COUNTS, before(killed_and_held(dead, go_on)))
    load = deployment.load(1_000, seed=3)
    deployment.wait(sent.met.is_set, "the first flush")

    def overtake(_: object) -> None:
        go_on.set()
        deployment.wait(lambda: deployment.proxy("dead").passed > arrived, "the late INSERT to be answered")

    arrived = deployment.proxy("dead").passed
    overtaken = deployment.proxy("successor").when(COUNTS, before(overtake))
    deployment.worker("successor")
    deployment.wait(overtaken.met.is_set, "the successor's first flush")
    load.end()
    deployment.await_counted()
    deployment.assert_exact()
