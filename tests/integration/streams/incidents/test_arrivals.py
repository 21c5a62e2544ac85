"""A provider reports the complaints of three days at once, and says of none what mail it is about."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

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


class Counted(NamedTuple):
    """What one minute (epoch s) has of a customer at a provider."""

    customer: str
    at: int
    provider: str
    delivered: int = 0
    complained: int = 0


def put(ground: Ground, rows: Sequence[Counted]) -> None:
    columns: dict[str, Sequence[object]] = {
        "dimension": ["provider"] * len(rows),
        "customer": [row.customer for row in rows],
        "stream": ["news"] * len(rows),
        "value": [row.provider for row in rows],
        "bucket": [utc_time(row.at * 1000) for row in rows],
        "source": ["made/1"] * len(rows),
        "delivered": [row.delivered for row in rows],
        "complained": [row.complained for row in rows],
        "undated_complained": [row.complained for row in rows],
    }
    ground.store.insert("counts", columns)


def sent(customer: str, days: range) -> Iterator[Counted]:
    for day in days:
        for provider, count in PROVIDERS.items():
            yield Counted(customer, NIGHT - NIGHT % DAY - day * DAY + 12 * HOUR, provider, delivered=count)


def test_batch_by_night_accuses_nobody_but_who_is_complained_of_everywhere(ground: Ground) -> None:
    chance, everybody = random.Random(1), [*GOOD, "bad"]
    before: list[Counted] = []
    for who in everybody:
        before += sent(who, range(1, 25))
        for day in (9, 13, 18):
            before.append(Counted(who, NIGHT - day * DAY, chance.choice(["yahoo", "comcast"]), complained=1))
    put(ground, before)
    judge = ground.judge()
    judge.judge_customers(everybody, (NIGHT - MINUTE) * 1000)
    assert accused(ground) == set()
    put(ground, [Counted(who, NIGHT, "yahoo", complained=36) for who in everybody])
    put(ground, [Counted("bad", NIGHT, "comcast", complained=90)])
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
