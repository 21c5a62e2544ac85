"""What is usual at a time of day, and how unusual an hour is."""

from statistics import median

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.counts import SubjectCounts, VolumeBaseline, WindowCounts
from schemas.policy import Policy
from schemas.policy_rule import Levels, Rule
from streams.judge.spikes import DAYS, FIRST_H, HOURS, baseline, score
from streams.judge.verdict import RANK, Verdict, judge
from streams.subjects.arrays import Counts

#: The hours of a baseline end a day ago: this is the place of the clock hour in which the last 60 minutes begin.
BEGIN = HOURS - 2
SPIKE = Policy(
    rules=(
        Rule(
            name="volume_spike",
            metric="volume_spike",
            windows=("1h",),
            min_volume=100,
            levels=Levels(watch=3, warning=10),
            resolve_ratio=0.5,
        ),
    ),
    windows=("1h",),
)


def hours(**volumes: int) -> Counts:
    """A baseline's hours: `all` everywhere, others by their places (`h648`)."""
    found = np.full(HOURS, volumes.pop("all", 0), np.int64)
    for place, volume in volumes.items():
        found[int(place[1:])] = volume
    return found


def daily(place: int, *volumes: int) -> Counts:
    """So much at one hour of each day, the last day last."""
    found = np.zeros(HOURS, np.int64)
    for back, volume in enumerate(reversed(volumes)):
        found[place - 24 * back] = volume
    return found


def said(volume: int, usual: VolumeBaseline | None, rule: Rule = SPIKE.rules[0]) -> Verdict:
    windows = {"1h": WindowCounts(delivered=volume)}
    subject = SubjectCounts(customer="acme", scope="customer", windows=windows, baseline=usual)
    return judge(subject, msgspec.structs.replace(SPIKE, rules=(rule,)), 0).verdicts[0]


def test_usual_is_what_was_sent_in_the_two_clock_hours_of_each_day() -> None:
    steady = baseline(hours(all=1000))
    assert steady == VolumeBaseline(median=2000, mad=0, largest=2000, days=DAYS, burst=1000)
    at_begin, at_end = daily(BEGIN, *[500] * DAYS), daily(BEGIN + 1, *[700] * DAYS)
    assert baseline(at_begin + at_end) == VolumeBaseline(median=1200, mad=0, largest=1200, days=DAYS, burst=1200)
    elsewhere = baseline(daily(BEGIN - 5, *[500] * 37))
    assert elsewhere is not None and (elsewhere.median, elsewhere.largest) == (0, 500)


def test_hours_read_are_those_of_37_days_that_ended_a_day_ago() -> None:
    # 37 days and an hour before the running hour begins, to the end of the hour a day before it.
    assert FIRST_H == 37 * 24 + 1
    assert FIRST_H - HOURS == 24 - 1


def test_half_of_the_days_may_be_anything() -> None:
    usual = baseline(daily(BEGIN, *[1000] * 19, *[90_000] * 17))
    assert usual is not None and (usual.median, usual.mad) == (1000, 0)


@given(st.lists(st.integers(0, 10_000), min_size=DAYS, max_size=DAYS))
def test_median_and_deviation_are_those_of_the_days(volumes: list[int]) -> None:
    usual = baseline(daily(BEGIN, *volumes) + hours(h0=1))
    assert usual is not None
    days = [volumes[0] + 1, *volumes[1:]]
    assert usual.median == median(days)
    assert usual.mad == median([abs(each - usual.median) for each in days])
    assert usual.days == DAYS


@pytest.mark.parametrize(("days", "known"), [(0, False), (1, False), (28, False), (30, False), (31, True), (37, True)])
def test_a_whole_month_of_mail_before_the_last_day_is_needed(days: int, known: bool) -> None:
    usual = baseline(daily(BEGIN, *[1000] * days))
    assert (usual is not None) == known
    if usual is not None:
        assert usual.days == days


def test_a_monthly_mailing_is_no_spike() -> None:
    """From one first Tuesday to the next lie 35 days; in between goes a trickle. Of 2,000 monthly senders of more than
    1,000 recipients 43 % were warned in a month where only 28 days were known."""
    trickle = hours(all=2)
    trickle[BEGIN - 34 * 24 : BEGIN - 34 * 24 + 1] = 4_600
    assert said(5_000, baseline(trickle)).level == "good"
    assert said(50_000, baseline(trickle)).level == "warning"


def test_days_before_the_first_mail_are_no_days_without_mail() -> None:
    usual = baseline(daily(BEGIN, *[1000] * 36))
    assert usual == VolumeBaseline(median=1000, mad=0, largest=1000, days=36, burst=1000)


def test_more_bounces_than_mail_in_an_hour_is_no_mail() -> None:
    usual = baseline(hours(all=1000, h100=-50_000))
    assert usual is not None and usual.largest == 2000
    assert baseline(hours(all=-5)) is None


@pytest.mark.parametrize(
    ("usual", "volume", "expected"),
    [
        ((2000, 0), 4000, 5.0),  # a fifth of the median
        ((2000, 1000), 4000, 2000 / 1482.6),  # 1.4826 MAD
        ((16, 0), 24, 2.0),  # the root of the median
        ((0, 0), 500, 500.0),  # one recipient
        ((2000, 100), 1999, 0.0),  # no less than usual is unusual
    ],
)
def test_score_is_measured_by_the_largest_of_the_scales(
    usual: tuple[float, float], volume: int, expected: float
) -> None:
    found = score(volume, VolumeBaseline(median=usual[0], mad=usual[1], largest=0, days=28))
    assert found == pytest.approx(expected)


STEADY = VolumeBaseline(median=200, mad=0, largest=300, days=28)


def test_verdict_tells_volume_what_is_usual_and_score() -> None:
    found = said(1000, STEADY)
    assert (found.level, found.threshold, found.window, found.insufficient_volume) == ("warning", 10, "1h", False)
    assert (found.numerator, found.denominator) == (1000, 200)
    assert found.rate == found.lower == found.upper == 20.0
    assert (found.confidence, found.baseline) == (1.0, STEADY)


def test_usual_is_scaled_by_what_the_fleet_does() -> None:
    mailings = VolumeBaseline(median=200, mad=50, largest=300, days=28, burst=300, fleet=4.0)
    assert (said(1_200, mailings).level, said(1_200, mailings).denominator) == ("good", 800)
    assert said(2_400, mailings).level == "good"  # not more than 2 * 4 * 300
    assert said(2_401, mailings).rate == pytest.approx((2_401 - 800) / (1.4826 * 4 * 50))
    assert said(2_401, mailings).level == "watch"
    around_the_clock = msgspec.structs.replace(mailings, burst=150)
    assert said(1_201, around_the_clock).level == "good"
    assert said(2_000, around_the_clock).level == "watch"


def test_what_the_fleet_sent_more_is_no_part_of_what_is_usual() -> None:
    sale = np.ones(HOURS)
    sale[-96:] = 4.0
    assert baseline(hours(all=1000) * sale.astype(np.int64), sale) == baseline(hours(all=1000))


def test_spike_exceeds_the_busiest_hours_by_the_factor() -> None:
    assert said(600, STEADY).level == "good"
    assert said(601, STEADY).level == "warning"
    wide = msgspec.structs.replace(SPIKE.rules[0], factor=3.0)
    assert said(900, STEADY, wide).level == "good"
    assert said(901, STEADY, wide).level == "warning"


def test_spike_holds_down_to_the_resolve_ratio_of_score_and_factor() -> None:
    assert said(401, STEADY).holding_level == "warning"  # a score of 5.03, and more than 1 * 300
    assert said(399, STEADY).holding_level == "watch"
    assert said(300, STEADY).holding_level == "good"  # a score of 2.5, but not more than 300
    assert said(301, STEADY).holding_level == "watch"


def test_without_history_or_volume_nobody_is_judged() -> None:
    for found in (said(1_000_000, None), said(99, VolumeBaseline(median=0, mad=0, largest=0, days=28))):
        assert (found.level, found.holding_level, found.insufficient_volume) == ("good", "good", True)


def test_volume_that_is_judged_makes_nobody_good_who_is_too_small_for_every_rate() -> None:
    rate = Rule(name="failure", metric="failure", windows=("1h",), min_volume=5_000, levels=Levels(warning=0.1))
    both = msgspec.structs.replace(SPIKE, rules=(*SPIKE.rules, rate))
    windows = {"1h": WindowCounts(delivered=400)}
    subject = SubjectCounts(customer="acme", scope="customer", windows=windows, baseline=STEADY)
    assert judge(subject, both, 0).standing == "insufficient_volume"


usuals = st.builds(
    VolumeBaseline,
    median=st.floats(0, 100_000),
    mad=st.floats(0, 50_000),
    largest=st.integers(0, 200_000),
    days=st.integers(31, 37),
    burst=st.integers(0, 200_000),
    fleet=st.floats(1, 50),
)


@given(usuals, st.integers(0, 1_000_000), st.integers(1, 1_000_000))
def test_law_more_volume_never_improves_a_verdict(usual: VolumeBaseline, volume: int, more: int) -> None:
    before, after = said(volume, usual), said(volume + more, usual)
    assert RANK[after.level] >= RANK[before.level]
    assert RANK[after.holding_level] >= RANK[before.holding_level]


@given(usuals, st.integers(0, 1_000_000), st.floats(1, 50))
def test_law_more_mail_of_the_fleet_never_makes_a_verdict_worse(
    usual: VolumeBaseline, volume: int, fleet: float
) -> None:
    more = msgspec.structs.replace(usual, fleet=usual.fleet * fleet)
    assert RANK[said(volume, more).level] <= RANK[said(volume, usual).level]


@given(usuals, st.integers(0, 1_000_000))
def test_law_what_opens_also_holds(usual: VolumeBaseline, volume: int) -> None:
    found = said(volume, usual)
    assert RANK[found.level] <= RANK[found.holding_level]


@given(usuals, st.integers(0, 1_000_000), st.integers(1, 1_000))
def test_law_so_many_times_the_business_never_turns_a_spike_into_none(
    usual: VolumeBaseline, volume: int, factor: int
) -> None:
    """Where everything is larger, the floor of one recipient and the root of the median weigh less."""
    larger = VolumeBaseline(
        median=usual.median * factor,
        mad=usual.mad * factor,
        largest=usual.largest * factor,
        days=usual.days,
        burst=usual.burst * factor,
        fleet=usual.fleet,
    )
    before, after = said(volume, usual), said(volume * factor, larger)
    assert after.rate >= before.rate * (1 - 1e-9)
