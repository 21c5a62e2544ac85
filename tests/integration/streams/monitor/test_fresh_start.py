"""A customer that is given a fresh start: its alerts end at once, and what it sends from then on is judged alone."""

import asyncio
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import app
from api.explain.build import explain
from api.explain.worst import worst
from api.http.rates import Definition
from api.http.standing import standing
from api.text.explanation import lines
from jobs.operator.decisions import DecisionError
from jobs.operator.fresh_starts import give_fresh_start
from jobs.operator.suspensions import suspend, unsuspend
from schemas import policy, providers
from schemas.alert import Unjudged
from schemas.policy import Policy
from schemas.settings import ClickHouse, Kafka, MonitorSettings
from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_CHANGES
from streams.io.broker import Publisher
from streams.io.store import Store
from streams.monitor.agent import Monitor
from streams.monitor.batch import BatchJudge
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.judging import LOOP, NOW_MS, Ground
from tests.support.rich_history import Mail, store_mail
from tests.support.waiting import until

POLICY = policy.load_policy()
BAD = Row(NOW - 10 * MINUTE, delivered=900, hard=150)
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def said(ground: Ground) -> list[tuple[str, str, str, str | None, int]]:
    return [
        (each.data.rule, each.data.kind, each.data.level, each.data.cause, each.data.episode) for each in ground.sent
    ]


@pytest.mark.usefixtures("standing_clock")
def test_open_alerts_are_resolved_at_once_and_say_why(ground: Ground) -> None:
    ground.put(BAD)
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    assert ("failure", "opened", "critical", "events", 1) in said(ground)
    opened = {each.data.rule for each in ground.sent}
    ground.sent.clear()
    suspend(ground.store, "acme", by="Ida", why="list bought", now_ms=NOW_MS + 1000)
    unsuspend(ground.store, "acme", by="Ben", why="list mended", now_ms=NOW_MS + 2000, fresh_start=True)
    judge.judge_customers(["acme"], NOW_MS + 2001)
    assert set(said(ground)) == {(rule, "resolved", "good", "fresh-start", 1) for rule in opened}
    (failure,) = (each.data.explanation for each in ground.sent if each.data.rule == "failure")
    assert failure == (
        "0 of 0 recipients failed (hard bounces and expired mail), of mail sent in the last 1h, since "
        "mail from before no longer counts; resolved from critical. "
        "Counted since 2026-03-12T12:35:00.000Z, a fresh start given by the operator (150 of 1,050 before)."
    )
    judge.judge_customers(["acme"], NOW_MS + 9000)
    assert len(ground.sent) == len(opened)


@pytest.mark.usefixtures("standing_clock")
def test_monitor_that_sees_a_fresh_start_keeps_nothing_of_before_it(ground: Ground) -> None:
    """Who is erased is given one, and it and the counts are gone before the customer may be judged again."""
    ground.put(Row(NOW - 3 * DAY, delivered=9_000, hard=1_500))
    judge = ground.judge(long_windows_every_s=3_600.0)
    judge.judge_customers(["acme"], NOW_MS)
    assert {each.data.kind for each in ground.sent} == {"opened"}
    give_fresh_start(ground.store, "acme", by="Ida", why="(erased)", now_ms=NOW_MS)
    assert judge.refresh_fresh_starts(NOW_MS + 1) == {"acme"}
    for table in ("counts", "fresh_starts", "alerts", "alert_states", "standings"):
        ground.store.run(f"TRUNCATE TABLE {table}")
    ground.sent.clear()
    judge.judge_customers(["acme"], NOW_MS + 2)
    assert not ground.sent


@pytest.mark.usefixtures("standing_clock")
def test_what_is_bad_after_a_fresh_start_is_an_alert_of_its_own(ground: Ground) -> None:
    ground.put(BAD)
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    give_fresh_start(ground.store, "acme", by="Ben", why="", now_ms=NOW_MS)
    later_ms = NOW_MS + 20 * MINUTE_MS
    judge.judge_customers(["acme"], NOW_MS + 1)
    ground.sent.clear()
    ground.put(Row(NOW + 2 * MINUTE, delivered=300, hard=150))
    judge.judge_customers(["acme"], later_ms)
    (failure,) = (each.data for each in ground.sent if each.data.rule == "failure")
    # Within the cool-down of the first, and yet it is not the same.
    assert (failure.kind, failure.episode, failure.numerator, failure.denominator) == ("opened", 2, 150, 450)
    assert failure.explanation.endswith(
        "Counted since 2026-03-12T12:35:00.000Z, a fresh start given by the operator (150 of 1,050 before)."
    )
    assert failure.evidence.left_out == (Unjudged(reason="fresh-start", count=150, volume=1_050),)
    assert failure.evidence.providers[0].count == 150


@pytest.mark.usefixtures("standing_clock")
def test_listing_in_force_keeps_its_alert(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=900))
    ground.listed("192.0.2.1", 2 * HOUR, "critical")
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    assert ("critical_listing", "opened", "critical") in {each[:3] for each in said(ground)}
    ground.sent.clear()
    give_fresh_start(ground.store, "acme", by="Ben", why="", now_ms=NOW_MS)
    judge.judge_customers(["acme"], NOW_MS + 1)
    assert "critical_listing" not in {each[0] for each in said(ground)}
    assert ground.shown()["acme"][0] == "critical"


@pytest.mark.usefixtures("standing_clock")
def test_good_standing_suspended_and_reinstated_are_told_apart(ground: Ground) -> None:
    ground.put(BAD, BAD._replace(hard=0, customer="fine"))
    judge = ground.judge()

    def shown(now_ms: int) -> tuple[str, str | None, str, str]:
        judge.judge_customers(["acme", "fine"], now_ms)
        at = {each.customer: each.standing for each in worst(ground.store, POLICY, LOOP, 10, now_ms)}
        definition = Definition(LOOP, expired_is_failure=True)
        answer = standing(ground.store, "acme", definition, POLICY, now_ms).scopes[0]
        return at["acme"], answer.standing, str(answer.fresh_start), at["fine"]

    assert shown(NOW_MS) == ("critical", "critical", "None", "good")
    suspend(ground.store, "acme", by="Ida", why="list bought", now_ms=NOW_MS + 1000)
    assert shown(NOW_MS + 2000) == ("suspended", "suspended", "None", "good")
    unsuspend(ground.store, "acme", by="Ben", why="list mended", now_ms=NOW_MS + 3000, fresh_start=True)
    since = "2026-03-12 12:35:00+00:00"
    assert shown(NOW_MS + 4000) == ("reinstated", "reinstated", since, "good")
    explained = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + 4000, past=False)
    assert explained is not None
    text = list(lines(explained))
    assert text[1] == "counted since 2026-03-12T12:35:00.000Z (fresh start by Ben: list mended)"
    assert "all mail: reinstated since 2026-03-12T12:34:59.000Z by Ben: list mended; judged" in "\n".join(text)
    # Of a moment before it nothing is said, and the counts of then are there.
    before = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + 2000, past=True)
    assert before is not None and before.fresh_start is None
    assert "suspended since 2026-03-12T12:34:57.000Z by Ida" in "\n".join(lines(before))
    # A level counts for more than that one was reinstated.
    ground.put(Row(NOW + 2 * MINUTE, delivered=300, hard=150))
    assert shown(NOW_MS + 20 * MINUTE_MS) == ("critical", "critical", since, "good")
    again = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + 20 * MINUTE_MS, past=False)
    assert again is not None
    (head,) = [line for line in lines(again) if line.startswith("all mail: ")]
    assert head.startswith("all mail: critical since ")
    assert head.endswith("; suspension lifted 2026-03-12T12:34:59.000Z by Ben: list mended")
    late_ms = NOW_MS + 31 * DAY * 1000
    shown(late_ms - 5 * HOUR_MS)  # from there on it holds for a while
    assert shown(late_ms)[:3] == ("inactive", "inactive", "None")


@pytest.mark.usefixtures("standing_clock")
def test_lifting_without_a_fresh_start_leaves_the_counts_as_they_are(ground: Ground) -> None:
    ground.put(BAD)
    judge = ground.judge()
    judge.judge_customers(["acme"], NOW_MS)
    suspend(ground.store, "acme", by="Ida", why="list bought", now_ms=NOW_MS + 1000)
    unsuspend(ground.store, "acme", by="Ben", why="", now_ms=NOW_MS + 2000)
    judge.judge_customers(["acme"], NOW_MS + 3000)
    assert ground.shown()["acme"][0] == "critical"
    assert {each.data.kind for each in ground.sent} == {"opened"}


@pytest.mark.usefixtures("standing_clock")
def test_decision_is_on_record_and_what_cannot_be_is_refused(ground: Ground) -> None:
    ground.put(BAD)
    with pytest.raises(DecisionError, match="--by: is empty"):
        give_fresh_start(ground.store, "acme", by=" ", why="", now_ms=NOW_MS)
    with pytest.raises(DecisionError, match="is not suspended"):
        unsuspend(ground.store, "acme", by="Ben", why="", now_ms=NOW_MS, fresh_start=True)
    assert ground.store.rows("SELECT count() FROM fresh_starts")[0][0] == 0
    suspend(ground.store, "acme", by="Ida", why="list bought", now_ms=NOW_MS)
    unsuspend(ground.store, "acme", by="Ben", why="list mended", now_ms=NOW_MS + 1, fresh_start=True)
    rows = ground.store.rows("SELECT action, who, why FROM audit WHERE who = 'Ben' ORDER BY action")
    assert [tuple(row) for row in rows] == [
        ("customer unsuspended", "Ben", "list mended"),
        ("fresh start given", "Ben", "list mended"),
    ]


def test_commands_give_a_fresh_start(ground: Ground, store_settings: ClickHouse, tmp_path: Path) -> None:
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')

    def printed(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["--config", str(config), *words])
        assert done.exit_code == code, done.output
        return done.output or str(done.exception)

    now_ms = utc_now_ms()
    ground.put(Row(now_ms // 1000 - 600, delivered=900, hard=300))
    ground.judge().judge_customers(["acme"], now_ms)
    printed("suspend", "acme", "--by", "Ida", "--why", "list bought")
    told = printed("unsuspend", "acme", "--by", "Ida").splitlines()
    assert told[1] == "what it sent before still counts; --fresh-start begins anew"
    printed("suspend", "acme", "--by", "Ida", "--why", "list bought")
    told = printed("unsuspend", "acme", "--fresh-start", "--by", "Ben", "--why", "list mended").splitlines()
    assert told[1].startswith("fresh start: acme is judged by what it sends from 20")
    assert "(fresh start by Ben: list mended)" in printed("explain", "acme")
    override = ("override", "add", "acme", "--rule", "failure", "--level", "warning", "--until", "1d")
    decided = ("--by", "Eva", "--why", "agreed", "--fresh-start")
    assert "fresh start: acme is judged" in printed(*override, *decided)
    assert "(fresh start by Eva: agreed)" in printed("explain", "acme")
    assert "does not go with --stream" in printed(*override, *decided, "--stream", "news", code=1)


def test_running_monitor_learns_of_it_and_judges_at_once(embedded_kafka: Kafka, store: Store, tmp_path: Path) -> None:
    ground, now_s = Ground(store), utc_now_ms() // 1000
    store_mail(store, [Mail(now_s - 600, "acme", delivered=900, hard=150), Mail(now_s - 900, "acme", delivered=90)])

    async def run(by: Policy) -> None:
        publisher = Publisher(embedded_kafka)
        judge = BatchJudge(store, by, providers.load_providers(), publisher.publish, publisher.flush)
        # Nobody is judged again but for a reason.
        settings = MonitorSettings(sweep_s=3600.0)
        monitor = Monitor(embedded_kafka, settings, judge, tmp_path, publisher.partitions(REPUTATION_CHANGES))
        await monitor.start()
        try:
            await until(lambda: ground.shown().get("acme", ("",))[0] == "critical", "the verdict")
            give_fresh_start(store, "acme", by="Ben", why="", now_ms=utc_now_ms())
            await until(lambda: ground.shown()["acme"][0] != "critical", "the release")
        finally:
            assert await monitor.stop(10)

    asyncio.run(run(POLICY))
    ((causes,),) = store.rows("SELECT groupUniqArray(cause) FROM alerts WHERE kind = 'resolved'")
    assert causes == ["fresh-start"]


#: Who never sent in any window.
NOT_YET = "insufficient_volume"
SCENARIOS = tomllib.loads(Path(__file__).with_name("fresh_starts.toml").read_text(encoding="utf-8"))["scenario"]


@pytest.mark.usefixtures("standing_clock")
def test_scenarios(ground: Ground) -> None:
    """All of them at once, each by a customer of its own; a fleet of a dozen has no incidents."""
    begin = NOW // HOUR * HOUR
    judge = ground.judge(long_windows_every_s=0)
    names = [f"customer {number}" for number in range(len(SCENARIOS))]

    def come(first: int, last: int) -> None:
        store_mail(
            ground.store,
            [
                Mail(
                    begin + mail["hour"] * HOUR + mail.get("minute", 20) * MINUTE,
                    name,
                    ip=f"192.0.2.{number}",
                    pool=name,
                    domain=f"{number}.example",
                    **{key: value for key, value in mail.items() if key not in ("hour", "minute", "came")},
                )
                for number, (name, scenario) in enumerate(zip(names, SCENARIOS, strict=True))
                for mail in scenario["mail"]
                if first <= mail.get("came", mail["hour"]) < last
            ],
        )

    come(-2_000, 0)
    judge.judge_customers(names, begin * 1000)
    before = {name: ground.shown()[name][0] for name in names if name in ground.shown()}
    for name in names:
        give_fresh_start(ground.store, name, by="Ida", why="list mended", now_ms=begin * 1000)
    stood: dict[str, dict[str, str]] = {name: {} for name in names}
    for hour in range(31):
        come(hour - 1, hour)
        judge.judge_customers(names, (begin + hour * HOUR) * 1000)
        shown = ground.shown()
        for name in names:
            stood[name][str(hour)] = shown.get(name, (NOT_YET, 0, 0))[0]
    for name, scenario in zip(names, SCENARIOS, strict=True):
        assert before.get(name, NOT_YET) == scenario["before"], scenario["name"]
        found = {hour: stood[name][hour] for hour in scenario["after"]}
        assert found == scenario["after"], scenario["name"]
