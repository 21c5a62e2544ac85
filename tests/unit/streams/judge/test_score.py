"""Scores: 100 is best, nobody's rises by more complaints, each says its level, and too little mail has none."""

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.counts import SubjectCounts, WindowCounts
from schemas.policy import Policy, load_policy
from schemas.policy_override import Override
from schemas.policy_rule import Levels, Rule
from streams.judge.certainty import about_lower, bar_of
from streams.judge.score import AT_THRESHOLD, COMPONENT_OF, COMPONENTS, SCORES, ladder, score_of
from streams.judge.verdict import RANK, judge

POLICY = load_policy()
WINDOWS = ("1h", "24h", "7d", "15d", "30d")
COUNTS = st.builds(
    WindowCounts,
    delivered=st.integers(0, 20_000),
    hard=st.integers(0, 3_000),
    block=st.integers(0, 3_000),
    expired=st.integers(0, 100),
    fbl_delivered=st.integers(0, 20_000),
    fbl_complained=st.integers(0, 300),
    sent=st.integers(0, 20_000),
    exposed=st.integers(0, 20_000),
    critical_listings=st.integers(0, 3),
)


def subject(counts: WindowCounts, window: str = "24h") -> SubjectCounts:
    return SubjectCounts(customer="acme", scope="customer", windows={window: counts})


def said(policy: Policy = POLICY, **counts: int) -> dict[str, int | None]:
    return score_of(subject(WindowCounts(**counts)), policy)


def test_spotless_mail_has_the_best_score_in_all_components() -> None:
    assert said(delivered=500_000, fbl_delivered=200_000, sent=50_000) == dict.fromkeys(SCORES, 100)


def test_little_spotless_mail_proves_less_than_much() -> None:
    """One complaint more is expected in as much as has one at the threshold: 1 in 1,500, 6,000, 61,000."""
    scored = [said(delivered=each, fbl_delivered=each)["complaints"] for each in (500, 5_000, 60_000)]
    assert scored == [80, 95, 100]


def test_unseen_sender_is_below_a_proven_one() -> None:
    """60,000 messages to a provider without a feedback loop, and 60,000 to one with."""
    unseen, proven = said(delivered=60_000), said(delivered=60_000, fbl_delivered=60_000, fbl_complained=6)
    assert (unseen["complaints"], unseen["overall"]) == (None, 71)
    assert (proven["complaints"], proven["overall"]) == (97, 97)
    hardly = said(delivered=60_000, fbl_delivered=2_999)
    assert (hardly["complaints"], hardly["overall"]) == (None, 71)


def test_too_little_mail_has_no_score_rather_than_the_best() -> None:
    assert said(delivered=50, fbl_delivered=20) == dict.fromkeys(SCORES, None)
    assert score_of(SubjectCounts(customer="acme", scope="customer", windows={}), POLICY) == dict.fromkeys(SCORES, None)


def test_component_without_enough_mail_has_none_and_the_others_count() -> None:
    found = said(delivered=5_000, hard=400, fbl_delivered=100, fbl_complained=50)
    assert found["complaints"] is None
    assert found["overall"] == found["failures"] != 100


def test_overall_is_the_worst_component() -> None:
    found = said(delivered=50_000, hard=5_000, fbl_delivered=20_000, fbl_complained=30)
    assert found["overall"] == min(each for name, each in found.items() if each is not None and name != "overall")
    assert found["overall"] == found["failures"]


def test_listing_counts_even_where_no_rate_has_enough_mail() -> None:
    listed = SubjectCounts(customer="acme", scope="customer", windows={"1h": WindowCounts(critical_listings=1)})
    found = score_of(listed, POLICY)
    assert (found["blacklisting"], found["overall"], found["complaints"]) == (15, 15, None)


def test_class_has_no_score_of_blacklisting() -> None:
    """Nobody knows which class used what is listed."""
    spotless = WindowCounts(delivered=500_000, fbl_delivered=200_000, sent=50_000)
    found = score_of(SubjectCounts(customer="acme", scope="class:bulk", windows={"24h": spotless}), POLICY)
    assert found == {**dict.fromkeys(SCORES, 100), "blacklisting": None}


def test_worst_window_counts() -> None:
    bad, good = WindowCounts(delivered=9_000, hard=1_500), WindowCounts(delivered=90_000, hard=1_500)
    both = SubjectCounts(customer="acme", scope="customer", windows={"24h": bad, "7d": good})
    assert score_of(both, POLICY)["failures"] == score_of(subject(bad), POLICY)["failures"]


@pytest.mark.parametrize(
    ("levels", "rates", "marks"),
    [
        ({"warning": 0.001, "excessive": 0.003}, [0, 0.001, 0.003, 0.006], [100, 70, 40, 15]),
        ({"warning": 0.25}, [0, 0.25, 0.5], [100, 70, 40]),
        ({"watch": 0.01, "critical": 0.1}, [0, 0.01, 0.1, 0.2], [100, 85, 15, 0]),
    ],
)
def test_score_runs_along_the_thresholds_in_straight_lines(
    levels: dict[str, float], rates: list[float], marks: list[float]
) -> None:
    rule = Rule(name="failure", metric="failure", windows=("24h",), levels=msgspec.convert(levels, Levels))
    assert ladder(rule) == (rates, marks)


def test_scores_are_the_documented_ones() -> None:
    """The example of docs/score.md."""
    found = said(delivered=24_000, fbl_delivered=12_000, fbl_complained=30, hard=500)
    assert found == {"overall": 66, "complaints": 66, "failures": 80, "blocks": 100, "blacklisting": 100}
    lower = float(about_lower(np.array([30]), np.array([12_000]), bar_of("24h", POLICY.confidence))[0])
    assert found["complaints"] == int(np.ceil(70 - 30 * (lower - 0.001) / 0.002))


def test_overrides_change_no_score() -> None:
    lenient = Override(customer="acme", rule="failure", reason="agreed", levels=Levels(critical=0.9))
    excused = msgspec.structs.replace(POLICY, overrides=(lenient,))
    assert said(excused, delivered=900, hard=300) == said(delivered=900, hard=300)


def test_every_component_has_a_metric() -> None:
    assert set(COMPONENT_OF.values()) == set(COMPONENTS)


@given(COUNTS, st.sampled_from(["fbl_complained", "exposed", "critical_listings"]), st.integers(1, 500))
def test_law_more_of_what_is_bad_never_raises_a_score(counts: WindowCounts, field: str, more: int) -> None:
    before = score_of(subject(counts), POLICY)
    worse = score_of(subject(msgspec.structs.replace(counts, **{field: getattr(counts, field) + more})), POLICY)
    for name in SCORES:
        assert after_is_no_better(before[name], worse[name])


@given(COUNTS, st.sampled_from(["hard", "block", "expired"]), st.integers(1, 500))
def test_law_a_failure_in_the_place_of_a_delivery_never_raises_a_score(
    counts: WindowCounts, field: str, more: int
) -> None:
    fewer = min(more, counts.delivered)
    changed = {field: getattr(counts, field) + fewer, "delivered": counts.delivered - fewer}
    before = score_of(subject(counts), POLICY)
    worse = score_of(subject(msgspec.structs.replace(counts, **changed)), POLICY)
    for name in ("failures", "blocks"):
        assert after_is_no_better(before[name], worse[name])


def after_is_no_better(before: int | None, after: int | None) -> bool:
    """What had a score keeps one, and it does not rise."""
    return before is None or (after is not None and after <= before)


@given(COUNTS)
def test_law_scores_are_whole_numbers_from_0_to_100_and_overall_is_the_worst(counts: WindowCounts) -> None:
    found = score_of(subject(counts), POLICY)
    given_ = [each for name, each in found.items() if name != "overall" and each is not None]
    assert all(0 <= each <= 100 for each in given_)
    assert (found["overall"] is None) == (not given_)
    assert found["overall"] is None or found["overall"] <= min(given_)


@pytest.mark.parametrize("seen", [0.0, 0.04, 0.06, 0.34, 1.0])
def test_law_more_mail_of_which_a_part_is_seen_never_lowers_a_score(seen: float) -> None:
    """At 500 recipients the rate became one that cannot be observed, and the mail that was seen no longer counted."""
    sizes = [*range(100, 1_000, 25), *range(1_000, 20_000, 1_000)]
    found = []
    for size in sizes:
        counts = WindowCounts(delivered=size, fbl_delivered=round(seen * size))
        windows = dict.fromkeys(POLICY.windows, counts)
        found.append(score_of(SubjectCounts(customer="acme", scope="customer", windows=windows), POLICY)["overall"])
    known = [each for each in found if each is not None]
    assert known == sorted(known)
    assert (found[-1] or 0) > 71 if seen > 0.05 else found[-1] == 71


#: A rate's counts over nested windows, of which each has so many times the mail of the one before.
RATES = st.tuples(
    st.integers(1, 2_000), st.integers(0, 60), st.lists(st.integers(1, 6), min_size=5, max_size=5), st.integers(2, 40)
)


def of_rate(failed: int, total: int, growth: list[int]) -> dict[str, WindowCounts]:
    """The same rate in every window."""
    times, found = 1, {}
    for window, more in zip(WINDOWS, growth, strict=True):
        times *= more
        found[window] = WindowCounts(
            delivered=total * times, hard=0, fbl_delivered=total * times, fbl_complained=failed * times
        )
    return found


@given(RATES)
@example((500, 0, [1, 1, 30, 1, 1], 2))
def test_law_more_of_the_same_moves_a_score_towards_its_true_rate(
    rate: tuple[int, int, list[int], int],
) -> None:
    total, failed, growth, times = rate
    few = SubjectCounts(customer="acme", scope="customer", windows=of_rate(failed, total, growth))
    many = msgspec.structs.replace(few, windows=of_rate(failed * times, total * times, growth))
    (mildest,) = (rule.thresholds[0] for rule in POLICY.rules if rule.name == "complaint")
    before, after = score_of(few, POLICY), score_of(many, POLICY)
    for name in ("complaints", "overall"):
        first, then = before[name], after[name]
        if first is None or then is None:
            assert first is None
        elif failed < mildest * total:
            assert then >= first
        else:
            assert then <= first


@given(COUNTS, st.floats(0, 1))
def test_law_what_is_not_seen_is_never_better_than_what_is_proven(counts: WindowCounts, part: float) -> None:
    """Of the same mail more is seen, without a complaint."""
    unseen = msgspec.structs.replace(counts, fbl_complained=0, fbl_delivered=round(part * counts.delivered / 2))
    proven = msgspec.structs.replace(unseen, fbl_delivered=counts.delivered)
    before, after = score_of(subject(unseen), POLICY), score_of(subject(proven), POLICY)
    assert before["overall"] is None or (after["overall"] is not None and before["overall"] <= after["overall"])


@given(COUNTS, st.sampled_from(["24h", "1h"]))
@example(WindowCounts(delivered=10_001, fbl_delivered=500, fbl_complained=7), "24h")  # less than a twentieth is seen
def test_law_a_score_says_the_level_that_the_judge_opens(counts: WindowCounts, window: str) -> None:
    one = subject(counts, window)
    found = score_of(one, POLICY)
    for verdict in judge(one, POLICY, 0).verdicts:
        rule = next(each for each in POLICY.rules if each.name == verdict.rule)
        said_by_rule = score_of(one, msgspec.structs.replace(POLICY, rules=(rule,)))["overall"]
        if said_by_rule is None:
            assert verdict.level == "good"
            continue
        for level, mark in AT_THRESHOLD.items():
            if level in dict(rule.levels.given()):
                assert (RANK[verdict.level] >= RANK[level]) == (said_by_rule <= mark)
    if judge(one, POLICY, 0).standing == "insufficient_volume":
        assert found["overall"] is None
