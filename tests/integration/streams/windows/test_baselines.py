"""Alerts on how fast an allowance is spent and on unusual volume, judged from the store as the monitor does."""

import random

import pytest

from api.explain.build import explain
from api.text.explanation import lines
from schemas import policy
from schemas.policy_metric import window_ms
from streams.windows.baselines import VOLUMES, read_baselines
from streams.windows.current import Windows
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.judging import LOOP, NOW_MS, Counting, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
LENGTHS = {name: window_ms(name) for name in ("1h", "24h")}


def every_hour(volume: int, days: int = 38, **fields: str) -> list[Row]:
    """So much in each hour before the last."""
    return [Row(NOW - back * HOUR, delivered=volume, **fields) for back in range(1, 24 * days)]  # type: ignore[arg-type]


def opened(ground: Ground, at_ms: int = NOW_MS, *customers: str) -> list[tuple[str, str, str]]:
    """Customer, rule and level of each alert."""
    ground.sent.clear()
    ground.judge().judge_customers(customers or ["acme"], at_ms)
    return [(alert.data.customer, alert.data.rule, alert.data.level) for alert in ground.sent]


def test_stolen_account_is_seen_within_minutes_although_its_month_is_fine(ground: Ground) -> None:
    ground.put(*every_hour(100, 29), *every_hour(100, 29, customer="fine"))
    ground.put(Row(NOW - 2 * MINUTE, delivered=100, hard=70))
    assert opened(ground, NOW_MS, "acme", "fine") == [
        ("acme", "failure", "critical"),
        ("acme", "failure_burn", "warning"),
    ]
    (alert,) = (each for each in ground.sent if each.data.rule == "failure_burn")
    assert (alert.data.window, alert.data.numerator) == ("1h", 70)
    assert "times the allowed pace" in alert.data.explanation
    assert [share.name for share in alert.data.evidence.providers] == ["yahoo"]


def test_burn_is_left_by_the_hour_not_by_the_minutes(ground: Ground) -> None:
    ground.put(*every_hour(100), Row(NOW - 2 * MINUTE, delivered=200, hard=90))
    judge = ground.judge()
    for minutes in (0, 10, 40, 70, 80, 99, 101):
        judge.judge_customers(["acme"], NOW_MS + minutes * MINUTE * 1000)
    times = [(alert.data.kind, alert.time[11:16]) for alert in ground.sent if alert.data.rule == "failure_burn"]
    # It began at 12:34; the hour has lost it by the look 70 minutes later, and 30 more are the hold time.
    assert times == [("opened", "12:34"), ("resolved", "14:15")]


def test_spike_is_measured_against_the_same_hours_of_five_weeks(ground: Ground) -> None:
    ground.put(*every_hour(300), *every_hour(5_000, customer="large"), *every_hour(300, customer="steady"))
    ground.put(Row(NOW - 10 * MINUTE, delivered=9_000), Row(NOW - 10 * MINUTE, delivered=5_000, customer="large"))
    assert opened(ground, NOW_MS, "acme", "large", "steady") == [("acme", "volume_spike", "warning")]
    data = ground.sent[0].data
    assert (data.numerator, data.denominator) == (9_300, 600)
    assert [share.name for share in data.evidence.ips] == ["192.0.2.1"]


def test_new_customer_has_nothing_to_be_measured_against(ground: Ground) -> None:
    ground.put(*every_hour(300, days=6), Row(NOW - 10 * MINUTE, delivered=90_000))
    assert opened(ground) == []


def test_each_stream_has_its_own_hours(ground: Ground) -> None:
    ground.put(*every_hour(2_000, stream="news"), *every_hour(50, stream="receipts"))
    ground.put(Row(NOW - 10 * MINUTE, delivered=1_500, stream="receipts"))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    assert [(alert.data.scope, alert.data.rule) for alert in ground.sent] == [("stream:receipts", "volume_spike")]


def test_baselines_are_read_of_few_once_an_hour(ground: Ground) -> None:
    ground.put(*every_hour(300), *every_hour(900, customer="busy"), Row(NOW, delivered=900), Row(NOW, customer="busy"))
    counting = Counting(ground.store)
    judge = ground.judge(counting)
    # NOW is 12:34:56
    for minutes, expected in ((0, 1), (10, 1), (20, 1), (30, 2), (40, 2)):
        ground.put(Row(NOW, delivered=2_000), back=-minutes * MINUTE)
        judge.judge_customers(["acme", "busy"], NOW_MS + minutes * MINUTE * 1000)
        assert sum(sql == VOLUMES for sql in counting.asked) == expected


@pytest.mark.parametrize("seed", range(3))
def test_what_is_read_is_what_was_counted(ground: Ground, seed: int) -> None:
    chance = random.Random(seed)
    rows = [
        Row(NOW - chance.randrange(40 * DAY), delivered=chance.randrange(90), hard=1, late_hard=1, stream=stream)
        for stream in ("a", "b")
        for _ in range(500)
    ]
    rows += [Row(NOW // HOUR * HOUR - 37 * DAY - HOUR, delivered=1, stream=stream) for stream in ("a", "b")]
    ground.put(*rows)
    found = read_baselines(ground.store, ["acme"], NOW_MS)
    assert set(found) == {("acme", "customer"), ("acme", "stream:a"), ("acme", "stream:b")}
    noon = NOW // HOUR * HOUR
    for scope, streams in (("customer", "ab"), ("stream:a", "a")):
        by_day = [
            sum(
                row.delivered
                for row in rows
                if row.stream in streams and noon - HOUR <= row.at // MINUTE * MINUTE + day * DAY < noon + HOUR
            )
            for day in range(1, 38)
        ]
        usual = found["acme", scope]
        assert usual.days == 37
        assert usual.median == sorted(by_day)[18]


def test_small_hours_are_not_measured(ground: Ground) -> None:
    ground.put(*every_hour(300))
    for least, measured in ((1_000, set()), (100, {0})):
        subjects, _ = Windows(ground.store, LENGTHS, LOOP, 0, 0, spike_from=least).read(["acme"], NOW_MS)
        assert set(subjects.baselines) == measured


def test_explanation_tells_what_is_usual_and_what_burns(ground: Ground) -> None:
    ground.put(*every_hour(300), Row(NOW - 2 * MINUTE, delivered=7_000, hard=2_000))
    found = explain(ground.store, "acme", POLICY, LOOP, NOW_MS, past=False)
    assert found is not None
    said = "\n".join(lines(found))
    assert "9,300; usual at this time of day are 600 (median of 37 days), and at most 600 in two hours" in said
    assert "2,000 of 9,300: 21.51 %" in said
    spike = next(rule for rule in found.scopes[0].rules if rule.rule == "volume_spike")
    assert spike.baseline is not None
    assert spike.level == "warning"
    quiet = explain(ground.store, "acme", POLICY, LOOP, NOW_MS - 20 * MINUTE * 1000, past=True)
    assert quiet is not None
    assert "300: too few to judge (at least 1,000)" in "\n".join(lines(quiet))
