"""The store fails in every way it can: the workers wait, try again, and count each event once."""

import shutil
import time
from collections.abc import Callable

import pytest

from tests.faults.deployment import STORE_TIMEOUT_S, Deployment
from tests.faults.proxy import (
    COUNTS,
    INSERTS,
    OVERLOADED,
    READ_BACK,
    TOO_MANY_PARTS,
    Act,
    after,
    answered_late,
    cut,
    late,
    lost_answer,
)

pytestmark = pytest.mark.kafka
#: Longer than a worker waits.
TOO_LATE_S = STORE_TIMEOUT_S + 0.5

LAST_PART = """
SELECT path FROM system.parts
WHERE database = currentDatabase() AND table = 'counts' AND active
ORDER BY max_block_number DESC LIMIT 1
"""

FAILURES: dict[str, tuple[str, Act, int]] = {
    "counts are stored and the answer is lost": (COUNTS, lost_answer, 3),
    "every second statement is done and its answer lost": (r"\w", lost_answer, 6),
    "counts are stored at once and answered after the worker gave up": (COUNTS, answered_late(TOO_LATE_S), 1),
    "counts reach the store after the worker gave up": (COUNTS, late(TOO_LATE_S), 1),
    "evidence reaches the store after the worker gave up": (INSERTS, late(TOO_LATE_S), 1),
    "the read-back is not answered": (READ_BACK, lost_answer, 4),
    "out of memory": (COUNTS, OVERLOADED, 3),
    "too many parts": (INSERTS, TOO_MANY_PARTS, 4),
    "the connection breaks within the counts": (COUNTS, cut, 3),
    "the connection breaks within whatever is stored": (INSERTS, cut, 6),
}


def test_every_failure_of_a_statement_leaves_counts_exact(deployment: Deployment) -> None:
    workers = [deployment.worker(name) for name in ("a", "b")]
    deployment.await_members(2)
    for seed, (what, (statement, act, times)) in enumerate(FAILURES.items()):
        rules = [deployment.proxy(name).when(statement, act, times) for name in ("a", "b")]
        deployment.send(1_000, seed=seed)
        deployment.await_counted()
        assert any(rule.met.is_set() for rule in rules), f"{what}: did not happen"
        for name in ("a", "b"):
            deployment.proxy(name).calm()
        deployment.assert_exact(what)
    assert all(each.running for each in workers), deployment.said


def refuse(deployment: Deployment) -> None:
    """Nobody listens at the store's port for longer than a worker waits."""
    for proxy in deployment.proxies.values():
        proxy.refuse()
    time.sleep(TOO_LATE_S)
    for proxy in deployment.proxies.values():
        proxy.accept()


def fall_silent(deployment: Deployment) -> None:
    """The store takes everything and answers nothing for a while."""
    for proxy in deployment.proxies.values():
        proxy.when(r"\w", late(TOO_LATE_S), None)
    time.sleep(2 * TOO_LATE_S)
    for proxy in deployment.proxies.values():
        proxy.calm()


def die(deployment: Deployment) -> None:
    """The store is killed (SIGKILL) and started again on the same folder, twice."""
    for _ in range(2):
        deployment.store_process.kill()
        deployment.store_process.start()
        deployment.await_counting()


@pytest.mark.parametrize("fail", [refuse, fall_silent, die])
def test_store_that_is_away_under_load_leaves_counts_exact(
    deployment: Deployment, fail: Callable[[Deployment], None]
) -> None:
    workers = [deployment.worker(name) for name in ("a", "b")]
    deployment.await_members(2)
    load = deployment.load(1_000, seed=1)
    deployment.await_counting()
    fail(deployment)
    deployment.await_counting(1_000)
    load.end()
    deployment.await_counted()
    deployment.assert_exact()
    assert all(each.running for each in workers), deployment.said


def test_store_killed_within_an_insert_does_not_stop_the_partition_for_ever(deployment: Deployment) -> None:
    """The store notes a token and then makes the rows visible. Killed between the two, it knows a token that has no
    rows, and drops every INSERT that comes with it. The rows are taken away here while it is down."""
    worker = deployment.worker("a")
    deployment.await_members(1)
    deployment.send(500, seed=1)
    deployment.await_counted()
    with deployment.opened() as store:
        store.run("SYSTEM STOP MERGES counts")
    killed = deployment.proxy("a").when(COUNTS, after(lambda _: worker.kill()))
    deployment.send(500, seed=2)
    deployment.wait(killed.met.is_set, "the worker to be killed")
    with deployment.opened() as store:
        ((part,),) = store.rows(LAST_PART)
    deployment.store_process.kill()
    shutil.rmtree(part)
    deployment.store_process.start()
    worker.start()
    deployment.await_counted()
    deployment.assert_exact()


def test_worker_given_partitions_while_the_store_is_away_waits_for_it(deployment: Deployment) -> None:
    """A rebalance does not choose its moment: a worker that cannot read its positions yet is no worker that ends."""
    first = deployment.worker("first")
    deployment.await_members(1)
    load = deployment.load(500, seed=1)
    deployment.await_counting()
    newcomer = deployment.proxy("newcomer")
    refusing = newcomer.when(READ_BACK, OVERLOADED, None)
    second = deployment.worker("newcomer")
    deployment.wait(refusing.met.is_set, "the newcomer to ask for its positions")
    for _ in range(6):
        refusing.met.clear()
        deployment.wait(lambda: refusing.met.is_set() or not second.running, "the newcomer to ask again")
        assert second.running, deployment.said
    newcomer.calm()
    deployment.await_members(2)
    load.end()
    deployment.await_counted()
    deployment.assert_exact()
    assert first.running, deployment.said
