"""The life of alerts as it is stored: why each changed, what is the same episode, and what a stored life says."""

from typing import Any

import msgspec
import pytest

from schemas import policy, providers
from schemas.alert import AlertData, AlertEvent
from schemas.policy import Policy
from schemas.policy_rule import Levels
from schemas.times import HOUR_MS, MINUTE_MS
from streams.alerts.record import read_states
from streams.io.broker import BrokerError
from streams.monitor.batch import BatchJudge
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.judging import NOW_MS, Counting, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()


def judged(judge: BatchJudge, at_ms: int, customer: str = "acme") -> list[AlertData]:
    return [each.data for each in judge.judge_customers([customer], at_ms).alerts]


def short(**changes: Any) -> Policy:
    """The rule on failures over a day alone."""
    rule = next(each for each in POLICY.rules if each.name == "failure")
    fields = {"windows": ("24h",), "min_volume": 200} | changes
    return Policy(rules=(msgspec.structs.replace(rule, **fields),), windows=("1h", "24h", "7d"))


def judge_of(ground: Ground, by: Policy) -> BatchJudge:
    return BatchJudge(ground.store, by, providers.load_providers(), lambda *_: None, lambda: None)


def test_alert_sent_before_the_monitor_failed_is_known_to_the_next_one(ground: Ground) -> None:
    """It may be out, and a hook may have acted on it, although by the next try the counts are good again. It
    resolves then."""
    sent: list[AlertEvent] = []

    def publish(_topic: str, _key: bytes, value: bytes) -> None:
        sent.append(msgspec.json.decode(value, type=AlertEvent))

    def away() -> None:
        raise BrokerError("the broker is away")

    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=60))
    failing = BatchJudge(ground.store, short(), providers.load_providers(), publish, away)
    with pytest.raises(BrokerError):
        failing.judge_customers(["acme"], NOW_MS)
    ground.put(Row(NOW - 10 * MINUTE, delivered=90_000))
    judge = BatchJudge(ground.store, short(), providers.load_providers(), publish, lambda: None)
    said = [judge.judge_customers(["acme"], NOW_MS + minutes * MINUTE_MS).alerts for minutes in (1, 2, 40)]
    assert [[each.data.kind for each in some] for some in said] == [["opened"], [], ["resolved"]]
    assert [each.data.kind for each in sent] == ["opened", "opened", "resolved"]
    assert sent[0].id == sent[1].id
    assert {each.data.alert_id for each in sent} == {sent[0].data.alert_id}
    rows = ground.store.rows("SELECT kind FROM alerts FINAL ORDER BY transition")
    assert [kind for (kind,) in rows] == ["opened", "resolved"]


def test_alert_that_was_not_sent_is_sent_before_what_came_of_it(ground: Ground) -> None:
    def away() -> None:
        raise BrokerError("the broker is away")

    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=60))
    failing = BatchJudge(ground.store, short(), providers.load_providers(), lambda *_: None, away)
    with pytest.raises(BrokerError):
        failing.judge_customers(["acme"], NOW_MS)
    ground.put(Row(NOW - 10 * MINUTE, hard=900))
    with pytest.raises(BrokerError):
        failing.judge_customers(["acme"], NOW_MS + 1_000)
    judge = judge_of(ground, short())
    assert [(each.kind, each.transition) for each in judged(judge, NOW_MS + 2_000)] == [("opened", 1), ("escalated", 2)]
    assert judged(judge, NOW_MS + 3_000) == []


def test_cause_is_stored_in_a_column_of_its_own(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=60))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    ground.put(Row(NOW - 10 * MINUTE, hard=300))
    judge.judge_customers(["acme"], NOW_MS + 1000)
    rows = ground.store.rows("SELECT kind, cause FROM alerts FINAL ORDER BY alerts.time")
    assert [tuple(row) for row in rows] == [("opened", "events"), ("escalated", "events")]


def test_opening_by_another_policy_says_so(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=980, hard=20))
    judge = judge_of(ground, short())
    assert judged(judge, NOW_MS) == []
    judge.set_policy(short(levels=Levels(warning=0.005)))
    (opened,) = judged(judge, NOW_MS + 1000)
    assert (opened.kind, opened.cause) == ("opened", "policy")


def test_opening_by_another_policy_that_only_another_monitor_sees_says_so(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=980, hard=20))
    judged(judge_of(ground, short()), NOW_MS)
    (opened,) = judged(judge_of(ground, short(levels=Levels(warning=0.005))), NOW_MS + 1000)
    assert opened.cause == "policy"


def test_resolution_because_a_policy_became_milder_says_so(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=60))
    judge = judge_of(ground, short())
    judged(judge, NOW_MS)
    judge.set_policy(short(levels=Levels(warning=0.5)))
    assert judged(judge, NOW_MS + 1000) == []
    ground.put(Row(NOW, delivered=10))
    (resolved,) = judged(judge, NOW_MS + 1000 + 30 * MINUTE_MS)
    assert (resolved.kind, resolved.cause) == ("resolved", "policy")


def test_opening_because_good_mail_slid_out_of_the_window_says_time(ground: Ground) -> None:
    ground.put(Row(NOW - DAY + 10 * MINUTE, delivered=9_000), Row(NOW - HOUR, delivered=900, hard=100))
    judge = judge_of(ground, short())
    assert judged(judge, NOW_MS) == []
    (opened,) = judged(judge, NOW_MS + 11 * MINUTE_MS)
    assert (opened.kind, opened.cause, opened.numerator, opened.denominator) == ("opened", "time", 100, 1_000)


def test_resolution_because_the_mail_slid_out_of_the_window_says_time(ground: Ground) -> None:
    ground.put(Row(NOW - DAY + 10 * MINUTE, delivered=900, hard=100), Row(NOW - HOUR, delivered=900))
    judge = judge_of(ground, short())
    judged(judge, NOW_MS)
    found = [each for minute in range(0, 60, 5) for each in judged(judge, NOW_MS + minute * MINUTE_MS)]
    assert [(each.kind, each.cause) for each in found] == [("resolved", "time")]


def test_escalation_by_counts_older_than_the_last_hour_says_that_they_came_late(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=60))
    judge = judge_of(ground, short(windows=("1h", "24h")))
    judged(judge, NOW_MS)
    ground.put(Row(NOW - 5 * HOUR, hard=300))
    (escalated,) = judged(judge, NOW_MS + 1000)
    assert (escalated.kind, escalated.cause) == ("escalated", "late_events")


def resolved_at(ground: Ground, judge: BatchJudge) -> int:
    """Opened by failures of seven hours ago, then resolved by good mail; the time (epoch ms)."""
    start = NOW_MS - 7 * HOUR_MS
    ground.put(Row(NOW - 7 * HOUR, delivered=900, hard=60))
    assert [each.kind for each in judged(judge, start)] == ["opened"]
    ground.put(Row(NOW - 7 * HOUR, delivered=9_000))
    judged(judge, start + MINUTE_MS)
    assert [each.kind for each in judged(judge, start + 31 * MINUTE_MS)] == ["resolved"]
    return start + 31 * MINUTE_MS


def test_counts_of_before_the_resolution_that_come_hours_later_open_the_same_alert(ground: Ground) -> None:
    judge = judge_of(ground, short())
    over = resolved_at(ground, judge)
    ground.put(Row(over // 1000 - 30 * MINUTE, hard=900))
    (again,) = judged(judge, NOW_MS)
    assert (again.kind, again.cause, again.episode, again.transition) == ("reopened", "late_events", 1, 3)
    assert (
        "The same alert as before: first opened at 2026-03-12T05:34:56.000Z, and resolved in between."
        in again.explanation
    )


def test_counts_of_after_the_resolution_open_another_alert(ground: Ground) -> None:
    judge = judge_of(ground, short())
    over = resolved_at(ground, judge)
    ground.put(Row(over // 1000 + 2 * HOUR, hard=900))
    (opened,) = judged(judge, NOW_MS)
    assert (opened.kind, opened.episode, opened.transition) == ("opened", 2, 1)


def test_few_late_counts_among_many_that_came_in_time_do_not_make_it_the_same_alert(ground: Ground) -> None:
    judge = judge_of(ground, short())
    over = resolved_at(ground, judge)
    ground.put(Row(over // 1000 - 30 * MINUTE, hard=5), Row(NOW, hard=900))
    (opened,) = judged(judge, NOW_MS)
    assert (opened.kind, opened.episode) == ("opened", 2)


def test_late_counts_to_a_mailbox_provider_are_distinguished_from_those_to_others(ground: Ground) -> None:
    """A rule of one provider opens by mail of after the resolution; all the mail to others of before it is no news."""
    judge = judge_of(ground, short(providers=("yahoo",)))
    over = resolved_at(ground, judge)
    ground.put(
        Row(over // 1000 - 30 * MINUTE, delivered=50_000, hard=900, provider="gmail"),
        Row(over // 1000 + 2 * HOUR, hard=900),
    )
    (opened,) = judged(judge, NOW_MS)
    assert (opened.kind, opened.episode) == ("opened", 2)


def test_late_counts_of_a_stream_open_its_alert_again(ground: Ground) -> None:
    judge = judge_of(ground, short())
    ground.put(Row(NOW - 7 * HOUR, delivered=50_000, stream="receipts"))
    start = NOW_MS - 7 * HOUR_MS
    ground.put(Row(NOW - 7 * HOUR, delivered=900, hard=60))
    judged(judge, start)
    ground.put(Row(NOW - 7 * HOUR, delivered=9_000))
    judged(judge, start + MINUTE_MS)
    assert [each.kind for each in judged(judge, start + 31 * MINUTE_MS)] == ["resolved"]
    ground.put(Row(NOW - 7 * HOUR, hard=900))
    (again,) = judged(judge, NOW_MS)
    assert (again.scope, again.kind, again.cause) == ("stream:news", "reopened", "late_events")


def test_late_counts_of_other_mail_of_a_customer_are_not_those_of_a_sub_account(ground: Ground) -> None:
    """Late counts belong to the part of a customer's mail that they are about."""
    judge = judge_of(ground, msgspec.structs.replace(short(), scopes=("sub_account",)))
    ground.put(Row(NOW - 7 * HOUR, delivered=50_000, stream="receipts"))
    start = NOW_MS - 7 * HOUR_MS
    ground.put(Row(NOW - 7 * HOUR, delivered=900, hard=60, stream="eu/news"))
    assert [(each.scope, each.kind) for each in judged(judge, start)] == [("sub_account:eu", "opened")]
    ground.put(Row(NOW - 7 * HOUR, delivered=9_000, stream="eu/news"))
    judged(judge, start + MINUTE_MS)
    over = start + 31 * MINUTE_MS
    assert [each.kind for each in judged(judge, over)] == ["resolved"]
    ground.put(
        Row(over // 1000 - 30 * MINUTE, delivered=50_000, hard=900, stream="receipts"),
        Row(over // 1000 + 2 * HOUR, hard=900, stream="eu/offers"),
    )
    (opened,) = judged(judge, NOW_MS)
    assert (opened.kind, opened.episode) == ("opened", 2)


def test_late_mail_through_a_listed_address_opens_the_same_alert(ground: Ground) -> None:
    judge = judge_of(ground, short(metric="exposure"))
    start = NOW_MS - 7 * HOUR_MS
    ground.listed("192.0.2.1", 7 * HOUR + 20 * MINUTE)  # longer ago than it is waited for others of the same scan
    ground.put(Row(NOW - 7 * HOUR, delivered=1_000))
    assert [each.kind for each in judged(judge, start)] == ["opened"]
    ground.put(Row(NOW - 7 * HOUR, delivered=90_000, ip="192.0.2.9"))
    judged(judge, start + MINUTE_MS)
    assert [each.kind for each in judged(judge, start + 31 * MINUTE_MS)] == ["resolved"]
    ground.put(Row(NOW - 7 * HOUR, delivered=20_000))
    (again,) = judged(judge, NOW_MS)
    assert (again.kind, again.cause, again.episode) == ("reopened", "late_events", 1)


def test_many_alerts_that_late_counts_may_reopen_cost_no_more_queries_than_one(ground: Ground) -> None:
    """Alerts that may open again by late counts are looked at together."""
    customers = ["acme", *(f"customer{number}" for number in range(19))]  # not more than the brake allows
    judge = judge_of(ground, short())
    start = NOW_MS - 7 * HOUR_MS
    ground.put(*(Row(NOW - 7 * HOUR, delivered=900, hard=60, customer=each) for each in customers))
    judge.judge_customers(customers, start)
    ground.put(*(Row(NOW - 7 * HOUR, delivered=9_000, customer=each) for each in customers))
    judge.judge_customers(customers, start + MINUTE_MS)
    assert len(judge.judge_customers(customers, start + 31 * MINUTE_MS).alerts) == len(customers)
    ground.put(*(Row(NOW - 7 * HOUR, hard=900, customer=each) for each in customers))

    def queries(some: list[str]) -> tuple[int, list[str]]:
        counting = Counting(ground.store)
        again = BatchJudge(counting, short(), providers.load_providers(), lambda *_: None, lambda: None)
        kinds: list[str] = [each.data.kind for each in again.judge_customers(some, NOW_MS).alerts]
        return len(counting.asked), kinds

    one, _ = queries(customers[:1])
    many, kinds = queries(customers[1:])
    assert kinds == ["reopened"] * 19
    assert many <= one


def test_what_opens_again_soon_is_the_same_alert_with_the_same_history(ground: Ground) -> None:
    judge = judge_of(ground, short())
    over = resolved_at(ground, judge)
    ground.put(Row(over // 1000, hard=900))
    (again,) = judged(judge, over + 10 * MINUTE_MS)
    assert (again.kind, again.episode, again.transition) == ("reopened", 1, 3)
    rows = ground.store.rows("SELECT DISTINCT JSONExtractString(event, 'data', 'alert_id') FROM alerts")
    assert [str(each) for (each,) in rows] == [again.alert_id]


def test_replay_of_the_same_judgements_gives_the_same_ids(ground: Ground) -> None:
    """The states were lost with the disk, the alerts were not."""
    judge = judge_of(ground, short())
    over = resolved_at(ground, judge)
    ground.put(Row(over // 1000, hard=900))
    judged(judge, over + 10 * MINUTE_MS)
    ids = "SELECT id FROM alerts FINAL ORDER BY transition"
    sent = ground.store.rows(ids)
    ground.store.run("TRUNCATE TABLE alert_states")
    ground.store.run("TRUNCATE TABLE counts")
    again = judge_of(ground, short())
    over = resolved_at(ground, again)
    ground.put(Row(over // 1000, hard=900))
    judged(again, over + 10 * MINUTE_MS)
    assert ground.store.rows(ids) == sent
    assert len(sent) == 3


def test_open_alert_that_changes_nothing_is_written_once_a_minute(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=300))
    judge = ground.judge()
    for second in range(0, 130, 10):
        judge.judge_customers(["acme"], NOW_MS + second * 1000)
    sql = "SELECT countIf(empty(unsent)), countIf(notEmpty(unsent)) FROM alert_states WHERE rule = 'failure'"
    assert tuple(ground.store.rows(sql)[0]) == (3, 1), "the opening is stored before it is sent, too"
    (state,) = (each for each in read_states(ground.store, ["acme"]).values() if each.rule == "failure")
    assert state.basis is not None
    assert state.basis.time_ms == NOW_MS + 120_000
    assert state.basis.counts["24h"] == (300, 1_200)
