"""Screening many subjects at once says what judging each of them would say."""

from dataclasses import replace
from typing import Any, get_args

import msgspec
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.counts import VolumeBaseline, WindowCounts
from schemas.policy import Policy, load_policy
from schemas.policy_metric import Metric
from schemas.policy_rule import Levels, Rule
from streams.judge import screen as screening
from streams.judge.screen import screen
from streams.judge.verdict import judge
from streams.judge.verdict import measured as measured_one
from streams.subjects.arrays import FIELDS, Counts, Subjects
from streams.subjects.total_queries import READ

POLICY = load_policy()
WITHOUT_EXPIRED = msgspec.structs.replace(POLICY, expired_is_failure=False)
LISTINGS_ONLY = Policy(rules=tuple(rule for rule in POLICY.rules if rule.metric == "critical_listing"))
#: Metrics, and what else their rules say.
MORE: list[tuple[Metric, dict[str, Any]]] = [
    ("listing_count", {}),
    ("listing_count", {"weights": ("minor", "informational")}),
    ("listed_hours", {}),
    ("listed_hours", {"weights": ("minor",)}),
    ("attributed_listing", {"min_share": 0.8}),
    ("new_from_domain", {"least_mail": 50}),
]
EVERY_METRIC = msgspec.structs.replace(
    POLICY,
    rules=(
        *POLICY.rules,
        Rule(
            name="burn",
            metric="complaint_burn",
            windows=("1h", "24h"),
            allowance=0.001,
            period="30d",
            min_volume=20,
            levels=Levels(watch=0.5),
        ),
        *(
            Rule(name=metric, metric=metric, windows=("24h", "7d"), min_volume=100, levels=Levels(warning=0.01))
            for metric in ("unsubscribe", "unwanted", "sms_gateway", "unregistered_from")
        ),
        Rule(name="reported", metric="reported_spam", windows=("24h", "7d"), levels=Levels(watch=0.001, warning=0.003)),
        Rule(
            name="at_some",
            metric="failure",
            windows=("24h", "7d"),
            min_volume=100,
            levels=Levels(warning=0.01),
            providers=("microsoft", "gmail"),
        ),
        Rule(
            name="burning_at_one",
            metric="complaint_burn",
            windows=("1h", "24h"),
            allowance=0.001,
            period="30d",
            min_volume=20,
            levels=Levels(watch=0.5),
            providers=("yahoo",),
        ),
        *(
            Rule(name=f"more{place}", metric=metric, windows=("1h", "7d"), levels=Levels(watch=2), **more)
            for place, (metric, more) in enumerate(MORE)
        ),
    ),
)
SPIKES_ONLY = Policy(rules=tuple(rule for rule in POLICY.rules if rule.metric == "volume_spike"))
number = st.integers(0, 30) | st.integers(0, 3_000) | st.integers(0, 3_000_000)
#: Around the thresholds of the default policy: 1 complaint in 1,000, 3 failures in 100.
near = st.sampled_from([0, 1, 3, 6, 10, 29, 30, 31, 199, 200, 500, 999, 1_000, 1_001])
fields = st.fixed_dictionaries(
    {name: st.integers(0, 1) if "listings" in name or "new" in name else number | near for name in FIELDS}
)


def nested(parts: list[dict[str, int]]) -> dict[str, dict[str, int]]:
    """Each window is part of the next, as they are counted."""
    found: dict[str, dict[str, int]] = {}
    total = dict.fromkeys(FIELDS, 0)
    for window, part in zip(POLICY.windows, parts, strict=True):
        total = {name: total[name] + part[name] for name in FIELDS}
        found[window] = total
    return found


BURNING = Policy(
    windows=POLICY.windows,
    rules=(
        Rule(
            name="burn",
            metric="failure_burn",
            windows=("5m", "1h"),
            allowance=0.01,
            period="30d",
            min_volume=20,
            levels=Levels(watch=0.5, excessive=14.4),
        ),
    ),
)


usuals = st.none() | st.builds(
    VolumeBaseline,
    median=st.integers(0, 2_000).map(float),
    mad=st.integers(0, 500).map(float),
    largest=st.integers(0, 3_000),
    days=st.just(28),
)


def table(
    windows: dict[str, dict[str, int]],
    usual: VolumeBaseline | None = None,
    by_provider: dict[tuple[str, ...], dict[str, dict[str, int]]] | None = None,
) -> Subjects:
    def counts(given_windows: dict[str, dict[str, int]]) -> Counts:
        found = np.zeros((1, len(POLICY.windows), len(FIELDS)), np.int64)
        for name, given_fields in given_windows.items():
            found[0, POLICY.windows.index(name)] = [given_fields[field] for field in FIELDS]
        return found

    return Subjects(
        ["acme"],
        ["customer"],
        POLICY.windows,
        counts(windows),
        {} if usual is None else {0: usual},
        {group: counts(some) for group, some in (by_provider or {}).items()},
    )


ONLY_AT_SOME = Policy(rules=tuple(rule for rule in EVERY_METRIC.rules if rule.mail_to), windows=EVERY_METRIC.windows)
some_windows = st.dictionaries(st.sampled_from(POLICY.windows), fields)


@given(
    st.dictionaries(st.sampled_from(POLICY.windows), fields)
    | st.lists(fields, min_size=len(POLICY.windows), max_size=len(POLICY.windows)).map(nested),
    st.sampled_from([POLICY, WITHOUT_EXPIRED, LISTINGS_ONLY, EVERY_METRIC, BURNING, SPIKES_ONLY, ONLY_AT_SOME]),
    usuals,
    st.dictionaries(st.sampled_from([("microsoft", "gmail"), ("yahoo",)]), some_windows),
)
@example({}, LISTINGS_ONLY, None, {})
def test_unremarkable_subject_is_good_by_every_rule_and_as_often_too_small(
    windows: dict[str, dict[str, int]],
    policy: Policy,
    usual: VolumeBaseline | None,
    by_provider: dict[tuple[str, ...], dict[str, dict[str, int]]],
) -> None:
    subjects = table(windows, usual, by_provider)
    (remarkable,), (insufficient_volume,), unobservable = screen(subjects, policy)
    judgement = judge(subjects.one(0), policy, 0)
    assert remarkable or {verdict.level for verdict in judgement.verdicts} == {"good"}
    assert remarkable or judgement.standing == ("insufficient_volume" if insufficient_volume else "good")
    hidden = {name for name, (row,) in unobservable.items() if row}
    marked = {verdict.rule for verdict in judgement.verdicts if verdict.unobservable}
    assert remarkable or hidden == marked
    assert marked <= hidden


@given(fields)
def test_numerators_and_denominators_are_those_of_a_single_judgement(given_fields: dict[str, int]) -> None:
    one = WindowCounts(**given_fields)
    counts = np.array([[given_fields[field] for field in FIELDS]])
    for rule in EVERY_METRIC.rules:
        top, bottom = screening.measured(rule.metric, counts, True, rule.counted_weights)
        assert (top[0], bottom[0]) == measured_one(rule.metric, one, True, rule.counted_weights)


def test_every_metric_is_among_those_compared() -> None:
    assert {rule.metric for rule in EVERY_METRIC.rules} == set(get_args(Metric))


def test_rate_surely_at_the_threshold_is_remarkable() -> None:
    """22 of 1,000 within a day are surely 1 %, one less is not."""
    rule = Rule(name="complaint", metric="complaint", windows=("24h",), min_volume=100, levels=Levels(warning=0.01))
    policy = Policy(rules=(rule,))
    blank = dict.fromkeys(FIELDS, 0)
    for complained, expected in ((21, False), (22, True)):
        subjects = table({"24h": {**blank, "fbl_delivered": 1_000, "fbl_complained": complained}})
        assert list(screen(subjects, policy).remarkable) == [expected]


def test_burn_at_the_threshold_is_remarkable_where_every_window_burns() -> None:
    blank = dict.fromkeys(FIELDS, 0)

    def remarkable(minutes: int, hour: int) -> bool:
        windows = {
            "5m": {**blank, "delivered": 100 - minutes, "hard": minutes},
            "1h": {**blank, "delivered": 450 - hour, "hard": hour},
            "30d": {**blank, "delivered": 60_000},
        }
        only = msgspec.structs.replace(
            POLICY, rules=tuple(each for each in POLICY.rules if each.metric == "failure_burn")
        )
        return bool(screen(table(windows), only).remarkable[0])

    assert remarkable(minutes=20, hour=60)
    assert not remarkable(minutes=20, hour=59)
    assert not remarkable(minutes=4, hour=60)


def test_spike_is_remarkable_where_it_is_known_what_is_usual() -> None:
    usual = VolumeBaseline(median=2000, mad=100, largest=2400, days=28)
    blank = dict.fromkeys(FIELDS, 0)
    for delivered, known, expected in ((4801, usual, True), (4800, usual, False), (4801, None, False)):
        subjects = table({"1h": {**blank, "delivered": delivered}}, known)
        assert list(screen(subjects, SPIKES_ONLY).remarkable) == [expected]


def test_window_that_is_not_read_is_an_empty_one() -> None:
    blank = dict.fromkeys(FIELDS, 0)
    subjects = table({"1h": {**blank, "delivered": 10_000}})
    hour = POLICY.windows.index("1h")
    short = replace(subjects, windows=("1h",), counts=subjects.counts[:, hour : hour + 1])
    assert (
        screen(short, POLICY).insufficient_volume.tolist()
        == screen(subjects, POLICY).insufficient_volume.tolist()
        == [False]
    )


def test_fields_read_from_provider_rows_are_the_first_fields_of_a_window() -> None:
    assert FIELDS[: len(READ)] == READ
