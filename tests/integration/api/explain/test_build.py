"""Why a customer stands where it stands: with the very counts, now and at any moment, next to what was recorded."""

from typing import Any

import msgspec
import pytest

from api.cli.explain import moment, policy_then
from api.explain.build import explain
from api.explain.explanation import Explanation, RuleExplained, ScopeExplained
from api.text.explanation import lines
from jobs.operator.policy_store import apply
from schemas import policy
from schemas.counts import SubjectCounts
from schemas.policy import Policy
from schemas.policy_override import Override
from schemas.policy_rule import Levels
from schemas.settings import PolicySettings, Settings, SettingsError
from schemas.times import HOUR_MS
from streams.judge.allowance import Allowance
from streams.windows.current import window_counts
from streams.windows.past import counts_at
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.judging import CUSTOMERS, LOOP, NOW_MS, WINDOWS, Ground, traffic

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()


def explained(
    ground: Ground, customer: str = "acme", at_ms: int = NOW_MS, by: Policy = POLICY, *, past: bool = False
) -> Explanation:
    found = explain(ground.store, customer, by, LOOP, at_ms, past=past)
    assert found is not None
    return found


def scope(found: Explanation, name: str = "customer") -> ScopeExplained:
    return next(each for each in found.scopes if each.scope == name)


def rule(found: Explanation, name: str, of: str = "customer") -> RuleExplained:
    return next(each for each in scope(found, of).rules if each.rule == name)


def read_by_the_monitor(ground: Ground, at_ms: int) -> dict[str, list[SubjectCounts]]:
    """All customers at once, as a monitor reads those that wait."""
    found: dict[str, list[SubjectCounts]] = {customer: [] for customer in CUSTOMERS}
    for each in window_counts(ground.store, CUSTOMERS, WINDOWS, LOOP, at_ms):
        found[each.customer].append(each)
    return found


def text(found: Explanation) -> str:
    return "\n".join(lines(found))


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_now_are_those_the_monitor_reads(ground: Ground, seed: int) -> None:
    ground.put(*traffic(seed, 400), back=-HOUR)  # some of it ahead of the clock
    ground.listed("192.0.2.3", 3 * DAY)
    ground.listed("192.0.2.4", 40 * DAY, "critical")
    ground.put(Row(NOW - HOUR, delivered=50, ip="198.51.100.7", customer="customer1"))
    ground.listed("198.51.100.7", HOUR // 2, "critical")
    for customer, read in read_by_the_monitor(ground, NOW_MS).items():
        assert read
        assert counts_at(ground.store, customer, WINDOWS, LOOP, NOW_MS, include_later=True) == read


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_the_past_are_those_read_before_later_mail_came(ground: Ground, seed: int) -> None:
    at_ms = NOW_MS - 2 * DAY * 1000
    minute_over = at_ms // 1000 // MINUTE * MINUTE + MINUTE
    rows = traffic(seed, 600, 40 * DAY)
    ground.put(*(row for row in rows if row.at < minute_over))
    ground.listed("192.0.2.3", 5 * DAY)
    ground.put(Row(NOW - 3 * DAY, delivered=50, ip="198.51.100.7", customer="customer1"))
    ground.listed("198.51.100.7", 3 * DAY, "critical")
    before = read_by_the_monitor(ground, at_ms)
    ground.put(*(row for row in rows if row.at >= minute_over))
    ground.put(Row(NOW - DAY, delivered=50, ip="198.51.100.7", customer="customer2"))
    ground.listed("192.0.2.4", DAY)
    ground.listed("192.0.2.5", DAY, "critical")
    assert any(each.windows["1h"].critical_listings for each in before["customer1"])
    after = read_by_the_monitor(ground, at_ms)
    for customer in CUSTOMERS:
        found = counts_at(ground.store, customer, WINDOWS, LOOP, at_ms, include_later=False)
        assert found == before[customer]
        assert found != after[customer], "a test that could not fail"


def test_verdict_is_explained_with_its_counts_and_what_is_left(ground: Ground) -> None:
    ground.put(Row(NOW - 2 * HOUR, delivered=10_000, complained=38))
    ground.judge().judge_customers(["acme"], NOW_MS)
    found = explained(ground)
    complaint = rule(found, "complaint")
    assert (scope(found).standing, scope(found).recorded, scope(found).since) == ("warning", "warning", found.time)
    assert (complaint.level, complaint.threshold, complaint.insufficient_volume) == ("warning", 0.001, False)
    assert [(each.numerator, each.denominator, each.level) for each in complaint.windows] == [
        (38, 10_000, "warning")
    ] * 4
    assert complaint.allowance == Allowance(remaining=5, level="excessive", window="30d")
    assert complaint.remarks == ()
    assert complaint.alert is not None
    assert [(each.kind, each.numerator, each.policy_version) for each in complaint.alert.history] == [
        ("opened", 38, POLICY.version)
    ]
    said = text(found)
    assert "all mail: warning since 2026-03-12T12:34:56.000Z" in said
    assert ">  24h  38 of 10,000: 0.38 % (99.63 % interval 0.20 % to 0.65 %), warning at 0.10 % or above" in said
    assert "5 more complaints until excessive (30d)" in said


def test_so_many_more_complaints_as_are_left_open_the_next_level(ground: Ground) -> None:
    ground.put(Row(NOW - 2 * HOUR, delivered=10_000, complained=40))
    left = rule(explained(ground), "complaint").allowance
    assert left is not None
    ground.put(Row(NOW, complained=left.remaining - 1))
    assert rule(explained(ground), "complaint").level == "warning"
    ground.put(Row(NOW, complained=1))
    assert rule(explained(ground), "complaint").level == left.level


def test_too_little_mail_is_said_with_the_minimum(ground: Ground) -> None:
    ground.put(Row(NOW - HOUR, delivered=60, hard=30))
    found = explained(ground)
    assert scope(found).standing == "insufficient_volume"
    assert rule(found, "failure").insufficient_volume
    assert rule(found, "failure").allowance is None
    assert "all mail: too small to judge" in text(found)
    assert "30 of 90: too few to judge (at least 100)" in text(found)


def test_each_stream_is_explained_next_to_all_mail(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=300), Row(NOW, delivered=9_000, stream="receipts"))
    found = explained(ground)
    assert [each.scope for each in found.scopes] == ["customer", "stream:news", "stream:receipts"]
    assert rule(found, "failure", "stream:news").level == "critical"
    assert rule(found, "failure", "stream:receipts").level == "good"
    assert "stream news: critical" in text(found)


def test_moment_of_the_past_shows_what_was_open_and_counted_then(ground: Ground) -> None:
    judge = ground.judge()
    ground.put(Row(NOW - 3 * HOUR, delivered=940, hard=90))
    judge.judge_customers(["acme"], NOW_MS - 3 * HOUR_MS)
    ground.put(Row(NOW - HOUR, hard=300))
    judge.judge_customers(["acme"], NOW_MS - HOUR_MS)
    then = explained(ground, at_ms=NOW_MS - 2 * HOUR_MS, past=True)
    failure = rule(then, "failure")
    assert (scope(then).standing, failure.level) == ("excessive", "excessive")
    assert failure.alert is not None
    assert [each.kind for each in failure.alert.history] == ["opened"]
    assert {(each.numerator, each.denominator) for each in failure.windows[1:]} == {(90, 1_030)}
    now = rule(explained(ground), "failure")
    assert now.alert is not None
    assert [each.kind for each in now.alert.history] == ["opened", "escalated"]
    assert explain(ground.store, "acme", POLICY, LOOP, NOW_MS - 4 * HOUR_MS, past=True) is None


def test_events_that_came_late_are_reported_by_their_numbers(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=940, hard=90))
    ground.judge().judge_customers(["acme"], NOW_MS - 2 * HOUR_MS)
    assert rule(explained(ground), "failure").remarks == ()
    ground.put(Row(NOW - 3 * HOUR, delivered=5, hard=200))
    failure = rule(explained(ground, at_ms=NOW_MS - HOUR_MS, past=True), "failure")
    assert failure.level == "critical"
    reached, recorded = failure.remarks
    assert reached.startswith("the counts now stored reach critical, recorded was excessive: events came late")
    assert (
        "recorded were 90 of 1,030 in 1h at 2026-03-12T10:34:56.000Z; counted for that moment are now 290 of 1,235"
        in (recorded)
    )
    assert f"! {recorded}" in text(explained(ground))


def test_alert_that_is_only_held_says_by_what(ground: Ground) -> None:
    judge = ground.judge()
    ground.put(Row(NOW, delivered=940, hard=90))
    judge.judge_customers(["acme"], NOW_MS)
    ground.put(Row(NOW, delivered=600))
    judge.judge_customers(["acme"], NOW_MS)
    held = rule(explained(ground), "failure").remarks
    assert held[0] == "excessive stays: it resolves when the rate has stayed below 0.04 in every window"
    ground.put(Row(NOW, delivered=9_000))
    judge.judge_customers(["acme"], NOW_MS + 60_000)
    found = explained(ground, at_ms=NOW_MS + 60_000)
    failure = rule(found, "failure")
    assert failure.remarks[0] == "below excessive since 2026-03-12T12:35:56.000Z: left when it has been for 30 minutes"
    assert scope(found).standing == scope(found).recorded == "excessive"


def test_override_in_force_is_reported_and_judged_by(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=300))
    lenient = Override(customer="acme", rule="failure", reason="agreed", levels=Levels(critical=0.5))
    found = explained(ground, by=msgspec.structs.replace(POLICY, overrides=(lenient,)))
    assert rule(found, "failure").level == "good"
    assert [each.reason for each in rule(found, "failure").overrides] == ["agreed"]
    assert rule(found, "block").overrides == ()
    assert "override of levels in force: agreed" in text(found)


def test_alert_of_a_rule_or_window_that_the_policy_has_no_more_is_reported(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=300))
    ground.judge().judge_customers(["acme"], NOW_MS)
    others = tuple(each for each in POLICY.rules if each.name != "failure")
    found = explained(ground, by=Policy(rules=others, windows=POLICY.windows))
    assert scope(found).remarks == ("an alert of rule failure is open, which this policy does not have",)
    assert scope(found).standing == "critical"


def test_customer_of_whom_nothing_is_stored_has_no_explanation(ground: Ground) -> None:
    assert explain(ground.store, "nobody", POLICY, LOOP, NOW_MS, past=False) is None


def test_answer_is_one_json_object(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=300))
    ground.judge().judge_customers(["acme"], NOW_MS)
    found = explained(ground)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Explanation) == found


@pytest.mark.parametrize(
    ("at", "fault"),
    [
        ("yesterday", "must be RFC 3339"),
        ("2026-03-12T12:00:00", "must be RFC 3339"),
        ("2026-03-12T12:35:00Z", "in the future"),
        ("2024-03-12T12:00:00Z", "longer ago than counts are kept"),
    ],
)
def test_moment_that_cannot_be_asked_about_is_named(at: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        moment(at, NOW_MS)


def test_moment_is_a_time_with_an_offset_or_now() -> None:
    expected: Any = NOW_MS - 56_000
    assert moment("2026-03-12T14:34:00+02:00", NOW_MS) == expected
    assert moment("", NOW_MS) is None


def test_moment_is_judged_by_the_policy_that_was_in_force_then(ground: Ground) -> None:
    default = policy.default_file().read_text(encoding="utf-8")
    second, third = (default.replace('name = "default"', f'name = "{name}"') for name in ("second", "third"))
    for text, at_ms in ((second, NOW_MS - 2 * HOUR_MS), (third, NOW_MS - HOUR_MS)):
        apply(ground.store, text, "test", "Ida", "", at_ms)

    def name_at(ago_ms: int, settings: Settings) -> str:
        return policy_then(settings, ground.store, NOW_MS - ago_ms).name

    names = [name_at(ago, Settings()) for ago in (2 * HOUR_MS + 1, 2 * HOUR_MS, HOUR_MS + 1, HOUR_MS, 0)]
    assert names == ["default", "second", "second", "third", "third"]
    named = Settings(policy=PolicySettings(file=str(policy.default_file())))
    assert name_at(0, named) == "default", "a file that the settings name stays in force"
