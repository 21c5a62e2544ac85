"""Workers come and go under load: the worker that takes over a partition continues where its counts end."""

import httpx
import pytest

from schemas.event import MailEvent
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS, load_topics
from tests.faults.deployment import Deployment
from tests.faults.letters import dead_letters
from tests.support.alert_rules import of_text
from tests.support.real_kafka import free_ports

pytestmark = pytest.mark.kafka


@pytest.fixture
def partitions() -> int:
    """As declared: four workers share them."""
    return load_topics()[MAIL_EVENTS].partitions


def messages_taken(port: int) -> float:
    """How many messages the worker that serves its metrics at `port` has taken; 0 while it does not answer."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5.0)
    except httpx.HTTPError:
        return 0.0
    return of_text(answer.text).get("repmon_ingest_messages_total{}", 0.0)


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


def test_dead_letters_of_a_worker_whose_partitions_move_reach_their_topic(deployment: Deployment) -> None:
    """The worker flushes only because its partitions are taken away."""
    rarely = {"REPMON_INGEST__FLUSH_SECONDS": "600"}
    (port,) = free_ports(1)
    deployment.worker("first", **rarely, REPMON_METRICS__PORT=str(port))
    deployment.await_members(1)
    for number in range(40):
        event = MailEvent(id=f"e{number}", type="delivered", time=utc_now_ms(), customer=f"c{number}")
        deployment.hand.send(event, "delivered")
        deployment.hand.send_bad(MailEvent(id=f"b{number}", type="delivered", time=1, customer=f"c{number}"))
    deployment.sender.flush()
    # What either takes only after the partitions have moved is stored by nothing but the flush of 600 s.
    deployment.wait(lambda: messages_taken(port) >= 80, "the first worker to take everything")
    deployment.worker("second", **rarely)
    deployment.await_members(2)
    deployment.await_counted()
    deployment.assert_exact()
    deployment.wait(lambda: dead_letters(deployment.kafka) == deployment.sent.bad, "all dead letters", 20)
