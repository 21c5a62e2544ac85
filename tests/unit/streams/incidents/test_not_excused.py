"""Who is bad beyond what an incident explains: the cases of `not_excused.toml`, and good ones by chance."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from schemas.policy import Policy, load_policy
from schemas.policy_rule import Levels, Rule
from streams.incidents.accounts import CellCounts
from streams.incidents.not_excused import excessive_rates, worse_in_another_way

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
    found = worse_in_another_way(case["outcome"], cells, DEFAULT)
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
        assert not worse_in_another_way("expired", cells, DEFAULT)


def policy(*rules: Rule, expired_is_failure: bool = True) -> Policy:
    return msgspec.structs.replace(load_policy(), rules=rules, expired_is_failure=expired_is_failure)


def rule(name: str, metric: Any, levels: Levels, **more: Any) -> Rule:
    return Rule(name=name, metric=metric, windows=("1h",), levels=levels, **more)


class TestExcessiveRates:
    def test_they_are_those_of_the_policy_in_force(self) -> None:
        assert DEFAULT == {"hard": 0.05, "expired": 0.05, "block": 0.25, "complained": 0.003}
        strict = policy(
            rule("failure", "failure", Levels(warning=0.01, excessive=0.02, critical=0.04)),
            rule("failure_of_a_day", "failure", Levels(excessive=0.03)),
        )
        assert excessive_rates(strict) == {"hard": 0.02, "expired": 0.02}

    def test_mail_given_up_counts_only_where_it_is_a_failure(self) -> None:
        assert excessive_rates(policy(rule("f", "failure", Levels(excessive=0.02)), expired_is_failure=False)) == {
            "hard": 0.02
        }

    def test_rules_for_some_providers_and_rules_that_only_warn_say_nothing(self) -> None:
        some = policy(
            rule("to_gmail", "failure", Levels(excessive=0.01), providers=("gmail",)),
            rule("block", "block", Levels(warning=0.1)),
            rule("complaint", "complaint", Levels(critical=0.004)),
        )
        assert excessive_rates(some) == {"complained": 0.004}

    def test_who_is_found_depends_on_it(self) -> None:
        others = {f"good-{number}": CellCounts(1, 0, 240, 0, 400, 159) for number in range(8)}
        cells = {**others, "list": CellCounts(80, 0, 1200, 0, 2000, 720)}
        assert set(worse_in_another_way("expired", cells, {"hard": 0.05})) == {"list"}
        assert not worse_in_another_way("expired", cells, {"hard": 0.15})
        assert not worse_in_another_way("expired", cells, {})
