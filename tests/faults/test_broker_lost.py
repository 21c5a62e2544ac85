"""The broker goes away and comes back, with its log or with nothing."""

import pytest

from schemas.event import MailEvent
from schemas.times import utc_now_ms
from tests.faults.deployment import Deployment
from tests.support.real_kafka import RealKafka

pytestmark = pytest.mark.kafka
ALERTED = "SELECT count() FROM alerts WHERE customer = {customer:String}"


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_broker_restarted_under_load_leaves_counts_exact_and_alerts_go_on(
    real_kafka: RealKafka, deployment: Deployment, end: str
) -> None:
    worker, monitor = deployment.worker("a"), deployment.monitor("monitor")
    deployment.await_members(1)
    deployment.await_members(1, "monitor")
    load = deployment.load(1_000, seed=1)
    deployment.await_counting(500)
    real_kafka.stop() if end == "stopped" else real_kafka.kill()
    real_kafka.start()
    deployment.await_counting(1_000)
    load.end()
    bad_sender(deployment, "came-with-the-restart")
    deployment.await_counted()
    deployment.assert_exact()
    await_alert(deployment, "came-with-the-restart")
    assert worker.running, deployment.said
    assert monitor.running, deployment.said


def test_monitor_that_starts_while_the_broker_restarts_judges_all_the_same(
    real_kafka: RealKafka, deployment: Deployment
) -> None:
    """A broker that is just coming up does not know its topics yet: a monitor must not take that for the last word."""
    deployment.worker("a")
    deployment.await_members(1)
    deployment.monitor("monitor")
    deployment.await_joining("monitor")
    real_kafka.stop()
    real_kafka.start()
    bad_sender(deployment, "late")
    deployment.await_counted()
    await_alert(deployment, "late")


def test_topics_recreated_under_a_running_worker_count_from_their_beginning(deployment: Deployment) -> None:
    """The new topic outgrows the old one before the worker can have noticed: its offsets mean other events.

    What lies behind the old position may be read first, and late outcomes there before the deliveries that date them.
    """
    worker = deployment.worker("a")
    deployment.send(300, seed=1)
    deployment.await_counted()
    for seed in (2, 3):
        deployment.remake_topics()
        deployment.send(3_000 * seed, seed=seed)
        deployment.await_counted()
        deployment.assert_exact(dated=False)
    assert worker.running, deployment.said


def bad_sender(deployment: Deployment, customer: str) -> None:
    """A customer to whom half of the addresses are unknown."""
    at = utc_now_ms() - 60_000
    for number in range(500):
        good = MailEvent(id=f"{customer}-d{number}", customer=customer, type="delivered", time=at)
        bad = MailEvent(id=f"{customer}-b{number}", customer=customer, type="bounced", time=at, enhanced_status="5.1.1")
        deployment.hand.send(good, "delivered")
        deployment.hand.send(bad, "hard")
    deployment.sender.flush()


def await_alert(deployment: Deployment, customer: str) -> None:
    """Wait for an alert of the customer."""
    with deployment.opened() as store:
        deployment.wait(lambda: store.rows(ALERTED, {"customer": customer})[0][0] > 0, f"an alert of {customer}", 60)
