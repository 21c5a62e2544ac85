"""A provider reports the complaints of several days at once: only who is complained of elsewhere too is accused."""

import random

import pytest

from streams.incidents.stored import read_incidents
from streams.incidents.watch import IncidentWatch
from tests.support.api_client import DAY, HOUR, MINUTE, Row
from tests.support.fleet import HOUR_11, accused
from tests.support.judging import Ground
from tests.support.left_out import hours_left_out

pytestmark = pytest.mark.usefixtures("standing_clock")

GOOD = [f"good{number:02}" for number in range(12)]
BAD = ["bad0", "bad1"]
#: Of each day so much an hour, in six hours.
AN_HOUR = {"gmail": 100, "yahoo": 100, "comcast": 100}
HOURS = range(6)


def at(day: int, hour: int) -> int:
    return HOUR_11 // DAY * DAY - day * DAY + (4 + hour) * HOUR


def mail(who: str, days: range) -> list[Row]:
    return [
        Row(at(day, hour), delivered=count, provider=provider, customer=who, stream="news")
        for day in days
        for hour in HOURS
        for provider, count in AN_HOUR.items()
    ]


def complaints(who: str, days: range, providers: tuple[str, ...], rate: float, chance: random.Random) -> list[Row]:
    return [
        Row(at(day, hour), complained=1, provider=provider, customer=who, stream="news")
        for day in days
        for hour in HOURS
        for provider in providers
        for _ in range(AN_HOUR[provider])
        if chance.random() < rate
    ]


@pytest.mark.parametrize("days", [1, 7])
def test_batch_accuses_nobody_but_who_is_complained_of_everywhere(ground: Ground, days: int) -> None:
    chance = random.Random(days)
    everybody = [*GOOD, *BAD]
    for who in everybody:
        ground.put(*mail(who, range(1, 20)), *complaints(who, range(8, 20), ("yahoo", "comcast"), 0.0003, chance))
    judge = ground.judge()
    judge.judge_customers(everybody, HOUR_11 * 1000)
    assert accused(ground) == set()
    for who in GOOD:
        ground.put(*complaints(who, range(1, days + 1), ("yahoo",), 0.025, chance))
    for who in BAD:
        ground.put(*complaints(who, range(1, 4), ("yahoo", "comcast"), 0.025, chance))
    judge.judge_customers(everybody, (HOUR_11 + MINUTE) * 1000)
    assert accused(ground) == set(BAD)
    (batch,) = read_incidents(ground.store).in_force()
    assert (batch.value, batch.outcome, batch.open) == ("yahoo", "complained", False)
    assert {hour // DAY for hour in batch.hours} == {HOUR_11 // DAY - day for day in range(1, days + 1)}
    # Single hours in which hardly anybody complained do not take it back.
    for minute in (2, 20, 40):
        judge.refresh_incidents((HOUR_11 + minute * MINUTE) * 1000)
    assert {each.id: each.hours for each in read_incidents(ground.store).in_force()} == {batch.id: batch.hours}


def test_alarm_is_looked_at_though_it_was_looked_at_this_very_moment(ground: Ground) -> None:
    """That look was at the last hours, and not at those in which the mail of who alarms failed."""
    chance = random.Random(4)
    for who in GOOD:
        ground.put(*mail(who, range(1, 20)), *complaints(who, range(5, 20), ("yahoo",), 0.0003, chance))
    watch = IncidentWatch(ground.store)
    watch.refresh((HOUR_11 - DAY) * 1000)
    for who in GOOD:
        ground.put(*complaints(who, range(1, 3), ("yahoo",), 0.025, chance))
    now_ms = HOUR_11 * 1000
    watch._round_ms = now_ms
    assert not watch.refresh(now_ms)
    assert watch.refresh(now_ms, GOOD)
    assert not watch.refresh(now_ms, GOOD[:3])
    assert {place for place, _ in hours_left_out(ground.store)} == {"yahoo"}


def test_batch_that_begins_in_the_evening_excuses_who_sent_then(ground: Ground) -> None:
    """Of that day those who sent in the morning are not complained of; one sent when it had begun."""
    chance = random.Random(5)
    late = "late"
    for who in [*GOOD, late]:
        ground.put(*mail(who, range(1, 20)), *complaints(who, range(5, 20), ("yahoo",), 0.0003, chance))
    evening = at(2, 0) + 17 * HOUR
    for provider in ("gmail", "yahoo", "comcast"):
        ground.put(Row(evening, delivered=1_500, provider=provider, customer=late, stream="news"))
    judge = ground.judge()
    judge.judge_customers([*GOOD, late], HOUR_11 * 1000)
    assert accused(ground) == set()
    for who in GOOD:
        ground.put(*complaints(who, range(1, 2), ("yahoo",), 0.025, chance))
    ground.put(Row(evening, complained=36, provider="yahoo", customer=late, stream="news"))
    judge.judge_customers([*GOOD, late], (HOUR_11 + MINUTE) * 1000)
    assert accused(ground) == set()
    assert ("yahoo", evening // HOUR * HOUR) in hours_left_out(ground.store)
