"""What operators decided of a customer is judged by: no worse than the level they set, until its time is over."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from schemas.counts import SubjectCounts, WindowCounts
from schemas.levels import LEVELS, Level
from schemas.policy import Policy, load_policy
from schemas.policy_override import Override
from schemas.policy_rule import Levels
from streams.decisions.overrides import Cap, StoredOverride, for_plans, with_stored
from streams.judge.verdict import RANK, judge

POLICY = load_policy()
NOW = 1_773_300_000_000
CAPS: tuple[Cap, ...] = ("none", "watch", "warning", "excessive", "critical")


def decided(at_most: Cap, **changes: object) -> StoredOverride:
    fields: dict[str, object] = {
        "id": "0a1b",
        "customer": "acme",
        "stream": "",
        "rule": "failure",
        "at_most": at_most,
        "until_ms": NOW + 1000,
        "by": "Ida",
        "why": "list under review",
        "since_ms": NOW - 1000,
    }
    return StoredOverride(**(fields | changes))  # type: ignore[arg-type]


def level(
    stored: list[StoredOverride],
    hard: int = 500,
    scope: str = "customer",
    at_ms: int = NOW,
    policy: object = POLICY,
    rule: str = "failure",
) -> Level:
    counts = WindowCounts(delivered=1_000 - hard, hard=hard, critical_listings=1)
    subject = SubjectCounts(customer="acme", scope=scope, windows={"24h": counts, "1h": counts})
    merged = with_stored(policy, stored, at_ms)  # type: ignore[arg-type]
    return next(each.level for each in judge(subject, merged, at_ms).verdicts if each.rule == rule)


@pytest.mark.parametrize(
    ("at_most", "hard", "expected"),
    [
        ("none", 500, "good"),
        ("none", 1_000, "good"),
        ("watch", 500, "good"),  # the rule has no watch
        ("warning", 500, "warning"),
        ("excessive", 500, "excessive"),
        ("critical", 500, "critical"),
        ("excessive", 60, "warning"),
        ("excessive", 10, "good"),
    ],
)
def test_level_is_no_worse_than_decided(at_most: Cap, hard: int, expected: Level) -> None:
    assert level([decided(at_most)], hard) == expected


@given(st.sampled_from(CAPS), st.integers(0, 1_000))
def test_law_no_rate_holds_a_level_worse_than_decided(at_most: Cap, hard: int) -> None:
    """Not even one at which nearly all fails: it would hold what never opens, while the override is in force."""
    counts = WindowCounts(delivered=1_000 - hard, hard=hard)
    subject = SubjectCounts(customer="acme", scope="customer", windows={"24h": counts})
    merged = with_stored(POLICY, [decided(at_most)], NOW)
    verdict = next(each for each in judge(subject, merged, NOW).verdicts if each.rule == "failure")
    worst: Level = msgspec.convert("good" if at_most in ("none", "watch") else at_most, Level)
    assert RANK[verdict.level] <= RANK[verdict.holding_level] <= RANK[worst]


def test_listings_can_be_overridden_too() -> None:
    assert level([], rule="critical_listing") == "critical"
    assert level([decided("none", rule="critical_listing")], rule="critical_listing") == "good"


def test_burn_can_be_overridden_too() -> None:
    burning = SubjectCounts(
        customer="acme",
        scope="customer",
        windows=dict.fromkeys(("5m", "1h", "30d"), WindowCounts(delivered=500, hard=500)),
    )

    def said(stored: list[StoredOverride]) -> Level:
        judged = judge(burning, with_stored(POLICY, stored, NOW), NOW).verdicts
        return next(each.level for each in judged if each.rule == "failure_burn")

    assert said([]) == "excessive"
    assert said([decided("warning", rule="failure_burn")]) == "warning"
    assert said([decided("none", rule="failure_burn")]) == "good"


def test_decision_counts_from_when_it_was_made_until_its_time_is_over() -> None:
    one = [decided("none")]
    times = (NOW - 1001, NOW - 1000, NOW + 999, NOW + 1000)
    assert [level(one, at_ms=at) for at in times] == ["critical", "good", "good", "critical"]


def test_decision_about_a_customer_counts_for_its_streams() -> None:
    """One about a stream counts for that stream alone."""
    assert level([decided("none")], scope="stream:news") == "good"
    of_stream = [decided("none", stream="news")]
    assert [level(of_stream, scope=scope) for scope in ("customer", "stream:news", "stream:receipts")] == [
        "critical",
        "good",
        "critical",
    ]


def test_decision_about_a_customer_precedes_the_policys_override_of_a_stream() -> None:
    """What an operator decided takes precedence over what the policy file says, however narrow that is."""
    own = Override(customer="acme", stream="news", rule="failure", reason="strict", levels=Levels(critical=0.01))
    policy = msgspec.structs.replace(POLICY, overrides=(own,))
    assert level([], 50, "stream:news", policy=policy) == "critical"
    assert level([decided("excessive")], 50, "stream:news", policy=policy) == "good"


def test_the_last_decision_counts() -> None:
    first, second = decided("none"), decided("warning", id="2", since_ms=NOW - 10)
    assert level([first, second]) == level([second, first]) == "warning"


def test_levels_are_those_of_the_policys_own_override_while_that_is_in_force() -> None:
    lenient = Override(
        customer="acme",
        rule="failure",
        reason="agreed",
        levels=Levels(warning=0.4, critical=0.45),
        until=datetime.fromtimestamp(NOW / 1000 + 0.5, UTC),
    )
    policy = msgspec.structs.replace(POLICY, overrides=(lenient,))
    assert level([decided("warning")], 300, policy=policy) == "good"
    assert level([decided("warning")], 500, policy=policy) == "warning"
    assert level([decided("warning")], 300, policy=policy, at_ms=NOW + 600) == "warning"


def test_others_and_rules_that_are_not_there_are_left_as_they_are() -> None:
    assert level([decided("none", customer="rival")]) == "critical"
    assert with_stored(POLICY, [decided("none", rule="gone")], NOW) is POLICY


def test_policy_keeps_its_version() -> None:
    merged = with_stored(POLICY, [decided("none")], NOW)
    assert merged != POLICY
    assert merged.version == POLICY.version


@given(st.sampled_from(CAPS), st.integers(0, 1_000), st.sampled_from(["customer", "stream:news"]))
def test_law_a_decision_never_makes_a_level_worse_nor_worse_than_it_says(at_most: Cap, hard: int, scope: str) -> None:
    before, after = level([], hard, scope), level([decided(at_most)], hard, scope)
    assert RANK[after] <= RANK[before]
    assert RANK[after] <= (0 if at_most == "none" else LEVELS.index(at_most))


def plan_override(**changes: object) -> Override:
    fields: dict[str, object] = {
        "plan": "free", "rule": "failure", "reason": "trial accounts", "levels": Levels(excessive=0.02),
    }  # fmt: skip
    return Override(**(fields | changes))  # type: ignore[arg-type]


def failure_at(policy: Policy, customer: str, scope: str = "customer") -> dict[str, float]:
    rule = next(each for each in policy.rules_for(customer, scope, NOW) if each.name == "failure")
    return {level: threshold for level, threshold, _ in rule.ladder}


def test_override_of_a_plan_is_that_of_each_customer_who_has_it() -> None:
    policy = for_plans(POLICY.with_overrides((plan_override(),)), {"acme": "free", "beta": "pro"})
    assert failure_at(policy, "acme") == {"excessive": 0.02}
    assert failure_at(policy, "beta") == failure_at(POLICY, "beta")
    (found,) = policy.overrides_for("acme", "customer", NOW)
    assert found.reason == "trial accounts (plan free)"
    assert policy.version == POLICY.version


def test_customers_own_override_takes_precedence_over_its_plans() -> None:
    own = plan_override(plan=UNSET, customer="acme", levels=Levels(excessive=0.07))
    for of_plan in (plan_override(), plan_override(stream="news")):
        policy = for_plans(POLICY.with_overrides((of_plan, own)), {"acme": "free"})
        assert failure_at(policy, "acme", "stream:news") == {"excessive": 0.07}


def test_override_of_a_plans_stream_is_about_that_stream_only() -> None:
    policy = for_plans(POLICY.with_overrides((plan_override(stream="news"),)), {"acme": "free"})
    assert failure_at(policy, "acme", "stream:news") == {"excessive": 0.02}
    assert failure_at(policy, "acme") == failure_at(POLICY, "acme")


def test_override_of_a_plan_without_its_customers_changes_nothing() -> None:
    unknown = POLICY.with_overrides((plan_override(),))
    assert failure_at(unknown, "acme") == failure_at(for_plans(unknown, {}), "acme") == failure_at(POLICY, "acme")


def test_policy_without_overrides_of_plans_stays_the_same() -> None:
    assert for_plans(POLICY, {"acme": "free"}) is POLICY
