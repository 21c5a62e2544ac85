"""What a policy would have done: what judging at each full hour says, and how two policies differ."""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.counts import SubjectCounts, WindowCounts
from schemas.levels import Level
from schemas.policy import Brake, Policy, load_policy
from schemas.policy_metric import RATES, window_ms
from schemas.policy_override import Override
from schemas.policy_rule import Levels, Rule
from schemas.times import HOUR_MS, HOUR_S
from streams.alerts.lifecycle import AlertState, Transition, step
from streams.judge.spikes import FIRST_H, HOURS, baseline
from streams.judge.verdict import judge
from streams.subjects.arrays import FIELD_INDEX, FIELDS, Counts, StreamKey
from streams.subjects.undated import KINDS, spread, to_read
from streams.what_if.backtest import History, OwnListing, each_rule, hours_of, transitions
from streams.what_if.compare import Difference, LevelSpan, differences, spans

POLICY = load_policy()
BEGIN = 1_773_300_000 // HOUR_S * HOUR_S
COUNTED_HOURLY = ("delivered", "hard", "block", "expired", "fbl_delivered", "fbl_complained", "sent", "exposed")


def rule(name: str = "failure", **changes: object) -> Rule:
    fields: dict[str, object] = {
        "name": name,
        "metric": "failure",
        "windows": ("1h", "3h"),
        "min_volume": 100,
        "levels": Levels(warning=0.03, excessive=0.1),
        "hold_minutes": 60,
    }
    return Rule(**(fields | changes))  # type: ignore[arg-type]


SMALL = Policy(rules=(rule(),), windows=("1h", "3h"))


def hourly(*hours: dict[str, int]) -> Counts:
    found = np.zeros((1, len(hours), len(FIELDS)), np.int64)
    for place, counted in enumerate(hours):
        for name, number in counted.items():
            found[0, place, FIELD_INDEX[name]] = number
    return found


def history(counts: Counts, first: int = 1, **listings: list[OwnListing]) -> History:
    return History(["acme"], ["customer"], BEGIN, first, counts, listings)


def reported(found: list[Transition]) -> list[tuple[int, str, Level]]:
    """Hours after the beginning, kind, level."""
    return [((each.time_ms // 1000 - BEGIN) // HOUR_S, each.kind, each.level) for each in found]


GOOD = {"delivered": 400}
BAD = {"delivered": 300, "hard": 100}


def test_alert_opens_at_the_end_of_the_hour_and_resolves_when_it_left_every_window() -> None:
    (found,) = transitions(history(hourly(GOOD, GOOD, BAD, GOOD, GOOD, GOOD, GOOD, GOOD)), [SMALL])
    # Bad is the third hour. The 3 h window has it until the end of the fifth; it is left an hour (the hold) after that.
    assert reported(found) == [(3, "opened", "excessive"), (7, "resolved", "good")]


def test_what_was_bad_before_the_first_step_opens_there() -> None:
    (found,) = transitions(history(hourly(GOOD, BAD, GOOD, GOOD), first=3), [SMALL])
    assert reported(found)[0] == (3, "opened", "warning")


def test_second_episode_is_one_of_its_own() -> None:
    hours = [BAD, *[GOOD] * 6, BAD, *[GOOD] * 6]
    (found,) = transitions(history(hourly(*hours)), [SMALL])
    assert [(each.episode, each.kind) for each in found] == [
        (1, "opened"),
        (1, "resolved"),
        (2, "opened"),
        (2, "resolved"),
    ]


def test_hours_without_mail_are_hours_too() -> None:
    (found,) = transitions(history(hourly(BAD, *[{}] * 6)), [SMALL])
    assert reported(found) == [(1, "opened", "excessive"), (5, "resolved", "good")]


def test_override_counts_until_it_ends() -> None:
    until = datetime.fromtimestamp(BEGIN + 4 * HOUR_S, UTC)
    lenient = Override(customer="acme", rule="failure", reason="agreed", levels=Levels(excessive=0.9), until=until)
    policy = Policy(rules=(rule(),), windows=("1h", "3h"), overrides=(lenient,))
    (found,) = transitions(history(hourly(*[BAD] * 6)), [policy])
    assert reported(found) == [(4, "opened", "excessive")]


def test_override_that_is_stricter_than_the_rule_is_followed() -> None:
    strict = Override(customer="acme", rule="failure", reason="trial", levels=Levels(critical=0.001), min_volume=10)
    policy = Policy(rules=(rule(),), windows=("1h", "3h"), overrides=(strict,))
    (found,) = transitions(history(hourly({"delivered": 92, "hard": 8})), [policy])
    assert reported(found) == [(1, "opened", "critical")]


def test_scopes_that_a_policy_does_not_judge_are_left_out() -> None:
    counts = np.concatenate([hourly(BAD), hourly(BAD)])
    both = History(["acme", "acme"], ["customer", "stream:news"], BEGIN, 1, counts)
    only = Policy(rules=(rule(),), windows=("1h", "3h"), scopes=("stream",))
    found = transitions(both, [SMALL, only])
    assert [[each.scope for each in said] for said in found] == [["customer", "stream:news"], ["stream:news"]]


def test_own_critical_listing_counts_while_it_lasts_and_the_window_longer() -> None:
    listed = rule("listed", metric="critical_listing", windows=("1h",), min_volume=0, levels=Levels(critical=1))
    policy = Policy(rules=(listed,), windows=("1h",))
    listing = OwnListing(BEGIN + HOUR_S + 60, BEGIN + 3 * HOUR_S)
    (found,) = transitions(history(hourly(*[GOOD] * 8), acme=[listing]), [policy])
    assert reported(found) == [(2, "opened", "critical"), (5, "resolved", "good")]
    assert transitions(history(hourly(*[GOOD] * 8), rival=[listing]), [policy]) == [[]]


@pytest.mark.parametrize(("window", "hours"), [("1m", 1), ("60m", 1), ("61m", 2), ("24h", 24), ("30d", 720)])
def test_windows_are_whole_hours(window: str, hours: int) -> None:
    assert hours_of(window) == hours


def test_rules_that_two_policies_share_are_equal_by_themselves() -> None:
    # Windows are the same too: the longer ones say how undated outcomes are spread.
    other = Policy(rules=(rule(), rule("block", metric="block")), windows=("1h", "3h"), name="other")
    assert each_rule(SMALL)[0] == each_rule(other)[0]
    assert each_rule(SMALL)[0] != each_rule(Policy(rules=(rule(),), windows=("1h", "3h"), confidence=0.9))[0]


def test_what_is_no_rule_makes_no_difference_to_what_is_followed() -> None:
    """Silence after a window that the rule does not have, and the brake."""
    windows = ("1h", "3h", "24h", "48h")
    policy = Policy(rules=(rule(),), windows=windows, inactive_after="24h", brake=Brake(customers=3))
    assert each_rule(policy) == each_rule(Policy(rules=(rule(),), windows=windows))
    (found,) = transitions(history(hourly(GOOD, BAD, BAD)), [policy])
    assert [each.kind for each in found] == ["opened"]


def judged_each_hour(past: History, policy: Policy) -> Iterator[Transition]:
    """The plain way: every subject under every rule at every full hour."""
    for place, (customer, scope) in enumerate(zip(past.customers, past.scopes, strict=True)):
        states: dict[str, AlertState | None] = {}
        for hour in range(past.first, past.counts.shape[1] + 1):
            lengths = list(to_read({window: window_ms(window) for window in policy.windows}).values())
            totals = [past.counts[place, max(0, hour - ceil(each / HOUR_MS)) : hour].sum(axis=0) for each in lengths]
            found = spread(np.array(totals), lengths, len(policy.windows)).tolist()
            windows = {
                window: WindowCounts(**dict(zip(FIELDS, row, strict=True)))
                for window, row in zip(policy.windows, found, strict=True)
            }
            now_ms = (past.start_s + hour * HOUR_S) * 1000
            for verdict in judge(
                SubjectCounts(customer=customer, scope=scope, windows=windows), policy, now_ms
            ).verdicts:
                hold_ms = next(int(each.hold_minutes * 60_000) for each in policy.rules if each.name == verdict.rule)
                states[verdict.rule], said = step(states.get(verdict.rule), verdict, now_ms, hold_ms, customer, scope)
                if said is not None:
                    yield said


DAILY = Policy(
    rules=tuple(
        Rule(
            name=each.name,
            metric=each.metric,
            windows=("1h", "5h"),
            min_volume=each.min_volume if isinstance(each.min_volume, int) else 200,
            levels=each.levels,
            hold_minutes=each.hold_minutes,
        )
        for each in POLICY.rules
        if each.metric in RATES
    ),
    windows=("1h", "5h"),
)


@given(st.integers(0, 2**32), st.sampled_from([20, 300, 5_000]), st.integers(1, 10), st.booleans())
def test_law_nothing_that_judging_every_hour_says_is_missed(seed: int, volume: int, first: int, undated: bool) -> None:
    chance = np.random.default_rng(seed)
    counts = np.zeros((3, 30, len(FIELDS)), np.int64)
    for name in COUNTED_HOURLY:
        share = 1.0 if name in ("delivered", "fbl_delivered", "sent") else chance.choice([0.001, 0.01, 0.1])
        mean = volume * share * (chance.random((3, 30)) < 0.6)
        counts[..., FIELD_INDEX[name]] = chance.poisson(mean)
    if undated:  # all that came late is of mail of an unknown time, in some hours
        some = chance.random((3, 30)) < 0.5
        for kind in KINDS:
            its = counts[..., FIELD_INDEX["fbl_complained" if kind.mail == "fbl_delivered" else kind.fields[0]]]
            for name in kind.fields:
                if name == kind.undated or name.startswith("late_"):
                    counts[..., FIELD_INDEX[name]] = some * its
    past = History(["acme", "acme", "rival"], ["customer", "stream:news", "customer"], BEGIN, first, counts)

    def key(each: Transition) -> tuple[str, str, str, int]:
        return each.customer, each.scope, each.rule, each.time_ms

    (found,) = transitions(past, [DAILY])
    assert sorted(found, key=key) == sorted(judged_each_hour(past, DAILY), key=key)


BURNING = Policy(
    rules=(
        Rule(
            name="burn",
            metric="failure_burn",
            windows=("1h", "3h"),
            allowance=0.02,
            period="24h",
            min_volume=50,
            levels=Levels(watch=0.8, warning=2, excessive=6),
            hold_minutes=60,
        ),
    ),
    windows=("1h", "3h", "24h"),
)


@given(st.integers(0, 2**32), st.sampled_from([20, 300, 5_000]), st.integers(1, 10))
def test_law_nothing_that_judging_a_burn_every_hour_says_is_missed(seed: int, volume: int, first: int) -> None:
    chance = np.random.default_rng(seed)
    counts = np.zeros((2, 40, len(FIELDS)), np.int64)
    counts[..., FIELD_INDEX["delivered"]] = chance.poisson(volume * (chance.random((2, 40)) < 0.6))
    counts[..., FIELD_INDEX["hard"]] = chance.poisson(volume * chance.choice([0.0, 0.01, 0.1], (2, 40)))
    past = History(["acme", "rival"], ["customer", "customer"], BEGIN, first, counts)

    def key(each: Transition) -> tuple[str, str, int]:
        return each.customer, each.rule, each.time_ms

    (found,) = transitions(past, [BURNING])
    assert sorted(found, key=key) == sorted(judged_each_hour(past, BURNING), key=key)


def test_burn_over_minutes_is_that_of_the_hour() -> None:
    burn = next(each for each in POLICY.rules if each.metric == "failure_burn")
    lenient = Override(customer="rival", rule="failure_burn", reason="agreed", min_volume={"5m": 300, "1h": 250})
    policy = Policy(rules=(burn,), windows=("5m", "1h", "30d"), overrides=(lenient,))
    (alone,) = each_rule(policy)
    assert (alone.rules[0].windows, alone.windows) == (("1h",), ("1h", "30d"))
    assert alone.rules[0].min_volume == {"1h": 200}
    assert alone.overrides[0].min_volume == {"1h": 300}
    quiet, burning = {"delivered": 200}, {"delivered": 150, "hard": 60}
    (found,) = transitions(history(hourly(*[quiet] * 30, burning, quiet, quiet)), [policy])
    assert reported(found) == [(31, "opened", "excessive"), (33, "resolved", "good")]


SPIKING = Policy(
    rules=(
        Rule(
            name="volume",
            metric="volume_spike",
            windows=("1h",),
            min_volume=100,
            levels=Levels(watch=3, warning=10),
            hold_minutes=60,
        ),
    ),
    windows=("1h",),
)


def spikes_each_hour(past: History, policy: Policy) -> Iterator[Transition]:
    """The plain way: what is usual is found again at every full hour, from padded counts."""
    for place, customer in enumerate(past.customers):
        state: AlertState | None = None
        delivered = past.counts[place, :, FIELD_INDEX["delivered"]]
        padded = np.concatenate((np.zeros(FIRST_H, np.int64), delivered))
        for hour in range(past.first, len(delivered) + 1):
            subject = SubjectCounts(
                customer=customer,
                scope="customer",
                windows={"1h": WindowCounts(delivered=int(delivered[hour - 1]))},
                baseline=baseline(padded[hour : hour + HOURS]),
            )
            now_ms = (past.start_s + hour * HOUR_S) * 1000
            verdict = judge(subject, policy, now_ms).verdicts[0]
            state, changed = step(state, verdict, now_ms, 3_600_000, customer, "customer")
            if changed is not None:
                yield changed


#: More than the month before which nobody is judged.
HOURS_KNOWN = 40 * 24


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from([30, 300]), st.integers(1, 940))
def test_law_nothing_that_judging_volumes_every_hour_says_is_missed(seed: int, volume: int, first: int) -> None:
    chance = np.random.default_rng(seed)
    counts = np.zeros((2, HOURS_KNOWN, len(FIELDS)), np.int64)
    spikes = np.where(chance.random((2, HOURS_KNOWN)) < 0.01, chance.integers(2, 12), 1)
    counts[..., FIELD_INDEX["delivered"]] = chance.poisson(volume * spikes * (chance.random((2, HOURS_KNOWN)) < 0.8))
    past = History(["acme", "rival"], ["customer", "customer"], BEGIN, first, counts)

    def key(each: Transition) -> tuple[str, int]:
        return each.customer, each.time_ms

    (found,) = transitions(past, [SPIKING])
    assert sorted(found, key=key) == sorted(spikes_each_hour(past, SPIKING), key=key)


def test_spike_resolves_within_the_day_although_the_volume_stays() -> None:
    steady, much = {"delivered": 100}, {"delivered": 5_000}
    (found,) = transitions(history(hourly(*[steady] * 890, *[much] * 60), first=850), [SPIKING])
    assert reported(found) == [(891, "opened", "warning"), (915, "resolved", "good")]


def said(kind: str, level: Level, hour: int, rule_name: str = "failure", customer: str = "acme") -> Transition:
    return Transition(
        customer=customer,
        scope="customer",
        rule=rule_name,
        kind=kind,  # type: ignore[arg-type]
        level=level,
        previous_level="good",
        episode=1,
        transition=1,
        time_ms=hour,
        opened_ms=0,
    )


ACME: StreamKey = ("acme", "customer")


def test_spans_are_the_times_at_the_level_or_worse() -> None:
    life = [
        said("opened", "warning", 1),
        said("escalated", "critical", 2),
        said("de-escalated", "warning", 5),
        said("resolved", "good", 7),
        said("opened", "excessive", 9),
    ]
    assert spans(life, "watch")[ACME] == (
        LevelSpan(rule="failure", level="critical", from_ms=1, to_ms=7),
        LevelSpan(rule="failure", level="excessive", from_ms=9, to_ms=None),
    )
    assert spans(life, "excessive")[ACME] == (
        LevelSpan(rule="failure", level="critical", from_ms=2, to_ms=5),
        LevelSpan(rule="failure", level="excessive", from_ms=9, to_ms=None),
    )
    assert spans([said("opened", "watch", 1)], "warning") == {}


def test_differences_say_who_is_flagged_freed_or_judged_otherwise() -> None:
    def one(level: Level, from_ms: int = 1) -> tuple[LevelSpan, ...]:
        return (LevelSpan(rule="failure", level=level, from_ms=from_ms, to_ms=None),)

    def of(name: str) -> StreamKey:
        return name, "customer"

    tried = {
        of("new"): one("watch"),
        of("worse"): one("critical"),
        of("milder"): one("watch"),
        of("later"): one("watch", 2),
    }
    in_force = {of("freed"): one("critical"), of("worse"): one("watch"), of("milder"): one("critical")}
    in_force |= {of("later"): one("watch"), of("same"): one("watch")}
    tried[of("same")] = one("watch")
    found = differences(tried, in_force)
    assert [(each.customer, each.kind) for each in found] == [
        ("new", "flagged"),
        ("freed", "freed"),
        ("worse", "worse"),
        ("milder", "milder"),
        ("later", "moved"),
    ]
    assert found[0] == Difference(customer="new", scope="customer", kind="flagged", tried=one("watch"), in_force=())
