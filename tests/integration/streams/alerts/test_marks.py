"""Marks beside a standing: who stopped sending is not good for ever, and who is not seen is not proven."""

import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from api.explain.build import explain
from schemas import policy
from schemas.wording import rfc3339
from streams.alerts.last_mail import last_mail, last_mail_sql
from streams.judge.rhythm import Pause, usual_silence_s
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.judging import LOOP, NOW_MS, Counting, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
LAST_MAIL = last_mail_sql(POLICY.scopes)

MARKS = """
SELECT customer, scope, standing, toUnixTimestamp(inactive_since), unobservable, observable_mail, all_mail
FROM standings FINAL ORDER BY customer, scope
"""
SCORES = "SELECT customer, overall_score FROM standings FINAL"


def marks(ground: Ground) -> dict[tuple[str, str], tuple[str, int]]:
    """Standing, and since when inactive, by customer and scope."""
    return {(row[0], row[1]): (row[2], int(row[3])) for row in ground.store.rows(MARKS)}


def judged(ground: Ground, later_s: int, *customers: str) -> dict[tuple[str, str], tuple[str, int]]:
    ground.judge().judge_customers(customers or ["acme"], NOW_MS + later_s * 1000)
    return marks(ground)


def minute(at: int) -> int:
    return at // MINUTE * MINUTE


def test_customer_who_stopped_sending_is_inactive_since_the_last_mail(ground: Ground) -> None:
    ground.put(Row(NOW - 5 * HOUR, delivered=9_000), Row(NOW, delivered=9_000))
    assert judged(ground, 0) == {("acme", "customer"): ("good", 0)}
    assert judged(ground, 23 * HOUR) == {("acme", "customer"): ("good", 0)}
    assert judged(ground, 25 * HOUR) == {("acme", "customer"): ("good", minute(NOW))}
    ground.put(Row(NOW + 26 * HOUR, delivered=1))
    assert judged(ground, 26 * HOUR) == {("acme", "customer"): ("good", 0)}, "active at once"


def test_silence_is_seen_by_those_who_are_judged_although_nothing_comes_in(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=9_000))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    later = NOW_MS + 25 * HOUR * 1000
    judge.judge_customers(judge.everybody(later), later)
    assert marks(ground) == {("acme", "customer"): ("good", minute(NOW))}


def test_stream_that_stopped_is_inactive_while_the_customer_is_not(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * DAY, delivered=9_000, stream="eu/news"), Row(NOW, delivered=9_000, stream="receipts"))
    found = judged(ground, 0)
    assert found["acme", "customer"] == ("good", 0)
    assert found["acme", "stream:receipts"] == ("good", 0)
    assert found["acme", "stream:eu/news"] == ("good", minute(NOW - 3 * DAY))


def test_level_of_who_stopped_sending_stays_and_ends_by_itself(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=300))
    judged(ground, 0)
    assert judged(ground, 25 * HOUR) == {("acme", "customer"): ("critical", minute(NOW))}
    judge = ground.judge()
    for minutes in (0, 40):
        judge.judge_customers(["acme"], NOW_MS + (31 * DAY + minutes * MINUTE) * 1000)
    assert marks(ground) == {("acme", "customer"): ("insufficient_volume", minute(NOW))}
    assert [alert.data.kind for alert in ground.sent if alert.data.rule == "failure"][-1] == "resolved"


def test_outcomes_of_old_mail_are_no_mail_and_deferred_mail_is(ground: Ground) -> None:
    ground.put(Row(NOW - 2 * DAY, delivered=9_000), Row(NOW, hard=3, late_hard=3, complained=4))
    assert judged(ground, 0) == {("acme", "customer"): ("good", minute(NOW - 2 * DAY))}
    waiting = {"dimension": "provider", "customer": "acme", "stream": "news", "value": "yahoo", "source": "waits"}
    row = {**waiting, "bucket": datetime.fromtimestamp(minute(NOW), UTC), "deferred": 5}
    ground.store.insert("counts", {name: [value] for name, value in row.items()})
    assert judged(ground, 0) == {("acme", "customer"): ("good", 0)}


def test_when_mail_was_sent_last_is_asked_once(ground: Ground) -> None:
    ground.put(*(Row(NOW - 2 * DAY, delivered=9_000, customer=f"silent{number}") for number in range(40)))
    ground.put(Row(NOW, delivered=9_000))
    counting = Counting(ground.store)
    judge = ground.judge(counting)
    for later in range(5):
        now_ms = NOW_MS + later * HOUR * 1000
        judge.judge_customers(judge.everybody(now_ms), now_ms)
    assert counting.asked.count(LAST_MAIL) == 1
    assert sum(since > 0 for _, since in marks(ground).values()) == 40


def test_weekly_mailings_are_no_silence_and_who_stopped_is_seen_within_two_weeks(ground: Ground) -> None:
    """Between two mailings the pauses are asked for once, and once more when the silence is no longer usual."""
    ground.put(*(Row(NOW - week * 7 * DAY, delivered=9_000) for week in range(5)))
    counting = Counting(ground.store)
    judge = ground.judge(counting)
    seen = {}
    for days in range(12):
        now_ms = NOW_MS + (days * DAY + HOUR) * 1000
        judge.judge_customers(["acme"], now_ms)
        seen[days] = marks(ground)["acme", "customer"][1]
    assert seen == {day: minute(NOW) if day > 10 else 0 for day in range(12)}
    assert counting.asked.count(LAST_MAIL) == 2
    for days, since in ((6, None), (11, rfc3339(minute(NOW) * 1000))):
        said = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + days * DAY * 1000, past=True)
        assert said is not None
        assert said.scopes[0].inactive_since == since


def test_longest_pauses_say_what_all_of_them_do(ground: Ground) -> None:
    """Only they are read. One of before the time that is looked at says nothing, though it is longer."""
    chosen = random.Random(1)
    days = {f"c{number}": {0, 140, *chosen.sample(range(1, 100), number)} for number in range(30)}
    ground.put(*(Row(NOW - day * DAY, delivered=9, customer=name) for name, some in days.items() for day in some))
    found = last_mail(ground.store, sorted(days), NOW_MS)
    for name, some in days.items():
        at = sorted(minute(NOW) - day * DAY for day in some)
        pauses = [Pause(after // HOUR * HOUR, after - before) for before, after in pairwise(at)]
        for scope in ("customer", "stream:news"):
            said = found[name, scope]
            assert said.last_ms == minute(NOW) * 1000
            assert said.usual_until_ms(POLICY) - said.last_ms == 1000 * usual_silence_s(pauses, at[-1], DAY), name


def test_monthly_mailing_is_no_silence_though_it_has_left_every_window(ground: Ground) -> None:
    ground.put(*(Row(NOW - days * DAY, delivered=9_000) for days in (0, 30, 61)))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    for days, since in ((29, 0), (33, 0), (47, minute(NOW))):
        now_ms = NOW_MS + days * DAY * 1000
        judge.judge_customers(judge.everybody(now_ms), now_ms)
        assert marks(ground)["acme", "customer"][1] == since, days


def test_silent_customers_whom_no_monitor_saw_fall_silent_are_marked(ground: Ground) -> None:
    """None ran while the mail left the windows, or it was one of before there were marks."""
    ground.put(Row(NOW - 40 * DAY, delivered=9_000), Row(NOW - 40 * DAY, delivered=9_000, stream="receipts"))
    ground.put(Row(NOW, delivered=9_000, customer="active"))
    ground.judge().judge_customers(["acme"], NOW_MS - 40 * DAY * 1000)
    ground.judge().judge_customers(["active"], NOW_MS)
    assert {since for _, since in marks(ground).values()} == {0}
    counting = Counting(ground.store)
    for _ in range(2):
        assert ground.judge(counting).everybody(NOW_MS) == {"active"}
    last = minute(NOW - 40 * DAY)
    assert marks(ground) == {
        ("acme", "customer"): ("insufficient_volume", last),
        ("acme", "stream:news"): ("insufficient_volume", last),
        ("acme", "stream:receipts"): ("insufficient_volume", last),
        ("active", "customer"): ("good", 0),
    }
    assert counting.asked.count("INSERT INTO standings") == 1


def test_what_is_hardly_seen_is_marked(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=60_000, provider="gmail"), Row(NOW, delivered=500, provider="yahoo"))
    ground.put(Row(NOW, delivered=60_000, provider="yahoo", customer="proven"))
    ground.put(Row(NOW, delivered=300, provider="gmail", customer="small"))
    ground.judge().judge_customers(["acme", "proven", "small"], NOW_MS)
    assert {row[0]: tuple(row[4:]) for row in ground.store.rows(MARKS)} == {
        "acme": (["complaint"], 500, 60_500),
        "proven": ([], 60_000, 60_000),
        "small": ([], 0, 300),
    }
    scores = {str(customer): int(score) for customer, score in ground.store.rows(SCORES)}
    assert scores["acme"] == 71 < scores["proven"]


def test_mark_is_written_at_once(ground: Ground) -> None:
    """Not with the numbers, which wait."""
    ground.put(Row(NOW, delivered=60_000, provider="gmail"))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    ground.put(Row(NOW, delivered=60_000, provider="yahoo"))
    judge.judge_customers(["acme"], NOW_MS + 1_000)
    assert [row[4] for row in ground.store.rows(MARKS)] == [[]]
