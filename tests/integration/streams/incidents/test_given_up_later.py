"""Mail that an outage put off, and that was given up days later, by customers of whom none has a good history yet; of
some it is not known when the mail was sent. Nobody can tell, so a person looks first."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from schemas.times import utc_time
from streams.incidents.stored import read_incidents
from streams.incidents.undecided import WHY_FEW, WHY_GIVEN_UP
from tests.support.api_client import DAY, HOUR, MINUTE
from tests.support.fleet import HOUR_11, SHARES, held, suspended
from tests.support.judging import Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

#: The hours whose mail was put off, and a moment a day later, when those who wait a day have given it up.
OUTAGE = [HOUR_11 - DAY - hour * HOUR for hour in range(3)]
LATER_MS = (HOUR_11 + 30 * MINUTE) * 1000


class Counted(NamedTuple):
    """What one minute (epoch s) has of a customer at a provider."""

    customer: str
    at: int
    provider: str
    delivered: int = 0
    hard: int = 0
    expired: int = 0
    undated_expired: int = 0


def put(ground: Ground, rows: Sequence[Counted]) -> None:
    columns: dict[str, Sequence[object]] = {
        "dimension": ["provider"] * len(rows),
        "value": [row.provider for row in rows],
        "customer": [row.customer for row in rows],
        "stream": ["news"] * len(rows),
        "bucket": [utc_time(row.at * 1000) for row in rows],
        "source": ["made/1"] * len(rows),
    }
    names = ("delivered", "hard", "expired", "undated_expired")
    ground.store.insert("counts", columns | {name: [getattr(row, name) for row in rows] for name in names})


def mail(customer: str, at: int, count: int, hard: float, chance: random.Random) -> Iterator[Counted]:
    for provider, share in SHARES.items():
        sent = round(count * share)
        bad = sum(chance.random() < hard for _ in range(sent))
        yield Counted(customer, at + 5 * MINUTE, provider, delivered=sent - bad, hard=bad)


def day_before(customer: str, count: int, chance: random.Random, hard: float = 0.01) -> list[Counted]:
    """Two days of mail around the outage."""
    hours = [HOUR_11 - 2 * DAY + hour * HOUR for hour in (0, 2, 6, 30, 40)]
    return [row for at in hours for row in mail(customer, at, count, hard, chance)]


def given_up(customer: str, count: int, *, dated: bool) -> Iterator[Counted]:
    """Of each hour of the outage nine tenths, a day later; without a date they count when they come."""
    for hour in OUTAGE:
        for provider, share in SHARES.items():
            sent = round(count * share)
            yield Counted(customer, hour + 5 * MINUTE, provider, delivered=sent // 10)
            lost = sent - sent // 10
            if dated:
                yield Counted(customer, hour + 5 * MINUTE, provider, expired=lost)
            else:
                at = hour + DAY + 7 * MINUTE
                yield Counted(customer, at, provider, expired=lost, undated_expired=lost)


def test_who_gave_up_the_mail_of_an_outage_before_anybody_had_a_history_is_held(ground: Ground) -> None:
    chance, fleet = random.Random(1), ["new", "spoilt", "third"]
    for each in fleet:
        count = 300 if each == "spoilt" else 25
        put(ground, day_before(each, count, chance, 0.045 if each == "spoilt" else 0.0))
        put(ground, list(given_up(each, count, dated=True)))
    # The others still wait; what they had delivered says nothing.
    put(ground, [Counted(f"late{n}", hour, "gmail", delivered=30) for n in range(9) for hour in OUTAGE])
    ground.judge().judge_customers(fleet, LATER_MS)
    assert (held(ground), suspended(ground)) == ({*fleet}, set())
    for incident in read_incidents(ground.store).in_force():
        assert (incident.value, incident.outcome, incident.state) == ("*", "expired", "suspected")
        assert incident.why in (WHY_FEW, WHY_GIVEN_UP)


@pytest.mark.parametrize("spared", [False, True])
def test_who_alone_gave_up_the_mail_of_some_hours_is_held_where_nobody_is_spared(
    ground: Ground, *, spared: bool
) -> None:
    chance = random.Random(2)
    put(ground, day_before("alone", 150, chance))
    put(ground, list(given_up("alone", 150, dated=True)))
    if spared:
        put(ground, day_before("spared", 150, chance))
        put(ground, [row for hour in OUTAGE for row in mail("spared", hour, 60, 0.0, chance)])
        put(ground, [Counted("spared", OUTAGE[0] + HOUR, "gmail", delivered=50, expired=1)])
    ground.judge().judge_customers(["alone"], LATER_MS)
    assert {"held": held(ground), "suspended": suspended(ground)} == {
        "held": set() if spared else {"alone"},
        "suspended": {"alone"} if spared else set(),
    }


def test_expiries_of_an_unknown_time_a_day_after_an_outage_are_held(ground: Ground) -> None:
    """A list with dead domains, whose mail is given up all the time, is not; nor one that fails in another way."""
    chance, fleet = random.Random(3), [f"good{number}" for number in range(4)]
    for each in fleet:
        put(ground, [row for day in range(4, 20) for row in mail(each, HOUR_11 - day * DAY, 600, 0.004, chance)])
        put(ground, [*day_before(each, 300, chance), *given_up(each, 300, dated=True)])
    put(ground, [*day_before("undated", 300, chance), *given_up("undated", 200, dated=False)])
    put(ground, day_before("dead", 300, chance))
    for hour in range(20):
        put(ground, [Counted("dead", HOUR_11 - hour * HOUR, "gmail", 30, expired=9, undated_expired=9)])
    put(ground, [*day_before("list", 300, chance, 0.08), *given_up("list", 60, dated=False)])
    everybody = [*fleet, "undated", "dead", "list"]
    ground.judge().judge_customers(everybody, LATER_MS)
    assert (held(ground), suspended(ground)) == ({"undated"}, {"dead", "list"})
    (incident,) = read_incidents(ground.store).in_force()
    assert (incident.value, incident.outcome, incident.state) == ("*", "expired", "detected")
    (alert,) = {each.data.held.id for each in ground.sent if each.data.held is not None}
    assert alert == incident.id
