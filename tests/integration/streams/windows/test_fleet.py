"""Unusual volume on a day on which everybody sends more, judged from the store as the monitor does."""

from datetime import UTC, datetime

import numpy as np
import pytest

from api.explain.build import explain
from api.text.explanation import lines
from schemas import policy
from schemas.alert import AlertEvent
from streams.subjects.arrays import Counts
from streams.windows.fleet import BY_DAY, BY_HOUR, MOST_ASKED, SENDING, read_fleet_volume
from tests.support.api_client import HOUR, MINUTE, NOW, Row
from tests.support.judging import LOOP, NOW_MS, Counting, Ground
from tests.support.seasons import BEFORE, DAY_MIN, Season, mail

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
CUSTOMERS = {"steady": 14, "daily": 14, "weekly": 12}
#: Where the minutes begin (epoch s), and the sale.
BEGIN_S = NOW // HOUR * HOUR - HOUR * 24 * 45
SALE_S = BEGIN_S + BEFORE * DAY_MIN * MINUTE
GRAIN = 10


def put(ground: Ground, names: list[str], volumes: Counts, first: int, end: int) -> None:
    """Store the minutes from `first` up to `end`, ten of them together."""
    tens = volumes.reshape(len(volumes), -1, GRAIN).sum(axis=2)
    rows, places = np.nonzero(tens[:, first // GRAIN : end // GRAIN])
    places += first // GRAIN
    ground.store.insert(
        "counts",
        {
            "dimension": ["provider"] * len(rows),
            "customer": [names[row] for row in rows],
            "stream": ["news"] * len(rows),
            "value": ["other"] * len(rows),
            "source": ["sale"] * len(rows),
            "bucket": [datetime.fromtimestamp(BEGIN_S + place * GRAIN * MINUTE, UTC) for place in places.tolist()],
            "delivered": tens[rows, places].tolist(),
        },
    )


def spikes(alerts: list[AlertEvent]) -> dict[str, AlertEvent]:
    """The first of each customer."""
    return {alert.data.customer: alert for alert in reversed(alerts) if alert.data.metric == "volume_spike"}


def test_sale_everywhere_warns_nearly_nobody_and_a_stolen_account_is_seen(ground: Ground) -> None:
    volumes = mail(CUSTOMERS, Season(), 1)
    three = (BEFORE + 1) * DAY_MIN + 180
    volumes[0, three : three + 30] += round(volumes[0, : BEFORE * DAY_MIN].mean() * 60)
    names = [f"customer{row:02}" for row in range(len(volumes))]
    judge = ground.judge()
    stored = 0
    for minute in range(BEFORE * DAY_MIN + 40, (BEFORE + 4) * DAY_MIN, 180):
        put(ground, names, volumes, stored, minute)
        stored = minute
        judge.judge_customers(names, (BEGIN_S + minute * MINUTE) * 1000)
    found = spikes(ground.sent)
    assert names[0] in found
    assert len(found) <= 3
    data = found[names[0]].data
    assert data.evidence.fleet_times is not None
    assert 3 < data.evidence.fleet_times < 5
    assert f"; the whole fleet sends {data.evidence.fleet_times:.1f} times its usual" in data.explanation
    at_ms = (SALE_S + 27 * HOUR + 39 * MINUTE) * 1000
    explained = explain(ground.store, names[0], POLICY, LOOP, at_ms, past=True)
    assert explained is not None
    spike = next(rule for rule in explained.scopes[0].rules if rule.rule == "volume_spike")
    assert (spike.level, spike.windows[0].numerator) == (data.level, data.numerator)
    assert "; the whole fleet sends " in "\n".join(lines(explained))


def test_fleet_is_asked_once_in_ten_minutes_and_only_when_an_hour_is_large(ground: Ground) -> None:
    past = [Row(NOW - back * HOUR, delivered=300) for back in range(1, 24 * 29)]
    ground.put(*past, *(row._replace(customer="small", delivered=3) for row in past))
    counting = Counting(ground.store)
    judge = ground.judge(counting)
    judge.judge_customers(["small"], NOW_MS)
    judge.judge_customers(["acme"], NOW_MS)
    assert sum(sql == SENDING for sql in counting.asked) == 0
    ground.put(Row(NOW, delivered=2_000))
    for minutes, expected in ((0, 1), (5, 1), (9, 1), (11, 2), (22, 3)):
        judge.judge_customers(["acme", "small"], NOW_MS + minutes * MINUTE * 1000)
        assert sum(sql == SENDING for sql in counting.asked) == sum(sql == BY_DAY for sql in counting.asked) == expected
    assert sum(sql == BY_HOUR for sql in counting.asked) == 1  # full hours stay what they were


def test_sample_of_a_large_fleet_says_what_all_do(ground: Ground) -> None:
    names = [f"c{number}" for number in range(MOST_ASKED + 300)]
    ground.put(
        *(
            Row(NOW - days * 24 * HOUR - 20 * MINUTE, delivered=400 if days == 0 else 100, customer=name)
            for name in names
            for days in (0, 1, 2, 7, 8, 9, 14)
        )
    )
    counting = Counting(ground.store)
    assert read_fleet_volume(counting, NOW_MS).now == 4.0
    assert len(counting.asked) == 3
    # Who sent then and is silent now says nothing.
    ground.put(*(Row(NOW - HOUR * 3, delivered=1, customer=f"night{number}") for number in range(900)))
    assert read_fleet_volume(ground.store, NOW_MS).now == 4.0
