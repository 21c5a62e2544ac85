"""What operators decide: an override is judged by until it ends, an alert is acknowledged, and both stay on record."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from api.cli.main import app
from api.explain.build import explain
from api.stack.stages import MonitorStage
from api.text.explanation import lines
from jobs.operator.customers import set_customer
from jobs.operator.decisions import DecisionError, acknowledge, add_override, check_known, end_override
from schemas import policy
from schemas.alert import Acknowledgement, AlertData
from schemas.policy import Policy
from schemas.policy_override import Override
from schemas.policy_rule import Levels
from schemas.settings import ClickHouse, Kafka, MonitorSettings, Settings
from schemas.times import HOUR_MS
from streams.decisions.overrides import StoredOverride, with_stored
from streams.decisions.stored_overrides import OverrideWatch, stored_overrides
from streams.io.store import Store
from streams.monitor.batch import BatchJudge
from tests.support.api_client import MINUTE, NOW, Row, running
from tests.support.judging import LOOP, NOW_MS, Ground
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()


def decided(ground: Ground, **changes: object) -> StoredOverride:
    fields: dict[str, object] = {
        "customer": "acme",
        "rule": "failure",
        "at_most": "none",
        "until_ms": NOW_MS + HOUR_MS,
        "stream": "",
        "by": "Ida",
        "why": "list under review",
        "now_ms": NOW_MS,
    }
    return add_override(ground.store, POLICY, **(fields | changes))  # type: ignore[arg-type]


def actions(ground: Ground) -> list[tuple[str, str, str, str]]:
    rows = ground.store.rows("SELECT action, who, customer, why FROM audit ORDER BY time")
    return [(str(action), str(who), str(customer), str(why)) for action, who, customer, why in rows]


def test_override_is_stored_until_it_is_ended_and_both_stay_on_record(ground: Ground) -> None:
    added = decided(ground)
    assert stored_overrides(ground.store, NOW_MS) == [added]
    assert stored_overrides(ground.store, NOW_MS, "rival") == []
    assert stored_overrides(ground.store, NOW_MS - 1) == []
    ended = end_override(ground.store, added.id[:5], by="Ben", why="mended", now_ms=NOW_MS + 5)
    assert ended == added
    assert stored_overrides(ground.store, NOW_MS + 5) == []
    assert stored_overrides(ground.store, NOW_MS + 4) == [added], "as it was then"
    assert actions(ground) == [
        ("override added", "Ida", "acme", "list under review"),
        ("override ended", "Ben", "acme", "mended"),
    ]


def test_monitor_judges_by_an_override_from_the_next_look_on(ground: Ground) -> None:
    """And no more once it ends."""
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=300))
    now = [NOW_MS]
    watch = OverrideWatch(ground.store, POLICY, None, lambda: now[0])
    assert watch.newer() is None
    decided(ground)
    merged = watch.newer()
    assert merged is not None
    assert watch.newer() is None, "reported once"
    judge = ground.judge()
    judge.set_policy(merged)
    assert judge.judge_customers(["acme"], NOW_MS).alerts == []
    now[0] = NOW_MS + HOUR_MS
    after = watch.newer()
    assert after == POLICY
    judge.set_policy(after)
    (alert,) = judge.judge_customers(["acme"], NOW_MS + HOUR_MS).alerts
    assert (alert.data.rule, alert.data.level, alert.data.policy_version) == ("failure", "critical", POLICY.version)


def test_watch_puts_overrides_over_a_policy_that_was_applied_meanwhile(ground: Ground) -> None:
    other = msgspec.structs.replace(POLICY, name="other")
    reported: list[Policy | None] = [other]
    newer: Callable[[], Policy | None] = lambda: reported.pop() if reported else None  # noqa: E731
    decided(ground)
    watch = OverrideWatch(ground.store, POLICY, newer, lambda: NOW_MS)
    found = watch.newer()
    assert found == with_stored(other, stored_overrides(ground.store, NOW_MS), NOW_MS)
    assert found is not None and found.version == other.version
    assert watch.newer() is None


def test_watch_writes_overrides_of_a_plan_out_for_who_has_it_by_now(ground: Ground) -> None:
    of_plan = Override(plan="free", rule="failure", reason="trial", levels=Levels(excessive=0.02))
    policy = POLICY.with_overrides((of_plan,))
    watch = OverrideWatch(ground.store, policy, None, lambda: NOW_MS)

    def levels() -> dict[str, float]:
        found = watch.newer()
        assert found is not None
        return {each.customer: dict(each.levels.given())["excessive"] for each in found.overrides if each.levels}

    assert levels() == {}, "nobody has the plan"
    set_customer(ground.store, "acme", plan="free", domains=None, by="Ida", why="", now_ms=NOW_MS)
    assert levels() == {"acme": 0.02}
    assert watch.newer() is None, "reported once"
    set_customer(ground.store, "beta", plan="free", domains=None, by="Ida", why="", now_ms=NOW_MS + 1)
    set_customer(ground.store, "acme", plan="pro", domains=None, by="Ida", why="", now_ms=NOW_MS + 2)
    assert levels() == {"beta": 0.02}


def test_running_monitor_respects_an_override_and_its_end_within_seconds(
    embedded_kafka: Kafka, store_settings: ClickHouse, store: Store, tmp_path: Path
) -> None:
    def alarmed() -> set[str]:
        return {str(customer) for (customer,) in store.rows("SELECT DISTINCT customer FROM alerts")}

    async def run() -> None:
        ground, now = Ground(store), int(time.time())
        ground.put(*(Row(now - 600, delivered=900, hard=300, customer=name) for name in ("acme", "rival")))
        added = decided(ground, now_ms=now * 1000, until_ms=now * 1000 + HOUR_MS)
        soon = MonitorSettings(alone_wait_s=0.1)
        stage = MonitorStage(Settings(kafka=embedded_kafka, clickhouse=store_settings, monitor=soon), tmp_path)
        await stage.start()
        try:
            await until(lambda: alarmed() == {"rival"}, "the alert of the other")
            end_override(store, added.id, by="Ida", why="over", now_ms=int(time.time() * 1000))
            await until(lambda: alarmed() == {"acme", "rival"}, "the alert", deadline_s=10)
        finally:
            await stage.stop(10)

    asyncio.run(run())


def judged_with_decisions(ground: Ground, judge: BatchJudge, at_ms: int) -> list[AlertData]:
    judge.set_policy(with_stored(POLICY, stored_overrides(ground.store, at_ms), at_ms))
    return [each.data for each in judge.judge_customers(["acme"], at_ms).alerts]


def test_open_alert_that_is_overridden_goes_down_at_once(ground: Ground) -> None:
    """It comes back when the override ends."""
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=300))
    judge = ground.judge()
    (opened,) = judge.judge_customers(["acme"], NOW_MS).alerts
    added = decided(ground, until_ms=NOW_MS + HOUR_MS)
    (overridden,) = judged_with_decisions(ground, judge, NOW_MS + 1)
    assert (overridden.kind, overridden.cause, overridden.level) == ("overridden", "override", "good")
    assert overridden.override is not None
    assert (overridden.override.id, overridden.override.by, overridden.override.why) == (
        added.id,
        "Ida",
        "list under review",
    )
    assert overridden.override.until_ms == added.until_ms
    assert overridden.explanation.startswith(
        "An override by the operator is in force until 2026-03-12T13:34:56.000Z. From critical to good. 300 of "
    )
    assert ground.shown()["acme"][0] == "good"
    assert judged_with_decisions(ground, judge, NOW_MS + 30 * 60_000) == []
    (back,) = judged_with_decisions(ground, judge, NOW_MS + HOUR_MS)
    assert (back.kind, back.cause, back.level, back.override) == ("override-ended", "override", "critical", None)
    assert back.alert_id == overridden.alert_id == opened.data.alert_id
    assert back.explanation.startswith("The override by the operator is over. From good to critical. 300 of ")
    assert ground.shown()["acme"][0] == "critical"


def test_another_monitor_goes_on_with_what_was_decided(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=300))
    ground.judge().judge_customers(["acme"], NOW_MS)
    added = decided(ground)
    assert [each.kind for each in judged_with_decisions(ground, ground.judge(), NOW_MS + 1)] == ["overridden"]
    assert judged_with_decisions(ground, ground.judge(), NOW_MS + 2) == []
    end_override(ground.store, added.id, by="Ben", why="", now_ms=NOW_MS + 3)
    assert [each.kind for each in judged_with_decisions(ground, ground.judge(), NOW_MS + 3)] == ["override-ended"]


def test_alert_that_an_override_suppressed_ends_although_its_mail_is_gone(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=300))
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    decided(ground)
    judged_with_decisions(ground, judge, NOW_MS + 1)
    ground.store.run("TRUNCATE TABLE counts")
    assert ground.judge().everybody(NOW_MS + HOUR_MS) == {"acme"}, "or nobody would judge it any more"
    assert [each.kind for each in judged_with_decisions(ground, ground.judge(), NOW_MS + HOUR_MS)] == ["resolved"]


def test_acknowledgement_becomes_part_of_the_alert_and_is_sent_once(ground: Ground) -> None:
    warned = Row(NOW - 10 * MINUTE, delivered=900, hard=60)
    ground.put(warned, warned._replace(customer="rival"))
    judge = ground.judge()
    opened = {each.data.customer: each.data for each in judge.judge_customers(["acme", "rival"], NOW_MS).alerts}
    acknowledge(ground.store, opened["acme"].alert_id, by="Ida", why="called them", now_ms=NOW_MS + 1000)
    (recorded,) = judge.judge_customers(["acme", "rival"], NOW_MS + 2000).alerts
    assert (recorded.data.customer, recorded.data.kind, recorded.data.cause) == ("acme", "acknowledged", "operator")
    assert (recorded.data.level, recorded.data.previous_level) == (opened["acme"].level, opened["acme"].level)
    assert recorded.data.acknowledged == Acknowledgement(by="Ida", why="called them", time_ms=NOW_MS + 1000)
    assert recorded.data.explanation.startswith("Acknowledged. 60 of ")
    assert ground.judge().judge_customers(["acme", "rival"], NOW_MS + 3000).alerts == []
    ground.put(Row(NOW - 10 * MINUTE, hard=300))
    (escalated,) = judge.judge_customers(["acme"], NOW_MS + 4000).alerts
    assert (escalated.data.kind, escalated.data.acknowledged) == ("escalated", None)
    explained = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + 5000, past=False)
    assert explained is not None
    life = next(each.alert for each in explained.scopes[0].rules if each.rule == "failure")
    assert life is not None and life.acknowledged is None
    assert [each.kind for each in life.history] == ["opened", "acknowledged", "escalated"]
    assert life.history[1].said == "by Ida: called them"


def test_acknowledged_alert_is_reported_with_who_and_why(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=300))
    (alert,) = ground.judge().judge_customers(["acme"], NOW_MS).alerts
    found = acknowledge(ground.store, alert.data.alert_id[:8], by="Ida", why="called them", now_ms=NOW_MS + 1000)
    assert found == alert.data
    explained = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + 2000, past=False)
    assert explained is not None
    assert "2026-03-12T12:34:57.000Z  acknowledged by Ida: called them" in "\n".join(lines(explained))
    before = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + 500, past=True)
    assert before is not None
    assert "acknowledged" not in "\n".join(lines(before))
    assert actions(ground) == [("alert acknowledged", "Ida", "acme", "called them")]


def test_resolved_alert_cannot_be_acknowledged(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=300))
    judge = ground.judge()
    (alert,) = judge.judge_customers(["acme"], NOW_MS).alerts
    ground.put(Row(NOW, delivered=90_000))
    judge.judge_customers(["acme"], NOW_MS + HOUR_MS)
    judge.judge_customers(["acme"], NOW_MS + 2 * HOUR_MS)
    with pytest.raises(DecisionError, match="is resolved"):
        acknowledge(ground.store, alert.data.alert_id, by="Ida", why="", now_ms=NOW_MS + 3 * HOUR_MS)
    assert actions(ground) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"rule": "speed"}, "--rule: .* has no rule 'speed'; it has complaint, failure"),
        ({"at_most": "dreadful"}, "--level: 'dreadful' is not one of none, watch"),
        ({"until_ms": NOW_MS}, "--until: .* is over"),
        ({"until_ms": NOW_MS + 401 * 24 * HOUR_MS}, "--until: .* more than 400 days ahead"),
        ({"by": " "}, "--by: is empty"),
        ({"why": ""}, "--why: is empty"),
        ({"customer": "ac\x1b[2Jme"}, r"CUSTOMER: contains the control character U\+001B"),
        ({"stream": "news\nletter"}, r"--stream: contains the control character U\+000A"),
        ({"customer": "x" * 257}, "CUSTOMER: is longer than 256 characters"),
    ],
)
def test_override_that_cannot_be_is_refused_and_nothing_is_stored(
    ground: Ground, changes: dict[str, object], fault: str
) -> None:
    with pytest.raises(DecisionError, match=fault):
        decided(ground, **changes)
    assert actions(ground) == []


def test_id_that_means_nothing_is_refused(ground: Ground) -> None:
    added = decided(ground)
    for name in ("", "zz", added.id + "0"):
        with pytest.raises(DecisionError, match="no override in force"):
            end_override(ground.store, name, by="Ida", why="", now_ms=NOW_MS + 1)
        with pytest.raises(DecisionError, match="no alert"):
            acknowledge(ground.store, name, by="Ida", why="", now_ms=NOW_MS + 1)
    with pytest.raises(DecisionError, match="no override in force"):
        end_override(ground.store, added.id, by="Ida", why="", now_ms=NOW_MS + 2 * HOUR_MS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("larkspur", "; did you mean 'larkspur-deals'?"),
        ("Lark", "; did you mean 'larkspur-deals'?"),
        ("lar", ""),  # too short a beginning to mean anybody
        ("larkspur-meals", "; did you mean 'larkspur-deals'?"),
        ("brightleaf", ""),
    ],
)
def test_beginning_of_a_name_names_who_may_be_meant(ground: Ground, name: str, meant: str) -> None:
    for customer in ("acme", "larkspur-deals"):
        ground.put(Row(NOW - 10 * MINUTE, delivered=900, customer=customer))
    ground.judge().judge_customers(["acme", "larkspur-deals"], NOW_MS)
    with pytest.raises(DecisionError) as refused:
        check_known(ground.store, name)
    assert str(refused.value) == f"nothing is stored of customer {name!r}{meant}"


def test_commands_make_show_and_end_decisions(ground: Ground, store_settings: ClickHouse, tmp_path: Path) -> None:
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')

    def said(*words: str) -> str:
        done = CliRunner().invoke(app, ["--config", str(config), *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    now = int(time.time())
    ground.put(Row(now - 600, delivered=900, hard=300))
    (alert,) = ground.judge().judge_customers(["acme"], now * 1000).alerts
    alert_id = alert.data.alert_id
    assert said("alerts", "ack", alert_id[:10], "--by", "Ida", "--why", "called them") == (
        f"acknowledged {alert_id}: acme failure critical, by Ida\n"
    )
    assert "acme failure critical" in said("alerts", "--customer", "acme"), "the list is what it was without a command"
    until = datetime.fromtimestamp(now + 3_600, UTC).isoformat()
    decision = ("--rule", "failure", "--level", "warning", "--until", until, "--by", "Ida", "--why", "list mended")
    added = said("override", "add", "acme", *decision)
    assert "acme failure: at most warning until " in added
    assert said("override", "list") == added
    explained = said("explain", "acme")
    assert "acknowledged by Ida: called them" in explained
    assert ": list mended (Ida)" in explained
    assert said("override", "end", added.split()[0], "--by", "Ida") == f"ended {added}"
    assert said("override", "list") == "no overrides\n"
    for words, fault in (
        (("acmee",), "nothing is stored of customer 'acmee'; did you mean 'acme'\\?"),
        (("pool:shared",), "nothing is stored of customer 'pool:shared'$"),
        (("acme", "--stream", "newz"), "--stream: customer 'acme' has sent nothing in a stream 'newz'; it has news"),
    ):
        with pytest.raises(DecisionError, match=fault):
            said("override", "add", *words, *decision)
    assert said("override", "list") == "no overrides\n", "a mistyped name decides nothing"
    with pytest.raises(DecisionError, match="nothing is stored of customer 'acmee'; did you mean 'acme'\\?"):
        said("explain", "acmee")
    assert "[news]" in said("override", "add", "acme", "--stream", "news", *decision)
    said("customers", "set", "beginner", "--by", "Ida")
    assert "beginner failure" in said("override", "add", "beginner", *decision)


def test_customer_sees_what_was_decided_and_not_by_whom_nor_why(
    store_settings: ClickHouse, store: Store, ground: Ground
) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=300))
    (alert,) = ground.judge().judge_customers(["acme"], NOW_MS).alerts
    with running(store_settings, store) as api:
        acknowledge(store, alert.data.alert_id, by="Ida", why="called them", now_ms=NOW_MS + 1)
        decided(ground, at_most="warning", by="Ben", why="pays well", now_ms=NOW_MS + 2)
        assert [each.kind for each in judged_with_decisions(ground, ground.judge(), NOW_MS + 3)] == [
            "acknowledged",
            "overridden",
        ]
        answer = api.get("/v1/standing")
        (scope,) = answer.json()["scopes"]
        assert [(each["rule"], each["level"]) for each in scope["open_alerts"]] == [("failure", "warning")]
        for word in ("Ida", "called", "Ben", "pays"):
            assert word not in answer.text
        ground.put(Row(NOW - 10 * MINUTE, delivered=90_000))
        judged_with_decisions(ground, ground.judge(), NOW_MS + HOUR_MS // 4)
        (resolved,) = judged_with_decisions(ground, ground.judge(), NOW_MS + HOUR_MS - 1)
        assert resolved.kind == "resolved"
        assert resolved.explanation.endswith("Override in force: by the operator.")
