"""Mail that was deferred for all is given up by some after a day, by others after five: these are no witnesses until
then, since what still waits is counted nowhere."""

import random
from collections.abc import Iterator

import pytest

from streams.incidents.stored import read_incidents
from tests.support.api_client import DAY, HOUR, MINUTE, Row
from tests.support.fleet import HOUR_11, SHARES, accused, mail
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

SOON, LATE = [f"soon{number}" for number in range(3)], [f"late{number:02}" for number in range(12)]
#: The hour whose mail is deferred, and a moment at which those who give up soonest have done so.
DEFERRED, LATER_MS = HOUR_11 - 2 * DAY, (HOUR_11 + 30 * MINUTE) * 1000


def week(customer: str, chance: random.Random) -> list[Row]:
    return [row for day in range(3, 9) for row in mail(customer, HOUR_11 - day * DAY, 600, 0.004, chance)]


def outcomes(customer: str, at: int, count: int, given_up: float) -> Iterator[Row]:
    """What is known of the mail of an hour: of what still waits nothing is."""
    for provider, share in SHARES.items():
        sent = round(count * share)
        expired = round(sent * given_up)
        yield Row(at, delivered=sent - expired, expired=expired, provider=provider, customer=customer, stream="news")


def fleet(ground: Ground) -> None:
    chance = random.Random(1)
    ground.put(*(row for each in (*SOON, *LATE) for row in week(each, chance)))
    ground.put(*(row for each in SOON for row in outcomes(each, DEFERRED + 5 * MINUTE, 400, 0.5)))
    # The other half of it still waits.
    ground.put(*(row for each in LATE for row in outcomes(each, DEFERRED + 5 * MINUTE, 200, 0.0)))


def test_who_gives_up_sooner_than_the_others_is_not_accused(ground: Ground) -> None:
    fleet(ground)
    ground.judge().judge_customers([*SOON, *LATE], LATER_MS)
    assert accused(ground) == set()
    (incident,) = read_incidents(ground.store, 0).in_force()
    assert (incident.value, incident.outcome, incident.hours) == ("*", "expired", (DEFERRED,))
    assert (incident.struck, incident.spared) == (3, 0)


def test_who_has_given_up_later_mail_was_spared_of_it(ground: Ground) -> None:
    fleet(ground)
    ground.put(*(row for each in LATE for row in outcomes(each, DEFERRED + 3 * HOUR, 200, 0.02)))
    ground.judge().judge_customers([*SOON, *LATE], LATER_MS)
    assert accused(ground) == {*SOON}
    assert read_incidents(ground.store, 0).in_force() == []
