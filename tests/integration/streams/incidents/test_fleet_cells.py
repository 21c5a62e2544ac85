"""What is kept of the fleet's cells is what is stored, at each look, whatever became of the parts meanwhile."""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from streams.incidents import fleet_cells as module
from streams.incidents.accounts import CellCounts
from streams.incidents.cells import candidates, hours_before
from streams.incidents.fleet_cells import FleetCells
from streams.incidents.usual import FleetUsual
from streams.subjects.left_out import ProviderHour
from tests.support.api_client import DAY, HOUR, MINUTE, NOW
from tests.support.fleet import HOUR_11, mail
from tests.support.judging import Counting, Ground, traffic

pytestmark = pytest.mark.usefixtures("standing_clock")

HOURS = {hours_before(NOW, count) for count in (1, 2, 3, 9, 27, 30, 51, 100, 168)}
OUTAGE = [
    row
    for number in range(12)
    for row in mail(f"good{number}", HOUR_11 + 5 * MINUTE, 40, 0.005, random.Random(number), "gmail")
]


@dataclass
class Kept:
    """A fleet whose cells are kept over a store whose queries are counted."""

    ground: Ground
    store: Counting
    cells: FleetCells
    usual: dict[str, CellCounts] = field(default_factory=dict)

    def look(self, now_s: int = NOW) -> set[ProviderHour]:
        """Look, and hold it against what the store says itself."""
        self.usual = self.usual or FleetUsual(self.store).before(now_s)
        found = self.cells.candidates(HOURS, self.usual, now_s)
        assert found == candidates(self.ground.store, HOURS, self.usual)
        return found

    def read(self) -> list[str]:
        """Which queries were asked since the last time, by their first words."""
        asked, self.store.asked = self.store.asked, []
        kinds = {module.PARTS: "parts", module.NEW_CELLS: "cells", module.SIZES: "sizes", module.PLACES: "places"}
        return [kinds[sql] for sql in asked if sql in kinds]


@pytest.fixture
def kept(ground: Ground) -> Kept:
    ground.put(*traffic(1, 300, 8 * DAY), *mail("early", NOW - 6 * DAY, 100, 0.0, random.Random(1)))
    store = Counting(ground.store)
    return Kept(ground, store, FleetCells(store))


def test_each_look_sees_all_that_was_stored_before_it(kept: Kept) -> None:
    chance = random.Random(2)
    for turn in range(12):
        for _ in range(chance.randrange(4)):
            kept.ground.put(*traffic(chance.randrange(1_000_000), 20, 8 * DAY))
        if turn % 4 == 3:
            kept.ground.store.run("OPTIMIZE TABLE counts FINAL")
        kept.look()
    anew = FleetCells(kept.ground.store)
    anew.candidates(HOURS, kept.usual, NOW)
    assert kept.cells._cells.keys() == anew._cells.keys()
    for hour, cells in kept.cells._cells.items():
        left = cells.counts.any(axis=0)
        assert np.array_equal(cells.names[left], anew._cells[hour].names)
        assert np.array_equal(cells.counts[:, left], anew._cells[hour].counts)


def test_outage_is_seen_by_the_look_after_it_and_only_what_is_new_is_read(kept: Kept) -> None:
    assert ("gmail", HOUR_11) not in kept.look()
    kept.read()
    kept.look()
    assert kept.read() == ["parts"]
    kept.ground.put(*OUTAGE)
    assert ("gmail", HOUR_11) in kept.look()
    assert kept.read() == ["parts", "cells"]
    kept.ground.store.run("OPTIMIZE TABLE counts FINAL")
    assert ("gmail", HOUR_11) in kept.look()
    assert kept.read() == ["parts"], "the merged part has what is known"


def test_provider_that_was_never_seen_before_is_one(kept: Kept) -> None:
    kept.look()
    kept.ground.put(*(row._replace(provider="new") for row in OUTAGE if row.provider == "gmail"))
    assert ("new", HOUR_11) in kept.look()


@pytest.mark.parametrize(
    "done", ["ALTER TABLE counts DELETE WHERE value = 'gmail' SETTINGS mutations_sync = 2", "TRUNCATE TABLE counts"]
)
def test_what_is_removed_by_hand_is_gone(kept: Kept, done: str) -> None:
    kept.ground.put(*OUTAGE)
    assert ("gmail", HOUR_11) in kept.look()
    kept.ground.store.run(done)
    assert ("gmail", HOUR_11) not in kept.look()
    kept.ground.put(*OUTAGE)
    assert ("gmail", HOUR_11) in kept.look()


@pytest.mark.parametrize("most", [0, 40, 150])
def test_of_hours_that_are_too_many_to_keep_the_store_is_asked(kept: Kept, most: int) -> None:
    kept.cells = FleetCells(kept.store, most)
    kept.ground.put(*OUTAGE)
    assert ("gmail", HOUR_11) in kept.look()
    kept.ground.put(*(row._replace(at=row.at - 2 * DAY) for row in OUTAGE), *traffic(3, 200, 3 * DAY))
    assert ("gmail", HOUR_11) in kept.look()
    assert sum(len(each.names) for each in kept.cells._cells.values()) <= 2 * most


def test_hours_go_by(kept: Kept) -> None:
    kept.ground.put(*OUTAGE, *(row._replace(at=row.at - 163 * HOUR) for row in OUTAGE))
    assert ("gmail", HOUR_11) in kept.look()
    assert ("gmail", HOUR_11) in kept.look(NOW + 30 * HOUR)
    assert min(kept.cells._cells) >= hours_before(NOW + 30 * HOUR, module.KEPT_H)


def test_failed_query_loses_nothing(kept: Kept) -> None:
    kept.look()
    kept.ground.put(*OUTAGE)
    for failing in ("NOT IN {known", "GROUP BY _part"):
        kept.store.failing = failing
        with pytest.raises(Exception, match="switched off"):
            kept.cells.candidates(HOURS, kept.usual, NOW)
    kept.store.failing = ""
    assert ("gmail", HOUR_11) in kept.look()
