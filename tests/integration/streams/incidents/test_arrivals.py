"""A provider reports the complaints of three days at once, and says of none what mail it is about."""

import random

import pytest

from schemas.times import utc_time
from streams.incidents.stored import read_incidents
from tests.support.api_client import DAY, HOUR, MINUTE
from tests.support.fleet import HOUR_11, accused
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

GOOD = [f"good{number}" for number in range(8)]
#: Who sends at noon, and is judged in the night.
NIGHT = HOUR_11 // DAY * DAY + 20 * MINUTE
PROVIDERS = {"gmail": 400, "yahoo": 400, "comcast": 200}


def put(ground: Ground, customer: str, at: int, provider: str, **counts: int) -> None:
    columns = {"dimension": ["provider"], "customer": [customer], "stream": ["news"], "value": [provider]}
    when = utc_time(at * 1000)
    ground.store.insert(
        "counts", {**columns, "bucket": [when], "source": ["made/1"], **{name: [n] for name, n in counts.items()}}
    )


def sent(ground: Ground, customer: str, days: range) -> None:
    for day in days:
        for provider, count in PROVIDERS.items():
            put(ground, customer, NIGHT - NIGHT % DAY - day * DAY + 12 * HOUR, provider, delivered=count)


def complaints(ground: Ground, customer: str, at: int, provider: str, count: int) -> None:
    put(ground, customer, at, provider, complained=count, undated_complained=count)


def test_batch_by_night_accuses_nobody_but_who_is_complained_of_everywhere(ground: Ground) -> None:
    chance, everybody = random.Random(1), [*GOOD, "bad"]
    for who in everybody:
        sent(ground, who, range(1, 25))
        for day in (9, 13, 18):
            complaints(ground, who, NIGHT - day * DAY, chance.choice(["yahoo", "comcast"]), 1)
    judge = ground.judge()
    judge.judge_customers(everybody, (NIGHT - MINUTE) * 1000)
    assert accused(ground) == set()
    for who in GOOD:
        complaints(ground, who, NIGHT, "yahoo", 36)
    complaints(ground, "bad", NIGHT, "yahoo", 36)
    complaints(ground, "bad", NIGHT, "comcast", 90)
    again = judge.judge_customers(everybody, (NIGHT + MINUTE) * 1000).again
    judge.judge_customers({who for who, _ in again}, (NIGHT + 2 * MINUTE) * 1000)
    assert accused(ground) == {"bad"}
    (batch,) = read_incidents(ground.store).in_force()
    assert (batch.value, batch.outcome, batch.leaves_out) == ("yahoo", "complained", True)
    # Hours later it still is one, though nobody's mail of that hour was complained of.
    for hours in (1, 2, 4):
        judge.refresh_incidents((NIGHT + hours * HOUR) * 1000)
    assert [each.hours for each in read_incidents(ground.store).in_force()] == [batch.hours]
    judge.judge_customers(everybody, (NIGHT + 10 * HOUR) * 1000)
    assert accused(ground) == {"bad"}
