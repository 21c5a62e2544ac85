"""Complaints without a date that come at once: who can tell of them, and who of the bad stays in sight. The cases of
`arrivals.toml`."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.incidents.arrivals import WeekMail, struck_by_arrivals

CASES = tomllib.loads(Path(__file__).with_name("arrivals.toml").read_text(encoding="utf-8"))["case"]


def mail(groups: list[dict[str, Any]]) -> dict[str, dict[str, WeekMail]]:
    """Four weeks as this one; of what complained in them all or nothing has a date."""
    found = {}
    for number, group in enumerate(groups):
        for place in range(group["count"]):
            found[f"c{number}-{place}"] = {
                provider: WeekMail(
                    week=week,
                    came=came,
                    before=4 * week * (not group.get("new", False)),
                    complained_before=group.get("before", 1),
                    undated_before=group.get("before", 1) * (not group.get("dated", False)),
                )
                for provider, (came, week) in group["at"].items()
            }
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    found = struck_by_arrivals(mail(case["group"]), "yahoo", {}, beside=case.get("beside", False))
    assert (found is not None) == case["found"]


def test_complaints_that_come_at_usual_rates_are_no_batch() -> None:
    chance = np.random.default_rng(1)
    for many in (5, 30, 200):
        for _ in range(60):
            week = (2_000 * np.exp(chance.normal(0, 1.2, many))).astype(int)
            came, before = chance.poisson(week / 7 * 0.0004), chance.poisson(week * 4 * 0.0004)
            some = {
                f"c{place}": {"yahoo": WeekMail(int(of), int(came[place]), int(4 * of), *[int(before[place])] * 2)}
                for place, of in enumerate(week)
            }
            assert struck_by_arrivals(some, "yahoo", {}) is None
