"""After a release a rule counts mail sent since; a number of listings must exceed what it was."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import SubjectCounts, WindowCounts
from schemas.policy import Policy
from schemas.policy_metric import Metric
from schemas.policy_rule import Levels, Rule
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.alerts.lifecycle import AlertState, Release
from streams.alerts.release import in_force, judged_since, since
from streams.judge.verdict import judge
from streams.subjects.totals import begin

NOW_MS = 1_767_225_600_007
BAD = WindowCounts(delivered=700, hard=300, critical_listings=2)
FINE = WindowCounts(delivered=5_000, hard=10, critical_listings=2)
NOTHING_YET = WindowCounts(critical_listings=2)


def rule(metric: Metric, **fields: Any) -> Rule:
    levels = Levels(critical=1) if metric == "critical_listing" else Levels(watch=0.01, excessive=0.05)
    return Rule(name=metric, metric=metric, windows=("1h", "24h"), levels=levels, **fields)


POLICY = Policy(rules=(rule("failure"), rule("block"), rule("critical_listing")), windows=("1h", "24h"))


def counted(windows: WindowCounts) -> SubjectCounts:
    return SubjectCounts(customer="acme", scope="customer", windows={"1h": windows, "24h": windows})


def released(rule: str, hours: float, number: int = 0) -> dict[str, AlertState]:
    state = AlertState(
        customer="acme",
        scope="customer",
        rule=rule,
        level="good",
        episode=1,
        transition=3,
        opened_ms=0,
        changed_ms=0,
        released=Release(time_ms=NOW_MS - int(hours * HOUR_MS), number=number),
    )
    return {rule: state}


def levels(fresh: WindowCounts, states: dict[str, AlertState], all_mail: WindowCounts = BAD) -> dict[str, str]:
    subject = counted(all_mail)
    judgement = judge(subject, POLICY, NOW_MS)
    found = judged_since(subject, judgement, counted(fresh), states, POLICY)
    return {each.rule: each.level for each in found.verdicts} | {"standing": found.standing}


def test_rule_judges_mail_since_the_release_alone() -> None:
    assert levels(FINE, {})["failure"] == "excessive"
    assert levels(FINE, released("failure", 1))["failure"] == "good"
    assert levels(NOTHING_YET, released("failure", 1))["failure"] == "good"


def test_what_is_sent_after_the_release_is_judged_as_ever() -> None:
    assert levels(BAD, released("failure", 1), FINE)["failure"] == "excessive"


def test_other_rules_judge_all_mail() -> None:
    assert levels(FINE, released("block", 1))["failure"] == "excessive"


def test_standing_follows() -> None:
    fine = msgspec.structs.replace(FINE, critical_listings=0)
    bad = msgspec.structs.replace(BAD, critical_listings=0)
    assert levels(fine, released("failure", 1), bad)["standing"] == "good"
    assert levels(fine, released("block", 1), bad)["standing"] == "excessive"


@pytest.mark.parametrize(("number", "level"), [(0, "critical"), (1, "critical"), (2, "good"), (3, "good")])
def test_listings_must_exceed_what_they_were(number: int, level: str) -> None:
    """Those of before the release are in force still."""
    assert levels(FINE, released("critical_listing", 1, number))["critical_listing"] == level


@pytest.mark.parametrize(("hours", "expected"), [(0, True), (23.9, True), (24.1, False)])
def test_release_is_over_with_the_longest_window(hours: float, *, expected: bool) -> None:
    (state,) = released("failure", hours).values()
    assert in_force(state.released, POLICY.rules[0], NOW_MS) is expected
    assert (levels(FINE, {"failure": state})["failure"] == "good") is expected


def test_burn_is_compared_with_the_whole_period() -> None:
    burn = Rule(
        name="burn",
        metric="failure_burn",
        windows=("1h",),
        levels=Levels(excessive=3),
        allowance=0.05,
        period="30d",
        min_volume=100,
    )
    policy = Policy(rules=(burn,), windows=("1h", "30d"))
    month = WindowCounts(delivered=50_000)
    subject = SubjectCounts(customer="acme", scope="customer", windows={"1h": BAD, "30d": month})
    half = WindowCounts(delivered=350, hard=150)
    fresh = SubjectCounts(customer="acme", scope="customer", windows={"1h": half, "30d": half})
    found = judged_since(subject, judge(subject, policy, NOW_MS), fresh, released("burn", 0.5), policy)
    assert found.verdicts[0].numerator == 150
    assert found.verdicts[0].rate == pytest.approx(150 / 50_000 * 720 / 0.05)


LENGTHS = st.sampled_from([5 * MINUTE_MS, HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS])


@given(LENGTHS, st.integers(0, 40 * DAY_MS), st.integers(0, DAY_MS))
def test_no_window_reaches_back_beyond_the_release(length_ms: int, ago_ms: int, later_ms: int) -> None:
    now_ms = NOW_MS + later_ms
    release_ms = now_ms - ago_ms
    found = since(length_ms, release_ms, now_ms)
    assert found <= length_ms
    assert begin(found, now_ms) * 1000 >= release_ms or ago_ms == 0


@given(LENGTHS, st.integers(0, 40 * DAY_MS))
def test_hardly_any_mail_since_the_release_is_left_out(length_ms: int, ago_ms: int) -> None:
    """No more than the minute, or hour, in which windows of that length begin."""
    found = since(length_ms, NOW_MS - ago_ms, NOW_MS)
    assert found == length_ms or ago_ms - found <= (HOUR_MS if ago_ms > DAY_MS else MINUTE_MS) + 1_000
