"""Monitors killed (SIGKILL) while they alert: no transition is lost, and what is repeated has the same id."""

import random
import time
from collections.abc import Callable, Iterable

import pytest

from schemas.alert import AlertEvent
from schemas.event import MailEvent
from schemas.times import utc_now_ms
from tests.faults.checks import levels, unknown_levels
from tests.faults.deployment import Deployment
from tests.faults.letters import alerts
from tests.faults.proxy import ALERT_STATES, ALERTS, STANDINGS, Act, Exchange, after, instead

pytestmark = pytest.mark.kafka
#: So long ago that no window moves over any of the mail, which is of six hours, while the test runs: the last six hours
#: are empty, the day has all.
AGO_MS = 7 * 3_600_000

STORED_IDS = "SELECT id FROM alerts FINAL"
VOLUME = "SELECT volume FROM standings FINAL WHERE customer = 'worse' AND scope = 'customer'"
JUDGED = "SELECT uniqExact(customer) FROM standings"
CUSTOMERS = "SELECT uniqExact(customer) FROM counts WHERE dimension = 'provider'"

#: The statement of a judgement at which the monitor is killed, and how.
POINTS: dict[str, tuple[str, Callable[[Callable[[Exchange], None]], Act]]] = {
    "when its alerts are sent and not stored": (ALERTS, instead),
    "before it stores what is to be sent": (ALERT_STATES, instead),
    "when what is to be sent is stored": (ALERT_STATES, after),
    "when the standings are stored": (STANDINGS, after),
}


def test_alerts_of_a_monitor_killed_again_and_again_are_those_of_an_undisturbed_one(deployment: Deployment) -> None:
    worker = deployment.worker("a")
    deployment.send(20_000, seed=1, ago_ms=AGO_MS)
    deployment.await_counted()
    assert worker.stop() == 0, deployment.said
    monitor, proxy = deployment.monitor("monitor"), deployment.proxy("monitor")
    await_all_judged(deployment)
    monitor.kill()
    undisturbed = alerts(deployment.kafka)
    assert len(undisturbed) >= 5, "too few for the test to mean anything"
    with deployment.opened() as store:
        for table in ("alerts", "alert_states", "standings"):
            store.run(f"TRUNCATE TABLE {table}")

    for where, (statement, act) in POINTS.items():
        killed = proxy.when(statement, act(lambda _: monitor.kill()))
        monitor.start()
        deployment.wait(killed.met.is_set, f"the monitor to be killed {where}")
        proxy.calm()
    monitor.start()
    time.sleep(random.Random(1).uniform(1, 2.5))
    monitor.kill()
    monitor.start()
    await_all_judged(deployment)

    sent = alerts(deployment.kafka)[len(undisturbed) :]
    assert said(sent) == said(undisturbed)
    with deployment.opened() as store:
        assert {str(id_) for (id_,) in store.rows(STORED_IDS)} == {each.id for each in undisturbed}
    assert not unknown_levels(deployment)


@pytest.mark.parametrize("point", ["when its alerts are sent and not stored", "when what is to be sent is stored"])
def test_customer_that_gets_worse_while_the_monitor_is_dead_is_known_at_its_level(
    deployment: Deployment, point: str
) -> None:
    """After the crash another level may be judged. A consumer that drops repeated ids must hear of it."""
    statement, act = POINTS[point]
    deployment.worker("a")
    monitor, proxy = deployment.monitor("monitor"), deployment.proxy("monitor")
    deployment.await_members(1)
    killed = proxy.when(statement, act(lambda _: monitor.kill()))
    bounces(deployment, 0, of=1_000, hard=50)
    deployment.wait(killed.met.is_set, f"the monitor to be killed {point}")
    bounces(deployment, 1, of=1_000, hard=400)
    deployment.await_counted()
    proxy.calm()
    monitor.start()
    deployment.wait(lambda: levels(deployment).get(("worse", "customer", "failure", 1)) == "critical", "the level")
    assert not unknown_levels(deployment)


def test_customer_counted_just_before_the_worker_stops_is_judged_by_what_was_counted(deployment: Deployment) -> None:
    """Customers are announced now and then only; what is not announced yet when the worker stops is announced then."""
    worker = deployment.worker("a", REPMON_INGEST__CHANGE_DEBOUNCE_S="60")
    deployment.monitor("monitor")
    deployment.await_members(1)
    for part in range(2):
        bounces(deployment, part, of=300, hard=3)
        deployment.await_counted()
        if part:
            assert worker.stop() == 0, deployment.said
        await_volume(deployment, 300 * (part + 1))


def said(alerts_sent: Iterable[AlertEvent]) -> dict[str, tuple[object, ...]]:
    """What each alert says, by its id."""
    return {
        each.id: (each.type, each.data.customer, each.data.scope, each.data.rule, each.data.level, each.data.window)
        for each in alerts_sent
    }


def bounces(deployment: Deployment, part: int, *, of: int, hard: int) -> None:
    """Mail of one customer an hour ago, a part of it to unknown recipients."""
    at = utc_now_ms() - AGO_MS
    for number in range(of):
        name = f"{part}-{number}"
        if number < hard:
            bad = MailEvent(id=name, customer="worse", type="bounced", time=at, enhanced_status="5.1.1")
            deployment.hand.send(bad, "hard")
        else:
            deployment.hand.send(MailEvent(id=name, customer="worse", type="delivered", time=at), "delivered")
    deployment.sender.flush()


def await_all_judged(deployment: Deployment) -> None:
    """Wait until every customer has a standing, and the monitor has nothing left to judge."""
    with deployment.opened() as store:
        wanted = store.rows(CUSTOMERS)[0][0]
        deployment.wait(lambda: store.rows(JUDGED)[0][0] == wanted, f"{wanted} customers to be judged")


def await_volume(deployment: Deployment, finished: int) -> None:
    """Wait until so many recipients of the customer are judged."""
    with deployment.opened() as store:
        deployment.wait(lambda: store.rows(VOLUME) == [(finished,)], f"{finished} recipients to be judged", 40)
