"""With whom customers share an owner is asked once, until anything more is counted, and is what the store says."""

import random

import pytest

from streams.incidents import company
from streams.incidents.company import COMPANY, Company
from streams.incidents.fleet_cells import FleetCells
from tests.support.api_client import DAY, HOUR, NOW, Row
from tests.support.fleet import HOUR_11
from tests.support.judging import CUSTOMERS, Counting, Ground, traffic

pytestmark = pytest.mark.usefixtures("standing_clock")

HOURS = [HOUR_11 - count * HOUR for count in range(12)]


@pytest.fixture
def counting(ground: Ground) -> Counting:
    ground.put(*traffic(1, 1_000, DAY))
    return Counting(ground.store)


@pytest.mark.parametrize("most", [0, 12, 100_000])
def test_answers_are_the_stores_whatever_came_meanwhile(
    ground: Ground, counting: Counting, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(company, "MOST_KEPT", most)
    fleet, chance = FleetCells(counting), random.Random(3)
    kept = Company(counting, fleet.counted)
    asked = [(sorted(chance.sample(CUSTOMERS, 4)), sorted(chance.sample(HOURS, 3))) for _ in range(3)]
    for _ in range(16):
        if chance.random() < 0.4:
            ground.put(*traffic(chance.randrange(1_000_000), 40, DAY))
        if chance.random() < 0.1:
            # No mail that the cells of providers would show.
            ground.store.run("INSERT INTO counts SELECT * REPLACE ('pool' AS dimension) FROM counts LIMIT 50")
        if chance.random() < 0.2:
            ground.store.run("OPTIMIZE TABLE counts FINAL")
        if chance.random() < 0.1:
            ground.store.run("ALTER TABLE counts DELETE WHERE value = '192.0.2.3' SETTINGS mutations_sync = 2")
        fleet.refresh(NOW)
        for customers, hours in chance.sample(asked, 2):
            assert kept.of(customers, hours) == Company(ground.store).of(customers, hours)
        assert sum(len(some) + len(found) for (some, _), found in kept._kept.items()) <= most


def test_it_is_asked_again_only_once_something_came(ground: Ground, counting: Counting) -> None:
    fleet = FleetCells(counting)
    kept = Company(counting, fleet.counted)
    asked = []
    for rows in ([], [], [Row(NOW, customer="customer1")], []):
        if rows:
            ground.put(*rows)
        fleet.refresh(NOW)
        for hours in (HOURS[:2], HOURS[2:4]):
            kept.of(["customer1", "customer2"], hours)
        asked.append(counting.asked.count(COMPANY))
    assert asked == [2, 2, 4, 4]


def test_where_it_is_not_known_what_is_counted_each_is_asked(counting: Counting) -> None:
    reader = Company(counting)
    for _ in range(2):
        reader.of(["customer1"], HOURS)
    assert counting.asked.count(COMPANY) == 2
