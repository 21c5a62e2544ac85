"""What everybody does is no spike of anybody: the fleets of `fleet.toml`, and laws."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from schemas.policy import load_policy
from streams.judge.fleet import AS_USUAL, LEAST_CUSTOMERS, FleetVolume, fleet_volume
from streams.judge.spikes import DAYS, FIRST_H, HOURS, baseline, exceeds, score
from streams.subjects.arrays import Counts
from tests.support.seasons import AFTER, BEFORE, DAY_MIN, Season, mail

CASES = tomllib.loads(Path(__file__).with_name("fleet.toml").read_text(encoding="utf-8"))["case"]
(RULE,) = (rule for rule in load_policy().rules if rule.metric == "volume_spike")
STEP_MIN = 60


class Look:
    """What is known of a fleet at a minute; `total` is what each had sent before each minute."""

    def __init__(self, total: Counts, minute: int) -> None:
        days = minute - DAY_MIN * np.arange(DAYS + 1)
        self.minutes = total[:, days] - total[:, days - 60]
        ends = 60 * np.arange(minute // 60 - FIRST_H + 1, minute // 60 + 1)
        self.hours = total[:, ends] - total[:, ends - 60]

    def told(self, row: int, fleet: FleetVolume) -> bool:
        """Whether a customer's last hour is told to be unusual."""
        volume = int(self.minutes[row, 0])
        usual = baseline(self.hours[row, :HOURS], fleet.before) if volume >= dict(RULE.checks)["1h"] else None
        if usual is None:
            return False
        usual = msgspec.structs.replace(usual, fleet=fleet.now)
        return exceeds(volume, usual, RULE) and score(volume, usual) >= RULE.thresholds[0]


def totals(volumes: Counts) -> Counts:
    return np.cumsum(np.pad(volumes, ((0, 0), (1, 0))), axis=1)


def looks(volumes: Counts) -> Iterator[tuple[int, Look]]:
    total = totals(volumes)
    for minute in range(BEFORE * DAY_MIN + 20, (BEFORE + AFTER) * DAY_MIN, STEP_MIN):
        yield minute, Look(total, minute)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    season = Season(case.get("times", 4.0), case.get("days", 4), case.get("spread", 0.2))
    volumes = mail(case["customers"], season, 7, case.get("at_hour"))
    volumes[: case.get("giants", 0), BEFORE * DAY_MIN :] *= 10
    volumes[: case.get("giants", 0)] *= 20
    unscaled, flagged = set[int](), set[int]()
    for _, look in looks(volumes):
        fleet = fleet_volume(look.minutes, look.hours)
        flagged |= {row for row in range(len(volumes)) if look.told(row, fleet)}
        unscaled |= {row for row in range(len(volumes)) if look.told(row, AS_USUAL)}
    assert len(flagged) <= case["flagged"]
    assert flagged == unscaled or not case.get("by_their_own_past")
    assert len(unscaled) >= case["unscaled"]
    if stolen := case.get("stolen"):
        three = (BEFORE + stolen["day"]) * DAY_MIN + 180
        usual = volumes[0, : BEFORE * DAY_MIN].mean()
        volumes[0, three : three + 60] = round(usual * stolen["times"])
        look = Look(totals(volumes), three + 60)
        assert look.told(0, fleet_volume(look.minutes, look.hours))


fleets = st.integers(0, 12).flatmap(
    lambda count: st.tuples(
        arrays.arrays(np.int64, (count, DAYS + 1), elements=st.integers(0, 5_000)),
        arrays.arrays(np.int64, (count, FIRST_H), elements=st.integers(0, 5_000), fill=st.integers(0, 100)),
    )
)


@settings(max_examples=50)
@given(fleets)
def test_law_fleet_is_never_below_its_usual(fleet: tuple[Counts, Counts]) -> None:
    found = fleet_volume(*fleet)
    assert 1.0 <= found.now < np.inf
    assert found.before.shape == (HOURS,)
    assert (found.before >= 1.0).all()


@settings(max_examples=50)
@given(fleets, st.integers(2, 50))
def test_law_one_customer_alone_never_raises_the_fleet_above_what_others_do(
    fleet: tuple[Counts, Counts], times: int
) -> None:
    """However much one sends, the fleet is at most where the next customer already is."""
    minutes, hours = fleet
    if len(minutes) < LEAST_CUSTOMERS:
        assert fleet_volume(minutes, hours).now >= 1.0
        return
    steady = np.full_like(minutes, 500)
    steady[0, 0] *= times
    assert fleet_volume(steady, np.full_like(hours, 500)).now == 1.0


@pytest.mark.parametrize(("customers", "expected"), [(LEAST_CUSTOMERS - 1, 1.0), (LEAST_CUSTOMERS, 3.0)])
def test_few_customers_are_no_fleet(customers: int, expected: float) -> None:
    minutes = np.full((customers, DAYS + 1), 100)
    minutes[:, 0] = 300
    assert fleet_volume(minutes, np.zeros((customers, FIRST_H), np.int64)).now == expected


def test_only_days_with_mail_are_compared() -> None:
    """A newsletter of Thursdays is measured by Thursdays."""
    minutes = np.zeros((10, DAYS + 1), np.int64)
    minutes[:, 7::7] = 1_000
    minutes[:, 0] = 4_000
    assert fleet_volume(minutes, np.zeros((10, FIRST_H), np.int64)).now == 4.0
