"""`repmon notify` killed (SIGKILL) again and again while it tells: no alert is lost, a receiver that drops repeats by
their id has each once, and each customer's are in order. `NOTIFY_KILLS=100` kills as often."""

import json
import os
import random
import time
from collections import defaultdict
from itertools import pairwise

import msgspec
import pytest

from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_ALERTS
from streams.alerts.record import store_alerts
from streams.io.broker import Publisher
from streams.io.deployment import read_deployment
from tests.faults.deployment import Deployment
from tests.support.told import KEY, receiver, told_alert

pytestmark = pytest.mark.kafka
KILLS = int(os.environ.get("NOTIFY_KILLS", "20"))
CUSTOMERS, EACH_TIME = 7, 6
#: A run that is killed is given so long at most after its first sign of life, in s.
LONGEST_S = 0.3


def test_nothing_is_lost_nothing_is_told_twice_and_order_holds(deployment: Deployment) -> None:
    drawn, sent = random.Random(17), defaultdict[str, list[str]](list)
    with receiver() as received, deployment.opened() as store:
        # Now and then it fails, or takes a notification and says nothing of it.
        received.answer = lambda _: (drawn.choices([204, 500], [9, 1])[0], {}, b"")
        target = {"kind": "webhook", "url": received.url, "secrets": [KEY]}
        route = {"name": "hook", "target": target, "allow_private": True, "concurrency": 4}
        notify = deployment.notify(
            "notify", REPMON_NOTIFY__ROUTES=json.dumps([route]), REPMON_KAFKA__STATIC_ASSIGNMENT="true"
        )
        deployment.wait(lambda: routes_known(deployment), "the route to be there")
        publisher, ours = Publisher(deployment.kafka), read_deployment(store, "")
        for number in range(KILLS):
            for each in range(EACH_TIME):
                customer = f"customer-{drawn.randrange(CUSTOMERS)}"
                event = told_alert(customer=customer, number=len(sent[customer]) + 1, time_ms=utc_now_ms())
                event = msgspec.structs.replace(event, source=ours.source(event.source))
                sent[customer].append(event.id)
                store_alerts(store, [event], utc_now_ms())
                publisher.publish(REPUTATION_ALERTS, customer.encode(), msgspec.json.encode(event))
                if each == EACH_TIME // 2:
                    publisher.flush()
            publisher.flush()
            before = len(received.requests)
            deployment.wait(lambda before=before: len(received.requests) > before, f"a sign of life of run {number}")  # type: ignore[misc]
            time.sleep(drawn.uniform(0, LONGEST_S))
            notify.kill()
            notify.start()
        wanted = {each for ids in sent.values() for each in ids}
        deployment.wait(lambda: wanted <= {str(each["id"]) for each in received.bodies()}, "everything to be told")
        taken = dict[str, str]()
        for request in received.requests:
            taken.setdefault(request.headers["webhook-id"], request.json["id"])
    assert sorted(taken.values()) == sorted(wanted), "each once, by its webhook-id"
    order = {event: at for at, event in enumerate(taken.values())}
    for ids in sent.values():
        assert all(order[earlier] < order[later] for earlier, later in pairwise(ids))


def routes_known(deployment: Deployment) -> bool:
    with deployment.opened() as store:
        return bool(store.rows("SELECT count() FROM notification_routes")[0][0])
