"""Event times as they come: out of order, days late, from clocks that are wrong."""

import random

import pytest

from schemas.times import utc_now_ms
from tests.faults.deployment import Deployment
from tests.faults.letters import dead_letters
from tests.faults.odd_times import accepted, refused
from tests.faults.proxy import COUNTS, after, instead

pytestmark = pytest.mark.kafka


def test_event_counts_in_the_minute_it_names_or_becomes_a_dead_letter(deployment: Deployment) -> None:
    """The worker is killed in between, too, between dead letters and counts and between counts and read-back."""
    chance = random.Random(1)
    worker, proxy = deployment.worker("a"), deployment.proxy("a")
    deployment.await_members(1)
    for part, act in enumerate((instead, after)):
        killed = proxy.when(COUNTS, act(lambda _: worker.kill()))
        good, bad = accepted(chance, f"p{part}", utc_now_ms(), 500), refused(f"p{part}", utc_now_ms())
        deployment.hand.send_mixed(chance, good, bad)
        deployment.wait(killed.met.is_set, "the worker to be killed")
        worker.start()
    deployment.hand.send_mixed(chance, accepted(chance, "last", utc_now_ms(), 500), [])
    deployment.await_counted()
    deployment.assert_exact()
    assert dead_letters(deployment.kafka) == deployment.sent.bad
