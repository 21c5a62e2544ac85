"""What is said of a customer's counts: worked cases, and the laws."""

import random
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import Observed, SubjectCounts, VolumeBaseline, WindowCounts
from schemas.event import EventType, MailEvent
from schemas.levels import LEVELS
from schemas.policy import Policy, load_policy
from schemas.policy_override import Override
from schemas.policy_rule import Levels, Rule
from streams.judge.certainty import MARGIN, bar_of, lower_bound, reaches, upper_bound
from streams.judge.verdict import RANK, Judgement, Verdict, judge, measured
from tests.support.counted import counted, event

POLICY = load_policy()
CASES = tomllib.loads(Path(__file__).with_name("verdict.toml").read_text(encoding="utf-8"))["case"]
CASE_FIELDS = {
    *(
        "name",
        "all",
        "windows",
        "standing",
        "expect",
        "insufficient_volume",
        "unobservable",
        "min_observable",
        "window",
        "expired_is_failure",
        "also",
        "baseline",
    ),
}


def subject(windows: dict[str, WindowCounts], scope: str = "customer") -> SubjectCounts:
    return SubjectCounts(customer="acme", scope=scope, windows=windows)


def one_rule(**changes: Any) -> Policy:
    fields: dict[str, Any] = {
        "name": "complaint",
        "metric": "complaint",
        "windows": ("24h",),
        "min_volume": 100,
        "levels": Levels(watch=0.001, warning=0.002, excessive=0.01, critical=0.05),
    }
    return Policy(rules=(Rule(**(fields | changes)),))


def complaints(numerator: int, denominator: int, policy: Policy) -> Verdict:
    counts = WindowCounts(fbl_complained=numerator, fbl_delivered=denominator)
    return judge(subject({"24h": counts}), policy, 0).verdicts[0]


def by_rule(judgement: Judgement) -> dict[str, Verdict]:
    return {verdict.rule: verdict for verdict in judgement.verdicts}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_worked_case(case: dict[str, Any]) -> None:
    assert set(case) <= CASE_FIELDS
    everywhere = dict.fromkeys(POLICY.windows, case["all"]) if "all" in case else {}
    windows = msgspec.convert(everywhere | case.get("windows", {}), dict[str, WindowCounts])
    also = msgspec.convert(case.get("also", []), tuple[Rule, ...])
    policy = msgspec.structs.replace(
        POLICY, expired_is_failure=case.get("expired_is_failure", True), rules=POLICY.rules + also
    )
    if "min_observable" in case:
        policy = msgspec.structs.replace(policy, min_observable=case["min_observable"])
    usual = msgspec.convert(case.get("baseline"), VolumeBaseline | None)
    judgement = judge(msgspec.structs.replace(subject(windows), baseline=usual), policy, 0)
    verdicts = by_rule(judgement)
    good = dict.fromkeys(verdicts, "good")
    assert {rule: verdict.level for rule, verdict in verdicts.items()} == good | case.get("expect", {})
    assert judgement.standing == case["standing"]
    if "unobservable" in case:
        seen = {
            verdict.rule: [verdict.observed.window, verdict.observed.seen, verdict.observed.mail]
            for verdict in judgement.verdicts
            if verdict.unobservable and verdict.observed is not None
        }
        assert seen == case["unobservable"]
    if "insufficient_volume" in case:
        assert [rule for rule, verdict in verdicts.items() if verdict.insufficient_volume] == case[
            "insufficient_volume"
        ]
    for rule, window in case.get("window", {}).items():
        assert verdicts[rule].window == window


DAY = bar_of("24h", 0.92)


def test_more_complaints_than_deliveries_are_judged_as_all_of_them() -> None:
    verdict = complaints(1500, 1000, one_rule())
    assert (verdict.numerator, verdict.denominator, verdict.rate, verdict.upper) == (1500, 1000, 1.0, 1.0)
    assert verdict.level == "critical"


def test_verdict_tells_the_numbers_it_was_judged_by() -> None:
    assert complaints(70, 4000, one_rule()) == Verdict(
        rule="complaint",
        metric="complaint",
        level="excessive",
        holding_level="excessive",
        window="24h",
        numerator=70,
        denominator=4000,
        rate=0.0175,
        lower=lower_bound(70, 4000, DAY),
        upper=upper_bound(70, 4000, DAY),
        confidence=0.9963,
        threshold=0.01,
        insufficient_volume=False,
        observed=Observed(window="24h", seen=4000, mail=0),
    )


def test_level_opens_where_its_lower_bound_equals_all_but_the_margin() -> None:
    edge = lower_bound(60, 4000, DAY) / (1 - MARGIN)
    assert complaints(60, 4000, one_rule(levels=Levels(excessive=edge))).level == "excessive"
    above = edge * (1 + 1e-6)
    assert complaints(60, 4000, one_rule(levels=Levels(excessive=above))).level == "good"


def test_level_holds_down_to_the_resolve_mark_and_not_below() -> None:
    policy = one_rule(levels=Levels(excessive=0.01), resolve_ratio=0.5)
    assert complaints(50, 10_000, policy).holding_level == "excessive"
    assert complaints(49, 10_000, policy).holding_level == "good"


def test_level_opens_from_the_minimum_volume_on() -> None:
    assert complaints(50, 100, one_rule()).level == "critical"
    below = complaints(50, 99, one_rule())
    assert (below.level, below.holding_level, below.insufficient_volume) == ("good", "good", True)


def test_good_verdict_shows_the_mildest_threshold() -> None:
    assert complaints(0, 1000, one_rule()).threshold == 0.001


def test_number_of_listings_is_judged_without_interval() -> None:
    policy = one_rule(name="listed", metric="critical_listing", min_volume=0, levels=Levels(excessive=1, critical=3))
    found = {
        count: judge(subject({"24h": WindowCounts(critical_listings=count)}), policy, 0).verdicts[0]
        for count in (0, 1, 2, 3)
    }
    assert [found[count].level for count in found] == ["good", "excessive", "excessive", "critical"]
    two = found[2]
    assert (two.rate, two.lower, two.upper, two.denominator, two.confidence) == (2.0, 2.0, 2.0, 1, 1.0)


def test_listings_count_by_the_weights_of_the_rule_critical_and_major_if_it_has_none() -> None:
    counts = WindowCounts(listings_critical=1, listings_major=2, listings_minor=4, listings_informational=8)
    assert measured("listing_count", counts, True) == (3, 1)
    assert measured("listing_count", counts, True, ("minor", "informational")) == (12, 1)


def test_listed_hours_are_full_hours_added_up_over_the_lists() -> None:
    counts = WindowCounts(listed_s_critical=3_599, listed_s_major=1, listed_s_minor=7_199)
    assert measured("listed_hours", counts, True) == (1, 1)
    assert measured("listed_hours", counts, True, ("critical",)) == (0, 1)
    assert measured("listed_hours", counts, True, ("minor",)) == (1, 1)


def test_policy_with_counts_only_has_no_volume_to_miss() -> None:
    policy = one_rule(metric="critical_listing", min_volume=0, levels=Levels(critical=1))
    assert judge(subject({}), policy, 0).standing == "good"


def test_override_is_judged_by_while_it_is_in_force() -> None:
    lenient = Override(customer="acme", rule="complaint", reason="agreed", levels=Levels(excessive=0.5))
    policy = msgspec.structs.replace(one_rule(), overrides=(lenient,))
    counts = subject({"24h": WindowCounts(fbl_complained=70, fbl_delivered=4000)})
    other = SubjectCounts(customer="other", scope="customer", windows=counts.windows)
    assert judge(counts, policy, 0).standing == "good"
    assert judge(other, policy, 0).standing == "excessive"


def test_judgement_names_subject_time_and_policy() -> None:
    judgement = judge(subject({}, "stream:news"), POLICY, 1234)
    assert (judgement.customer, judgement.scope, judgement.now_ms) == ("acme", "stream:news", 1234)
    assert judgement.policy_version == POLICY.version
    assert [verdict.rule for verdict in judgement.verdicts] == [rule.name for rule in POLICY.rules]


def scaled(counts: WindowCounts, factor: int) -> WindowCounts:
    plain: dict[str, int] = msgspec.structs.asdict(counts)
    return WindowCounts(**{name: count * factor for name, count in plain.items()})


number = st.integers(0, 30) | st.integers(0, 3_000) | st.integers(0, 3_000_000)
window_counts = st.builds(
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
    listings_major=st.integers(0, 3),
    listed_s_minor=st.integers(0, 100_000),
)
subjects = st.builds(subject, st.dictionaries(st.sampled_from(POLICY.windows), window_counts))


#: As they are counted: each window is part of the next.
nested_windows = st.lists(
    st.tuples(number, st.integers(0, 200) | st.integers(0, 20_000)),
    min_size=len(POLICY.windows),
    max_size=len(POLICY.windows),
).map(
    lambda parts: {
        window: WindowCounts(
            delivered=sum(mail for mail, _ in parts[: place + 1]),
            fbl_delivered=sum(mail for mail, _ in parts[: place + 1]),
            hard=sum(bad for _, bad in parts[: place + 1]),
            fbl_complained=sum(bad for _, bad in parts[: place + 1]),
        )
        for place, window in enumerate(POLICY.windows)
    }
)
BURNS = Policy(
    windows=POLICY.windows,
    rules=tuple(
        Rule(
            name=metric,
            metric=metric,
            windows=("5m", "1h"),
            allowance=0.01,
            period="30d",
            min_volume=20,
            levels=Levels(watch=0.5, warning=3, excessive=14.4, critical=72),
            resolve_ratio=0.7,
        )
        for metric in ("complaint_burn", "failure_burn")
    ),
)


def burn_of(windows: dict[str, WindowCounts], metric: str = "complaint_burn") -> Verdict:
    return by_rule(judge(subject(windows), BURNS, 0))[metric]


@given(nested_windows, st.integers(0, 5), st.integers(1, 5_000))
def test_law_more_complaints_never_improve_a_burn(windows: dict[str, WindowCounts], since: int, more: int) -> None:
    """Those that came lately, and so are in every window from one on."""
    worse = {
        window: msgspec.structs.replace(each, fbl_complained=each.fbl_complained + more * (place >= since))
        for place, (window, each) in enumerate(windows.items())
    }
    before, after = burn_of(windows), burn_of(worse)
    assert RANK[after.level] >= RANK[before.level]
    assert RANK[after.holding_level] >= RANK[before.holding_level]


@given(nested_windows, st.integers(1, 5_000))
def test_law_more_failures_now_never_improve_a_burn(windows: dict[str, WindowCounts], more: int) -> None:
    worse = {window: msgspec.structs.replace(each, hard=each.hard + more) for window, each in windows.items()}
    before, after = burn_of(windows, "failure_burn"), burn_of(worse, "failure_burn")
    assert RANK[after.level] >= RANK[before.level]
    assert RANK[after.holding_level] >= RANK[before.holding_level]


@given(nested_windows, st.integers(1, 1_000))
def test_law_the_same_burn_of_more_mail_never_turns_bad_into_good(
    windows: dict[str, WindowCounts], factor: int
) -> None:
    larger = {window: scaled(each, factor) for window, each in windows.items()}
    before, after = burn_of(windows), burn_of(larger)
    assert after.rate == before.rate
    assert RANK[after.level] >= RANK[before.level]


@given(nested_windows, st.sampled_from(["complaint_burn", "failure_burn"]))
def test_law_a_burn_opens_only_where_every_window_alone_would_open(
    windows: dict[str, WindowCounts], metric: str
) -> None:
    """And only where the burn itself holds."""
    found = burn_of(windows, metric)
    assert RANK[found.level] <= RANK[found.holding_level]
    assert found.lower <= found.rate <= found.upper
    rule = next(each for each in BURNS.rules if each.metric == metric)
    alone = []
    for window in rule.windows:
        only = msgspec.structs.replace(rule, windows=(window,))
        alone.append(judge(subject(windows), msgspec.structs.replace(BURNS, rules=(only,)), 0).verdicts[0].level)
    assert found.level == min(alone, key=LEVELS.index)


def test_burn_holds_by_the_hour_while_the_minutes_come_and_go() -> None:
    hour = {"1h": WindowCounts(delivered=310, hard=75), "30d": WindowCounts(delivered=14_900, hard=100)}
    for minutes in ({"delivered": 0}, {"delivered": 150}, {"delivered": 1, "hard": 149}):
        found = judge(subject({"5m": WindowCounts(**minutes), **hour}), POLICY, 0)
        assert by_rule(found)["failure_burn"].holding_level == "excessive"


@pytest.mark.parametrize(
    ("hour", "level"),
    [
        ({"delivered": 310, "hard": 75}, "excessive"),
        ({"delivered": 325, "hard": 60}, "excessive"),  # 57.6 is 0.8 of 72
        ({"delivered": 326, "hard": 59}, "warning"),
        ({"delivered": 370, "hard": 15}, "good"),  # 14.4: but its rate is below 4 %
        ({"delivered": 359, "hard": 15}, "warning"),
        ({"delivered": 124, "hard": 75}, "good"),  # too little mail to hold
    ],
)
def test_burn_holds_down_to_its_resolve_marks(hour: dict[str, int], level: str) -> None:
    windows = {"1h": WindowCounts(**hour), "30d": WindowCounts(delivered=14_900, hard=100)}
    assert by_rule(judge(subject(windows), POLICY, 0))["failure_burn"].holding_level == level


@given(subjects)
def test_law_judging_twice_says_the_same(counts: SubjectCounts) -> None:
    assert judge(counts, POLICY, 0) == judge(counts, POLICY, 0)


kinds: st.SearchStrategy[tuple[EventType, bool]] = st.sampled_from(
    [("delivered", False), ("bounced", False), ("bounced", True), ("complained", False), ("expired", False)]
)


def window_of(events: list[MailEvent]) -> WindowCounts:
    """What events of one window count as; all are at a provider with a feedback loop."""
    totals = counted(*events)
    return WindowCounts(**totals, fbl_delivered=totals.get("delivered", 0), fbl_complained=totals.get("complained", 0))


@given(st.lists(st.tuples(kinds, st.integers(1, 40)), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_law_order_of_events_does_not_matter(
    runs: list[tuple[tuple[EventType, bool], int]], chance: random.Random
) -> None:
    events = [
        event(kind, id=f"{place}-{number}", asynchronous=late)
        for place, ((kind, late), times) in enumerate(runs)
        for number in range(times)
    ]
    shuffled = chance.sample(events, len(events))
    policy = one_rule(name="failure", metric="failure", min_volume=20)
    before, after = (judge(subject({"24h": window_of(each)}), policy, 0) for each in (events, shuffled))
    assert before == after


@given(subjects, st.randoms(use_true_random=False))
def test_law_order_of_rules_and_windows_does_not_matter(counts: SubjectCounts, chance: random.Random) -> None:
    rules = tuple(chance.sample(POLICY.rules, len(POLICY.rules)))
    windows = dict(chance.sample(list(counts.windows.items()), len(counts.windows)))
    before = judge(counts, POLICY, 0)
    after = judge(subject(windows), msgspec.structs.replace(POLICY, rules=rules), 0)
    assert by_rule(after) == by_rule(before)
    assert after.standing == before.standing


@given(subjects)
def test_law_what_opens_also_holds(counts: SubjectCounts) -> None:
    for verdict in judge(counts, POLICY, 0).verdicts:
        assert RANK[verdict.level] <= RANK[verdict.holding_level]


@given(subjects)
def test_law_bounds_enclose_the_rate(counts: SubjectCounts) -> None:
    for verdict in judge(counts, POLICY, 0).verdicts:
        assert verdict.denominator == 0 or verdict.lower <= verdict.rate <= verdict.upper


@given(subjects)
def test_law_level_is_the_highest_that_any_window_certainly_reaches(
    counts: SubjectCounts,
) -> None:
    """Of the windows with enough volume."""
    rule = next(each for each in POLICY.rules if each.name == "complaint")
    reached = {
        level
        for window, least in rule.checks
        if (seen := counts.windows.get(window, WindowCounts())).fbl_delivered >= least
        for level, threshold in rule.levels.given()
        if reaches(seen.fbl_complained, seen.fbl_delivered, threshold, bar_of(window, POLICY.confidence))
    }
    worst = max(reached, key=LEVELS.index, default="good")
    assert by_rule(judge(counts, POLICY, 0))["complaint"].level == worst


@given(subjects, st.sampled_from(POLICY.windows), st.integers(1, 5_000))
def test_law_more_complaints_never_improve_a_verdict(counts: SubjectCounts, window: str, more: int) -> None:
    before = counts.windows.get(window, WindowCounts())
    worse = msgspec.structs.replace(before, fbl_complained=before.fbl_complained + more)
    after = judge(subject({**counts.windows, window: worse}), POLICY, 0)
    assert_not_better(judge(counts, POLICY, 0), after, "complaint")


@given(subjects, st.sampled_from(POLICY.windows), st.integers(1, 5_000))
def test_law_more_failures_never_improve_a_verdict(counts: SubjectCounts, window: str, more: int) -> None:
    before = counts.windows.get(window, WindowCounts())
    worse = msgspec.structs.replace(before, hard=before.hard + more)
    after = judge(subject({**counts.windows, window: worse}), POLICY, 0)
    assert_not_better(judge(counts, POLICY, 0), after, "failure")


@given(subjects, st.integers(1, 1_000))
def test_law_the_same_rates_of_more_mail_never_turn_bad_into_good(counts: SubjectCounts, factor: int) -> None:
    larger = {window: scaled(each, factor) for window, each in counts.windows.items()}
    before, after = judge(counts, POLICY, 0), judge(subject(larger), POLICY, 0)
    for verdict in before.verdicts:
        assert_not_better(before, after, verdict.rule)


def assert_not_better(before: Judgement, after: Judgement, rule: str) -> None:
    old, new = by_rule(before)[rule], by_rule(after)[rule]
    assert RANK[new.level] >= RANK[old.level]
    assert RANK[new.holding_level] >= RANK[old.holding_level]


BLOCKED = Rule(
    name="blocked_there",
    metric="block",
    windows=("24h",),
    min_volume=100,
    levels=Levels(warning=0.2),
    providers=("microsoft",),
)


def at_microsoft(there: WindowCounts | None) -> SubjectCounts:
    everything = WindowCounts(delivered=10_000, block=90)
    by_provider: dict[tuple[str, ...], dict[str, WindowCounts]] = {("microsoft",): {"24h": there}} if there else {}
    return SubjectCounts(customer="acme", scope="customer", windows={"24h": everything}, by_provider=by_provider)


def test_rule_about_one_provider_judges_the_mail_to_it_alone() -> None:
    policy = Policy(rules=(BLOCKED,))
    said = judge(at_microsoft(WindowCounts(delivered=110, block=90)), policy, 0)
    assert (said.standing, said.verdicts[0].numerator, said.verdicts[0].denominator) == ("warning", 90, 200)


def test_who_sends_a_provider_too_little_is_not_judged_by_it() -> None:
    """And may be good otherwise."""
    general = Rule(name="block", metric="block", windows=("24h",), min_volume=200, levels=Levels(warning=0.1))
    for there in (None, WindowCounts(delivered=1, block=90)):
        said = judge(at_microsoft(there), Policy(rules=(general, BLOCKED)), 0)
        assert [verdict.insufficient_volume for verdict in said.verdicts] == [False, True]
        assert said.standing == "good"


def test_enough_mail_to_one_provider_alone_makes_nobody_good() -> None:
    subject = at_microsoft(WindowCounts(delivered=200))
    assert judge(subject, Policy(rules=(BLOCKED,)), 0).standing == "good", "no other rule could say more"
    general = Rule(name="block", metric="block", windows=("24h",), min_volume=20_000, levels=Levels(warning=0.1))
    assert judge(subject, Policy(rules=(general, BLOCKED)), 0).standing == "insufficient_volume"
