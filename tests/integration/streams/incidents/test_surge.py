"""All mail fails, and nobody else sends: it is the network, or those who send are one abuser's accounts."""

import random

import pytest

from schemas.incident import Incident, incident_id
from streams.incidents.stored import read_incidents, store_incidents
from tests.support.api_client import DAY, MINUTE
from tests.support.fleet import HOUR_11, mail
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

ACCOUNTS = [f"account{number:02}" for number in range(14)]
GOOD = [f"good{number}" for number in range(6)]


def told(ground: Ground, *, held: bool) -> set[str]:
    every = [each.data for each in ground.sent if each.data.level in ("excessive", "critical")]
    return {each.customer for each in every if (each.held is not None) == held}


def hour(ground: Ground, who: list[str], count: int, hard: float) -> None:
    """A fleet with a history of 120 mails a day, all of which is asleep but for those who send so many now."""
    chance = random.Random(4)
    for each in (*ACCOUNTS, *GOOD):
        ground.put(*(row for day in range(1, 15) for row in mail(each, HOUR_11 - day * DAY, 120, 0.005, chance)))
    judge = ground.judge()
    for minute in (3, 10, 25):
        for each in who:
            ground.put(*mail(each, HOUR_11 + minute * MINUTE, count // 3, hard, chance))
        now_ms = (HOUR_11 + (minute + 1) * MINUTE) * 1000
        judge.judge_customers({*ACCOUNTS, *GOOD, *who}, now_ms)
        judge.judge_customers(judge.refresh_incidents(now_ms + 30_000), now_ms + 30_000)


def test_accounts_of_long_standing_that_all_have_their_busiest_hour_are_held(ground: Ground) -> None:
    hour(ground, ACCOUNTS, 900, 0.2)
    assert (told(ground, held=True), told(ground, held=False)) == ({*ACCOUNTS}, set())
    (incident,) = read_incidents(ground.store, 0).in_force()
    assert (incident.dimension, incident.state, incident.leaves_out) == ("all", "suspected", False)
    assert "several times what they ever did in an hour" in incident.why


def test_who_fails_a_little_while_it_goes_on_is_held_whatever_its_other_days_were(ground: Ground) -> None:
    """Of a large sender more failed on other days, in numbers."""
    chance = random.Random(5)
    ground.put(*(row for day in range(1, 8) for row in mail("large", HOUR_11 - day * DAY, 40_000, 0.01, chance)))
    ground.put(*mail("large", HOUR_11 + 2 * MINUTE, 600, 0.15, chance))
    hour(ground, [*ACCOUNTS, "large"], 900, 0.2)
    assert "large" in told(ground, held=True)
    assert told(ground, held=False) == set()


def test_network_that_breaks_strikes_usual_mail_and_accuses_nobody(ground: Ground) -> None:
    hour(ground, [*GOOD, *ACCOUNTS[:4]], 90, 0.6)
    assert (told(ground, held=True), told(ground, held=False)) == (set(), set())
    found = {each.dimension: each.state for each in read_incidents(ground.store, 0).in_force()}
    assert found["all"] == "detected"


def test_batch_of_complaints_makes_no_incident_of_what_is_refused_everywhere_else(ground: Ground) -> None:
    """Mail to a provider whose complaints came at once still says that what is sent is refused everywhere."""
    batches = [
        Incident(
            id=incident_id("provider", provider, "complained", HOUR_11),
            dimension="provider",
            value=provider,
            outcome="complained",
            state="detected",
            hours=(HOUR_11,),
            confirmed=(HOUR_11,),
            rate=0.01,
            usual=0.0003,
            struck=9,
            spared=0,
            detected_ms=HOUR_11 * 1000,
        )
        for provider in ("gmail", "yahoo", "outlook", "other")
    ]
    store_incidents(ground.store, batches, HOUR_11 * 1000)
    hour(ground, ACCOUNTS, 3_000, 0.2)
    assert (told(ground, held=True), told(ground, held=False)) == ({*ACCOUNTS}, set())
    assert not any(each.leaves_out for each in read_incidents(ground.store).in_force() if each.outcome == "hard")
