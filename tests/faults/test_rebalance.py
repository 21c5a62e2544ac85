"""Workers come and go under load: whoever takes a partition up goes on where its counts end."""

import pytest

from tests.faults.deployment import Deployment

pytestmark = pytest.mark.kafka


def test_rebalances_under_load_from_one_to_four_workers_and_back_to_two(deployment: Deployment) -> None:
    load = deployment.load(1_000, seed=1)
    workers = [deployment.worker("w1")]
    deployment.await_counting()
    for number in (2, 3, 4):
        workers.append(deployment.worker(f"w{number}"))
        deployment.await_members(number)
        deployment.await_counting(100)
    assert workers[0].stop() == 0, deployment.said
    deployment.await_counting(100)
    workers[1].kill()
    deployment.await_members(2)
    deployment.await_counting(100)
    load.end()
    deployment.await_counted()
    deployment.assert_exact()
    assert all(each.running for each in workers[2:]), deployment.said
