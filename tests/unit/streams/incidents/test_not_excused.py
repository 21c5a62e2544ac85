"""Who is bad beyond what an incident explains: the cases of `not_excused.toml`, and good ones by chance."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.policy import load_policy
from streams.incidents.accounts import CellCounts
from streams.incidents.not_excused import worse_in_another_way
from streams.incidents.policy_rates import excessive_rates

DEFAULT = excessive_rates(load_policy())
CASES = tomllib.loads(Path(__file__).with_name("not_excused.toml").read_text(encoding="utf-8"))["case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    cells = {
        f"{group['name']}-{number}": CellCounts(
            hard=group.get("hard", 0),
            block=group.get("block", 0),
            expired=group.get("expired", 0),
            complained=group.get("complained", 0),
            finished=group["finished"],
            delivered=group["finished"] - sum(group.get(each, 0) for each in ("hard", "block", "expired")),
        )
        for group in case["group"]
        for number in range(group["count"])
    }
    waiting = {f"{group['name']}-{number}" for group in case["group"] for number in range(group.get("waiting", 0))}
    found = worse_in_another_way(case["outcome"], cells, DEFAULT, cells.keys() - waiting)
    assert {who.partition("-")[0] for who in found} == set(case["found"])


def test_good_ones_are_excused_whatever_an_incident_does_to_them() -> None:
    """How hard it strikes each differs, and so do their own rates, up to thrice what a good one has."""
    chance = np.random.default_rng(3)
    for _ in range(300):
        rate = float(chance.uniform(0.1, 0.98))
        cells = {}
        for number in range(int(chance.integers(3, 40))):
            finished = int(chance.lognormal(6, 1.5))
            expired = int(chance.binomial(finished, min(rate * float(chance.lognormal(0, 0.3)), 0.99)))
            hard = int(chance.binomial(finished - expired, min(0.015 * float(chance.gamma(5, 1 / 5)), 0.045)))
            block = int(chance.binomial(finished - expired - hard, 0.02))
            cells[f"c{number}"] = CellCounts(hard, block, expired, 0, finished, finished - expired - hard - block)
        assert not worse_in_another_way("expired", cells, DEFAULT, cells.keys())


def test_who_is_found_depends_on_what_is_excessive() -> None:
    others = {f"good-{number}": CellCounts(1, 0, 240, 0, 400, 159) for number in range(8)}
    cells = {**others, "list": CellCounts(80, 0, 1200, 0, 2000, 720)}
    assert set(worse_in_another_way("expired", cells, {"hard": 0.05}, ())) == {"list"}
    assert not worse_in_another_way("expired", cells, {"hard": 0.15}, ())
    assert not worse_in_another_way("expired", cells, {}, ())
