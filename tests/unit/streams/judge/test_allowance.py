"""The room that is left: exactly so many more open the next level, and one less does not."""

from itertools import accumulate
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.counts import SubjectCounts, WindowCounts
from schemas.levels import LEVELS, Level
from schemas.policy import Policy, load_policy
from schemas.policy_rule import Levels, Rule
from streams.judge.allowance import Allowance, allowance
from streams.judge.verdict import RANK, judge, measured

POLICY = load_policy()
#: Those of listings are not in the default policy.
ALSO: tuple[Rule, ...] = tuple(
    Rule(name=metric, metric=metric, windows=("24h", "7d"), levels=Levels(warning=2, excessive=9))
    for metric in ("listing_count", "listed_hours", "attributed_listing")
)
RULES = {rule.name: rule for rule in POLICY.rules + ALSO}


def complaint_rule(**changes: Any) -> Rule:
    fields: dict[str, Any] = {
        "name": "complaint",
        "metric": "complaint",
        "windows": ("24h", "7d"),
        "min_volume": 1000,
        "levels": Levels(warning=0.001, excessive=0.003),
    }
    return Rule(**(fields | changes))


def complaints(numerator: int, denominator: int) -> WindowCounts:
    return WindowCounts(fbl_complained=numerator, fbl_delivered=denominator)


def left(rule: Rule, windows: dict[str, WindowCounts], above: Level = "good") -> Allowance | None:
    return allowance(rule, windows, POLICY.confidence, POLICY.expired_is_failure, above)


# Within a day 8 of 1,000 are the fewest that warn, 11 the fewest that are excessive.
@pytest.mark.parametrize(
    ("counted", "above", "more", "level"),
    [
        (0, "good", 8, "warning"),
        (7, "good", 1, "warning"),
        (8, "warning", 3, "excessive"),
        (10, "warning", 1, "excessive"),
        (13, "warning", 0, "excessive"),
    ],
)
def test_room_is_the_difference_to_the_fewest_that_open_the_level(
    counted: int, above: Level, more: int, level: Level
) -> None:
    found = left(complaint_rule(), {"24h": complaints(counted, 1000)}, above)
    assert found == Allowance(remaining=more, level=level, window="24h")


def test_window_that_gives_way_first_is_named() -> None:
    found = left(complaint_rule(), {"24h": complaints(0, 1000), "7d": complaints(20, 20_000)})
    assert found == Allowance(remaining=8, level="warning", window="24h")
    found = left(complaint_rule(), {"24h": complaints(0, 10_000), "7d": complaints(30, 20_000)})
    assert found is not None and found.window == "7d"


def test_nothing_is_left_to_say_above_the_last_level() -> None:
    assert left(complaint_rule(), {"24h": complaints(50, 1000)}, "excessive") is None
    assert left(complaint_rule(), {"24h": complaints(50, 1000)}, "critical") is None


def test_too_little_mail_has_no_allowance() -> None:
    assert left(complaint_rule(), {"24h": complaints(5, 999)}) is None
    assert left(complaint_rule(), {}) is None


def test_threshold_that_so_little_mail_can_never_reach_has_no_allowance() -> None:
    rule = complaint_rule(min_volume=1, levels=Levels(critical=0.9))
    assert left(rule, {"24h": complaints(0, 10)}) is None
    assert left(rule, {"24h": complaints(0, 1000)}) is not None


def test_listings_are_counted_to_the_threshold() -> None:
    rule = Rule(
        name="listed", metric="critical_listing", windows=("1h",), levels=Levels(warning=1, excessive=3, critical=5)
    )
    assert left(rule, {"1h": WindowCounts(critical_listings=1)}, "warning") == Allowance(
        remaining=2, level="excessive", window="1h"
    )
    assert left(rule, {}) == Allowance(remaining=1, level="warning", window="1h")


def test_burn_gives_way_last_in_the_window_that_needs_most() -> None:
    # 2 % of what 30 d allow (5 % of 60,000) are 60 failures in an hour, 5 in 5 minutes; there 10 of 100 are certain.
    counted = {
        "5m": WindowCounts(delivered=98, hard=2),
        "1h": WindowCounts(delivered=440, hard=10),
        "30d": WindowCounts(delivered=59_990, hard=10),
    }
    assert left(RULES["failure_burn"], counted) == Allowance(remaining=50, level="warning", window="1h")
    assert left(RULES["failure_burn"], {**counted, "5m": WindowCounts(delivered=90)}) is None


def plus(one: WindowCounts, other: WindowCounts) -> WindowCounts:
    return WindowCounts(**{name: getattr(one, name) + getattr(other, name) for name in WindowCounts.__struct_fields__})


number = st.integers(0, 50) | st.integers(0, 5_000) | st.integers(0, 5_000_000)
counts = st.builds(
    WindowCounts,
    delivered=number,
    hard=number,
    soft=number,
    block=number,
    expired=number,
    fbl_delivered=number,
    fbl_complained=number,
    exposed=number,
    sent=number,
    critical_listings=st.integers(0, 2),
    listings_critical=st.integers(0, 2),
    listed_s_major=st.integers(0, 30_000),
    attributed_listings=st.integers(0, 2),
)
windows = st.dictionaries(st.sampled_from(POLICY.windows), counts)
#: As they are counted: each window is part of the next.
nested = st.lists(counts, min_size=len(POLICY.windows), max_size=len(POLICY.windows)).map(
    lambda parts: dict(zip(POLICY.windows, accumulate(parts, plus), strict=True))
)
#: One more of each numerator with the denominator as it is: a late bounce follows a delivery.
ONE_MORE = {
    "complaint": {"fbl_complained": 1},
    "failure": {"hard": 1, "late_hard": 1},
    "block": {"block": 1, "late_block": 1},
    "exposure": {"exposed": 1},
    "failure_burn": {"hard": 1, "late_hard": 1},
    "critical_listing": {"critical_listings": 1},
    "listing_count": {"listings_major": 1},
    "listed_hours": {"listed_s_critical": 3_600},
    "attributed_listing": {"attributed_listings": 1},
}


def with_more(rule: Rule, counted: dict[str, WindowCounts], more: int) -> SubjectCounts:
    worse = {}
    for window in POLICY.windows:
        before = counted.get(window, WindowCounts())
        added = {name: getattr(before, name) + more * one for name, one in ONE_MORE[rule.name].items()}
        worse[window] = msgspec.structs.replace(before, **added)
        assert measured(rule.metric, worse[window], True)[1] == measured(rule.metric, before, True)[1]
    return SubjectCounts(customer="acme", scope="customer", windows=worse)


def test_room_of_a_spike_is_not_said() -> None:
    assert left(RULES["volume_spike"], {"1h": WindowCounts(delivered=5_000)}) is None


@given(st.sampled_from(sorted(ONE_MORE)), windows | nested)
def test_law_exactly_so_many_more_open_the_next_level(name: str, counted: dict[str, WindowCounts]) -> None:
    rule = RULES[name]
    alone = Policy(rules=(rule,), windows=POLICY.windows)

    def level(more: int) -> Level:
        return judge(with_more(rule, counted, more), alone, 0).verdicts[0].level

    now = level(0)
    found = left(rule, counted, now)
    assume(found is not None)
    assert found is not None
    assert found.remaining > 0
    assert RANK[found.level] > RANK[now]
    assert RANK[level(found.remaining)] >= RANK[found.level]
    assert level(found.remaining - 1) == now


@given(st.sampled_from(sorted(ONE_MORE)), windows | nested, st.sampled_from(LEVELS))
def test_law_no_allowance_means_that_no_number_opens_a_worse_level(
    name: str, counted: dict[str, WindowCounts], above: Level
) -> None:
    rule = RULES[name]
    assume(left(rule, counted, above) is None)
    worst = (
        judge(with_more(rule, counted, 100_000_000), Policy(rules=(rule,), windows=POLICY.windows), 0).verdicts[0].level
    )
    assert RANK[worst] <= RANK[above]
