"""Workers killed (SIGKILL) at random moments and at the exact points of a flush: every event counts once."""

import random
import time
from collections.abc import Callable

import pytest

from tests.faults.deployment import Deployment
from tests.faults.proxy import COUNTS, INSERTS, READ_BACK, Act, Exchange, after, before, instead

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("seed", [1])
def test_workers_killed_at_random_moments_under_load(deployment: Deployment, seed: int) -> None:
    chance = random.Random(seed)
    workers = [deployment.worker(name) for name in ("a", "b")]
    load = deployment.load(1_500, seed=seed)
    for _ in range(6):
        deployment.await_counting()
        time.sleep(chance.uniform(0, 0.5))
        victim = chance.choice(workers)
        victim.kill()
        victim.start()
    load.end()
    deployment.await_counted()
    deployment.assert_exact()


#: Where in a flush the worker is killed: the statement at which, and how.
POINTS: dict[str, tuple[str, Callable[[Callable[[Exchange], None]], Act]]] = {
    "before anything is stored": (INSERTS, instead),
    "between evidence and counts": (COUNTS, instead),
    "with the counts on their way": (COUNTS, before),
    "between counts and read-back": (COUNTS, after),
    "after the read-back": (READ_BACK, after),
}


@pytest.mark.parametrize("point", POINTS)
def test_worker_killed_at_a_point_of_its_flush(deployment: Deployment, point: str) -> None:
    statement, act = POINTS[point]
    worker = deployment.worker("a")
    deployment.await_members(1)
    killed = deployment.proxy("a").when(statement, act(lambda _: worker.kill()))
    deployment.send(2_000, seed=2)
    deployment.wait(killed.met.is_set, f"the worker to be killed {point}")
    worker.start()
    deployment.await_counted()
    deployment.assert_exact()


def test_worker_killed_at_every_flush_gets_on_all_the_same(deployment: Deployment) -> None:
    """Each life of the worker ends between its counts and its read-back; it only ever counts what is new."""
    worker = deployment.worker("a")
    deployment.await_members(1)
    deployment.send(2_000, seed=3)
    for _ in range(2):
        killed = deployment.proxy("a").when(COUNTS, after(lambda _: worker.kill()))
        deployment.wait(killed.met.is_set, "the worker to be killed")
        worker.start()
    deployment.await_counted()
    deployment.assert_exact()
