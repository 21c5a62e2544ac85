"""An hour is read once, until anything more is counted in it; what was usual before the days of a week is read
together, and is what each of them gives by itself."""

import random

import pytest

from streams.incidents.fleet_cells import FleetCells
from streams.incidents.kept_cells import CELLS, OF_HOURS, KeptCells, no_state
from streams.incidents.usual import USUAL, FleetUsual, read_usual
from streams.incidents.watch import IncidentWatch
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.fleet import HOUR_11, mail
from tests.support.judging import Counting, Ground, traffic

pytestmark = pytest.mark.usefixtures("standing_clock")

READ = CELLS.format(where=OF_HOURS)
HOURS = [HOUR_11 - count * HOUR for count in range(30)]


def outage(at: int = HOUR_11) -> list[Row]:
    """Mail of twelve customers, all of which fails at one provider."""
    return [
        row
        for number in range(12)
        for row in mail(f"good{number}", at + 5 * MINUTE, 40, 0.0, random.Random(number), "gmail")
    ]


def good_months() -> list[Row]:
    """What they had before."""
    return [
        row
        for number in range(12)
        for days in range(1, 21)
        for row in mail(f"good{number}", NOW - days * DAY, 100, 0.002, random.Random(number))
    ]


@pytest.fixture
def counting(ground: Ground) -> Counting:
    ground.put(*traffic(1, 2_000, 40 * DAY))
    return Counting(ground.store)


@pytest.mark.parametrize("most", [0, 20, 100_000])
def test_hours_are_what_is_stored_whatever_came_meanwhile(ground: Ground, counting: Counting, most: int) -> None:
    fleet, chance = FleetCells(counting), random.Random(2)
    kept = KeptCells(counting, fleet.state, most)
    for _ in range(12):
        if chance.random() < 0.5:
            ground.put(*traffic(chance.randrange(1_000_000), 10, DAY))
        if chance.random() < 0.2:
            ground.store.run("OPTIMIZE TABLE counts FINAL")
        if chance.random() < 0.1:
            ground.store.run("ALTER TABLE counts DELETE WHERE value = 'gmail' SETTINGS mutations_sync = 2")
        fleet.refresh(NOW)
        some = chance.sample(HOURS, 5)
        assert kept.read(some) == KeptCells(ground.store, no_state).read(some)
        assert sum(each.size for each in kept._kept.values()) <= most


def test_hour_is_read_again_only_once_more_is_counted_in_it(ground: Ground, counting: Counting) -> None:
    fleet = FleetCells(counting)
    kept = KeptCells(counting, fleet.state)
    reads = []
    for rows in ([], [], outage(HOUR_11 - 2 * HOUR), outage(), []):
        ground.put(*rows)
        fleet.refresh(NOW)
        counting.asked.clear()
        kept.read([HOUR_11])
        reads.append(counting.asked.count(READ))
    assert reads == [1, 0, 0, 1, 0]


def test_hour_of_which_nothing_is_known_is_read_each_time(counting: Counting) -> None:
    kept = KeptCells(counting, no_state)
    kept.read([HOUR_11])
    kept.read([HOUR_11])
    assert counting.asked.count(READ) == 2


def test_batches_that_alarm_by_the_same_hour_read_it_once(ground: Ground, counting: Counting) -> None:
    ground.put(*good_months(), *outage())
    watch = IncidentWatch(counting)
    reads = []
    for number in range(4):
        counting.asked.clear()
        watch.refresh(NOW * 1000 + number, {f"good{number}"})
        reads.append(counting.asked.count(READ))
    assert ("gmail", HOUR_11) in watch.excluded
    assert reads[2:] == [0, 0], "the first two met the hour, and those beside an incident"


def test_what_was_usual_is_read_of_a_week_together(ground: Ground, counting: Counting) -> None:
    usual = FleetUsual(counting)
    found = {day: usual.before(NOW - day * DAY) for day in range(8)}
    assert counting.asked.count(USUAL) == 2
    for day, one in found.items():
        midnight = (NOW - day * DAY) // DAY * DAY
        assert one == read_usual(ground.store, [midnight])[midnight]
        assert usual.before(NOW - day * DAY) is one


def test_of_what_was_usual_little_is_kept(counting: Counting) -> None:
    usual = FleetUsual(counting)
    for day in range(30):
        usual.before(NOW + day * DAY)
        usual.before(NOW + (day - 6) * DAY)
    assert len(usual._kept) <= 10
