"""A policy tried over what is stored says what the monitor would have said at each full hour, and touches nothing."""

import random

import msgspec
import pytest

from api.text.try_policy import lines
from jobs.operator.try_policy import Trial, try_policy
from schemas import policy
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.policy_rule import Levels, Rule
from streams.alerts.lifecycle import AlertState, Transition, step
from streams.judge.verdict import judge
from streams.what_if.backtest import transitions
from streams.what_if.history import Extent, Hourly
from streams.windows.baselines import read_baselines
from streams.windows.past import counts_at
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.judging import LOOP, NOW_MS, Ground, traffic

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
#: The last full hour.
NOON = NOW // HOUR * HOUR


def with_rule(name: str, **changes: object) -> Policy:
    """The default policy with one rule changed."""
    rules = tuple(msgspec.structs.replace(each, **changes) if each.name == name else each for each in POLICY.rules)
    return msgspec.structs.replace(POLICY, rules=rules)


def tried(ground: Ground, other: Policy, since: int = 2 * DAY) -> Trial:
    return try_policy(ground.store, other, POLICY, LOOP, (NOW - since) * 1000, NOW * 1000)


def hour_by_hour(ground: Ground, by: Policy, customers: list[str], since_s: int) -> list[Transition]:
    """What judging the windows of each full hour says."""
    lengths = {name: window_ms(name) for name in by.windows}
    hold_ms = {rule.name: int(rule.hold_minutes * 60_000) for rule in by.rules}
    found = []
    hours = range(since_s, NOON + 1, HOUR)
    usual_at = {at: read_baselines(ground.store, customers, at * 1000) for at in hours}
    for customer in customers:
        states: dict[tuple[str, str], AlertState | None] = {}
        for at, usual in usual_at.items():
            for counted in counts_at(ground.store, customer, lengths, LOOP, at * 1000, include_later=False, policy=by):
                subject = msgspec.structs.replace(counted, baseline=usual.get((customer, counted.scope)))
                for verdict in judge(subject, by, at * 1000).verdicts:
                    key = subject.scope, verdict.rule
                    states[key], said = step(
                        states.get(key), verdict, at * 1000, hold_ms[verdict.rule], customer, subject.scope
                    )
                    if said is not None:
                        found.append(said)
    return found


def test_each_hour_is_judged_as_the_monitor_would_have(ground: Ground) -> None:
    # Not in the first minute of an hour: what is judged on the hour has counted that minute too.
    rows = [row._replace(at=row.at // HOUR * HOUR + 20 * MINUTE) for row in traffic(0, 900, 9 * DAY)]
    bad = [row._replace(hard=row.hard * 4, complained=row.complained * 9) for row in rows[::5]]
    ground.put(*rows, *bad)
    ground.put(Row(NOW - 20 * HOUR, delivered=500, ip="198.51.100.7", customer="customer3"))
    ground.put(Row(NOON - 10 * HOUR + MINUTE, delivered=2_000, ip="192.0.2.3", customer="customer4"))
    # The hour that is not over yet is not judged, whatever went through what is listed.
    ground.put(Row(NOW - MINUTE, delivered=5_000, ip="192.0.2.3", customer="customer4"))
    ground.listed("192.0.2.3", 14 * HOUR)
    ground.listed("198.51.100.7", 17 * HOUR, "critical")
    customers = sorted({row.customer for row in rows})[4:7]
    short = with_rule("complaint", windows=("24h", "7d"))
    short = msgspec.structs.replace(
        short, rules=tuple(each if each.name != "failure" else FAILURE for each in short.rules)
    )
    # A burn is replayed over whole hours.
    short = msgspec.structs.replace(
        short,
        rules=tuple(
            msgspec.structs.replace(each, windows=("1h",), min_volume=100) if each.name == "failure_burn" else each
            for each in short.rules
        ),
    )
    extent = Extent.of((short,), (NOW - 20 * HOUR) * 1000, NOW * 1000)
    hourly = Hourly(ground.store, extent, LOOP)
    assert hourly.customers() == sorted({row.customer for row in rows})
    found = [said for part in hourly.portions(customers) for said in transitions(part, [short])[0]]

    def key(each: Transition) -> tuple[str, str, str, int]:
        return each.customer, each.scope, each.rule, each.time_ms

    expected = hour_by_hour(ground, short, customers, extent.start_s + extent.first * HOUR)
    assert {each.rule for each in expected} >= {"complaint", "failure", "critical_listing", "exposure"}
    assert {each.kind for each in expected} >= {"opened", "resolved"}
    assert sorted(found, key=key) == sorted(expected, key=key)


def test_sub_accounts_are_replayed_as_the_monitor_would_have_judged_them(ground: Ground) -> None:
    streams = {"news": "eu/news", "receipts": "us/receipts"}
    rows = [
        row._replace(at=row.at // HOUR * HOUR + 20 * MINUTE, stream=streams[row.stream])
        for row in traffic(0, 900, 9 * DAY)
    ]
    bad = [row._replace(hard=row.hard * 9, stream="eu/offers") for row in rows[::5]]
    ground.put(*rows, *bad, Row(NOW - 30 * HOUR, delivered=5_000, stream="notices", customer="customer3"))
    by = msgspec.structs.replace(
        POLICY,
        rules=(FAILURE, *(each for each in POLICY.rules if each.name in ("block", "exposure"))),
        scopes=("customer", "stream", "sub_account"),
    )
    customers = sorted({row.customer for row in rows})[3:5]
    extent = Extent.of((by,), (NOW - 30 * HOUR) * 1000, NOW * 1000)
    hourly = Hourly(ground.store, extent, LOOP, sub_accounts=True)
    found = [said for part in hourly.portions(customers) for said in transitions(part, [by])[0]]

    def key(each: Transition) -> tuple[str, str, str, int]:
        return each.customer, each.scope, each.rule, each.time_ms

    expected = hour_by_hour(ground, by, customers, extent.start_s + extent.first * HOUR)
    assert "sub_account:eu" in {each.scope for each in expected}
    assert sorted(found, key=key) == sorted(expected, key=key)
    trial = try_policy(ground.store, by, POLICY, LOOP, (NOW - 30 * HOUR) * 1000, NOW * 1000)
    assert "sub_account:eu" in {each.scope for each in trial.differences}
    assert not any("sub" in each for each in trial.not_replayed)


def test_unusual_volume_of_each_hour_is_what_the_monitor_would_have_seen(ground: Ground) -> None:
    chance = random.Random(4)
    days = [
        Row(NOON - back * HOUR - 40 * MINUTE, delivered=chance.randrange(200, 400), stream=chance.choice(["a", "b"]))
        for back in range(1, 24 * 41)
    ]
    spikes = [Row(NOON - back * HOUR + 20 * MINUTE, delivered=volume) for back, volume in ((28, 3_000), (5, 12_000))]
    ground.put(*days, *spikes)
    only = msgspec.structs.replace(POLICY, rules=tuple(each for each in POLICY.rules if each.name == "volume_spike"))
    extent = Extent.of((only,), (NOW - 2 * DAY) * 1000, NOW * 1000)
    (history,) = Hourly(ground.store, extent, LOOP).portions(["acme"])
    found = transitions(history, [only])[0]
    assert {each.kind for each in found if each.scope == "customer"} == {"opened", "resolved"}
    expected = hour_by_hour(ground, only, ["acme"], extent.start_s + extent.first * HOUR)
    assert sorted(found, key=lambda each: (each.scope, each.time_ms)) == sorted(
        expected, key=lambda each: (each.scope, each.time_ms)
    )


FAILURE = Rule(
    name="failure",
    metric="failure",
    windows=("1h", "24h", "7d"),
    min_volume=200,
    levels=Levels(warning=0.05, excessive=0.1),
)


def test_stricter_policy_flags_and_a_milder_one_frees(ground: Ground) -> None:
    ground.put(Row(NOON - 10 * HOUR, delivered=2_000, hard=50), Row(NOON - 10 * HOUR, delivered=2_000, customer="fine"))
    stricter = tried(ground, with_rule("failure", levels=Levels(warning=0.01, excessive=0.05)))
    assert (stricter.in_force.flagged, stricter.tried.flagged, stricter.customers) == (0, 1, 2)
    (difference,) = stricter.differences
    assert (difference.customer, difference.kind) == ("acme", "flagged")
    assert difference.tried[0].from_ms == (NOON - 9 * HOUR) * 1000
    assert difference.tried[0].to_ms is None
    ground.put(Row(NOON - 5 * HOUR, delivered=40, hard=150))
    milder = tried(ground, with_rule("failure", levels=Levels(warning=0.95)))
    assert [(each.customer, each.kind) for each in milder.differences] == [("acme", "freed")]
    assert milder.differences[0].in_force[0].from_ms == (NOON - 4 * HOUR) * 1000
    said = "\n".join(lines(milder))
    assert "freed: 1" in said
    assert "acme: failure critical 2026-03-12T08:00Z and still" in said
    assert "judged at each full hour" in said


def test_same_policy_judges_nobody_otherwise(ground: Ground) -> None:
    ground.put(Row(NOON - 10 * HOUR, delivered=2_000, hard=500))
    same = tried(ground, msgspec.structs.replace(POLICY, name="again"))
    assert (same.in_force.flagged, same.differences) == (1, [])
    assert list(lines(same))[-1] == "nobody is judged otherwise"


def test_what_is_not_known_of_the_past_is_said(ground: Ground) -> None:
    attributed = Rule(name="caused", metric="attributed_listing", windows=("24h",), levels=Levels(watch=1))
    plans = msgspec.structs.replace(POLICY, rules=(*POLICY.rules, attributed), scopes=("customer", "plan"))
    assert list(lines(tried(ground, plans)))[2:4] == [
        "rule caused: listings are attributed by the causes that are stored now",
        "the customers of a plan are those of today",
    ]
    only = msgspec.structs.replace(POLICY, rules=POLICY.rules[:2], scopes=("customer", "stream"))
    assert try_policy(ground.store, only, only, LOOP, NOW_MS - DAY * 1000, NOW_MS).not_replayed == ()


def test_empty_store_has_nobody_to_judge(ground: Ground) -> None:
    assert tried(ground, POLICY).customers == 0


def test_trial_says_how_far_it_is_and_can_be_ended(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.put(*traffic(5, 300, 3 * DAY))
    monkeypatch.setattr("streams.what_if.history.PORTION_BYTES", 1)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if ending and done == 2:
            raise InterruptedError

    ending = False
    customers = try_policy(ground.store, POLICY, POLICY, LOOP, NOW_MS - DAY * 1000, NOW_MS, progress=progress).customers
    assert told == [(done, customers) for done in range(customers + 1)]
    told, ending = [], True
    with pytest.raises(InterruptedError):
        try_policy(ground.store, POLICY, POLICY, LOOP, NOW_MS - DAY * 1000, NOW_MS, progress=progress)
    assert len(told) == 3


def test_trial_writes_nothing(ground: Ground) -> None:
    ground.put(Row(NOON - 10 * HOUR, delivered=2_000, hard=500))
    tried(ground, with_rule("failure", levels=Levels(warning=0.01)))
    written = (
        "SELECT (SELECT count() FROM alerts) + (SELECT count() FROM alert_states) + (SELECT count() FROM standings)"
    )
    assert ground.store.rows(written)[0][0] == 0


def test_portions_together_are_everybody(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.put(*traffic(5, 300, 3 * DAY))
    extent = Extent.of((POLICY,), (NOW - DAY) * 1000, NOW * 1000)
    hourly = Hourly(ground.store, extent, LOOP)
    whole = list(hourly.portions(hourly.customers()))
    monkeypatch.setattr("streams.what_if.history.PORTION_BYTES", 1)
    apart = list(hourly.portions(hourly.customers()))
    assert (len(whole), len(apart)) == (1, len(hourly.customers()))
    seen = {
        (name, scope): row.tolist()
        for part in apart
        for name, scope, row in zip(part.customers, part.scopes, part.counts, strict=True)
    }
    assert seen == {
        (name, scope): row.tolist()
        for part in whole
        for name, scope, row in zip(part.customers, part.scopes, part.counts, strict=True)
    }
