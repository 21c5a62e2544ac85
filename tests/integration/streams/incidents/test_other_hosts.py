"""A host among those that the table of providers does not know refuses: it is nobody's fault, and hides nobody."""

import random

import pytest

from schemas.providers import OTHER
from streams.incidents.stored import read_incidents
from tests.support.api_client import DAY, MINUTE, Row
from tests.support.fleet import HOUR_11, SHARES, accused, mail
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

GOOD = [f"good{number:02}" for number in range(12)]
NOW_MS = (HOUR_11 + 40 * MINUTE) * 1000


def week(customer: str, chance: random.Random) -> list[Row]:
    return [row for day in range(1, 8) for row in mail(customer, HOUR_11 - day * DAY, 700, 0.005, chance)]


def struck(customer: str, count: int, refused: float, chance: random.Random, hard: float = 0.005) -> list[Row]:
    """Mail of one minute; of what goes to hosts that are not known a share is refused more."""
    rows = []
    for provider, share in SHARES.items():
        sent = round(count * share)
        rate = 1 - (1 - hard) * (1 - refused) if provider == OTHER else hard
        bad = sum(chance.random() < rate for _ in range(sent))
        at = HOUR_11 + 20 * MINUTE
        rows.append(Row(at, delivered=sent - bad, hard=bad, provider=provider, customer=customer, stream="news"))
    return rows


@pytest.mark.parametrize("refused", [0.35, 1.0])
def test_host_that_refuses_accuses_nobody_and_bought_lists_are_found(ground: Ground, refused: float) -> None:
    chance = random.Random(1)
    ground.put(*(row for each in GOOD for row in week(each, chance)))
    ground.put(*(row for each in GOOD for row in struck(each, 900, refused, chance)))
    ground.put(*struck("bought", 1_500, refused, chance, hard=0.15))
    ground.judge().judge_customers([*GOOD, "bought"], NOW_MS)
    assert accused(ground) == {"bought"}
    (incident,) = read_incidents(ground.store).in_force()
    assert (incident.dimension, incident.value, incident.leaves_out) == ("provider", OTHER, True)


def test_old_accounts_whose_lists_are_bad_at_unknown_hosts_alone_are_no_incident(ground: Ground) -> None:
    """Half of the fleet is spared: of a provider that would be one, here it takes two thirds."""
    chance, bad = random.Random(2), [f"bad{number}" for number in range(12)]
    ground.put(*(row for each in (*GOOD, *bad) for row in week(each, chance)))
    ground.put(*(row for each in GOOD for row in struck(each, 900, 0.0, chance)))
    ground.put(*(row for each in bad for row in struck(each, 900, 0.9, chance)))
    ground.judge().judge_customers([*GOOD, *bad], NOW_MS)
    assert not read_incidents(ground.store).in_force()
    assert accused(ground) == set(bad)


def test_who_sends_to_unknown_hosts_alone_is_no_witness_of_them(ground: Ground) -> None:
    chance, bad = random.Random(3), [f"bad{number}" for number in range(6)]
    ground.put(*(row for each in bad for row in week(each, chance)))
    at = HOUR_11 + 20 * MINUTE
    ground.put(*(Row(at, delivered=300, hard=200, provider=OTHER, customer=each, stream="news") for each in bad))
    ground.judge().judge_customers(bad, NOW_MS)
    assert not any(each.value == OTHER for each in read_incidents(ground.store).in_force())
