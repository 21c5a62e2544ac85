"""Event times as they come: out of order, days late, from clocks that are wrong."""

import random

import pytest

from schemas.event import EventType, MailEvent
from tests.faults.deployment import Deployment
from tests.faults.letters import dead_letters
from tests.faults.proxy import COUNTS, after, instead
from tests.faults.truth import now_ms

pytestmark = pytest.mark.kafka
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
#: A minute within what is accepted (schemas/settings.py, `Ingest`), since the test takes a while.
ACCEPTED = (
    *(-90 * DAY_MS + MINUTE_MS, -31 * DAY_MS, -8 * DAY_MS, -25 * HOUR_MS, -HOUR_MS, -MINUTE_MS),
    *(-1, 0, MINUTE_MS, HOUR_MS, 24 * HOUR_MS - MINUTE_MS),
)
REFUSED = (-90 * DAY_MS - MINUTE_MS, -400 * DAY_MS, 24 * HOUR_MS + MINUTE_MS, 365 * DAY_MS)
TYPES: tuple[EventType, ...] = ("delivered", "deferred", "complained", "expired")


def event(number: int, time: int, type_: EventType) -> MailEvent:
    return MailEvent(
        id=f"e{number}", type=type_, time=time, customer=f"c{number % 5}", recipient_domain="yahoo.com",
        sending_ip=f"192.0.2.{number % 3}", ip_pool="pool",
    )  # fmt: skip


def test_event_counts_in_the_minute_it_names_or_becomes_a_dead_letter(deployment: Deployment) -> None:
    """The worker is killed in between, too, between dead letters and counts and between counts and read-back."""
    now, chance = now_ms(), random.Random(1)
    good = [event(n, now + chance.choice(ACCEPTED) - chance.randrange(MINUTE_MS // 2), t)
            for n, t in enumerate(chance.choices(TYPES, k=1_500))]  # fmt: skip
    bad = [event(10_000 + n, now + offset, "delivered") for n, offset in enumerate(REFUSED)]
    bad += [event(20_000, now // 1000, "delivered"), event(20_001, 0, "bounced"), event(20_002, -now, "bounced")]
    worker, proxy = deployment.worker("a"), deployment.proxy("a")
    deployment.await_members(1)
    for act in (instead, after):
        part = [good.pop() for _ in range(500)]
        killed = proxy.when(COUNTS, act(lambda _: worker.kill()))
        for each in chance.sample([*part, *bad], k=500 + len(bad)):
            if each in bad:
                deployment.hand.send_bad(each)
            else:
                deployment.hand.send(each, each.type)
        bad = []
        deployment.sender.flush()
        deployment.wait(killed.met.is_set, "the worker to be killed")
        worker.start()
    for each in good:
        deployment.hand.send(each, each.type)
    deployment.sender.flush()
    deployment.await_counted()
    deployment.assert_exact()
    assert dead_letters(deployment.kafka) == deployment.sent.bad
