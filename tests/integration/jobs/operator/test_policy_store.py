"""Applying a policy: in force at once, for good, and never in the place of a good one if it is bad."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import TopicPartition

from api.cli.main import app
from api.stack.stages import MonitorStage
from jobs.operator.policy_store import PolicyChangedError, apply, publish
from schemas import policy
from schemas import settings as setting
from schemas.applied_policy import MAX_TEXT_BYTES, AppliedPolicy
from schemas.policy_metric import PolicyError
from schemas.settings import ClickHouse, Kafka, Settings
from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_POLICY
from streams.decisions.applied_policies import PolicyWatch, history, named, newest
from streams.io.broker import BrokerError, consumer
from streams.io.store import Store

#: The time in which a running monitor is to judge by a new policy.
TAKEN_UP_S = 10.0
DEFAULT = policy.load_policy()
STRICT = """
name = "strict"

[[rules]]
name = "failure"
metric = "failure"
windows = ["24h"]
min_volume = 100
levels = { warning = 0.005 }
"""
BAD = STRICT.replace("0.005", "5").replace("100", '"many"')
JUDGED = "SELECT standing, policy_version FROM standings FINAL WHERE customer = 'acme' AND scope = 'customer'"
ALERTED = "SELECT level, policy_version FROM alerts FINAL WHERE customer = 'acme' AND scope = 'customer' ORDER BY time"
AUDITED = "SELECT who, action, customer, subject, why, detail FROM audit FINAL ORDER BY time"


@dataclass
class Ground:
    """A store, perhaps a broker, and the command line over both."""

    settings: Settings
    store: Store
    folder: Path

    def file(self, text: str, name: str = "mine.toml") -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return str(self.folder / name)

    def run(self, *words: str, **sections: dict[str, Any]) -> Result:
        """The command, with settings in a file."""
        plain = {
            "kafka": msgspec.to_builtins(self.settings.kafka),
            "clickhouse": msgspec.to_builtins(self.settings.clickhouse),
            **sections,
        }
        lines = []
        for section, fields in plain.items():
            tables = {name: value for name, value in fields.items() if isinstance(value, dict)}
            lines.append(f"[{section}]")
            lines += [f"{name} = {json.dumps(value)}" for name, value in fields.items() if name not in tables]
            for name, table in tables.items():
                lines.append(f"[{section}.{name}]")
                lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
        file = self.folder / "repmon.toml"
        file.write_text("\n".join(lines), encoding="utf-8")
        return CliRunner().invoke(app, ["--config", str(file), *words])

    def apply(self, text: str, by: str = "jane", why: str = "agreed") -> Result:
        return self.run("policy", "apply", self.file(text), "--by", by, "--why", why)

    def sent(self, delivered: int, hard: int) -> None:
        """Mail of acme's, a minute ago."""
        self.store.insert(
            "counts",
            {
                "customer": ["acme"], "stream": ["news"], "dimension": ["provider"], "value": ["yahoo"],
                "bucket": [datetime.fromtimestamp(time.time() // 60 * 60 - 60, UTC)], "source": ["test"],
                "delivered": [delivered], "hard": [hard],
            },
        )  # fmt: skip


@pytest.fixture
def ground(store_settings: ClickHouse, store: Store, embedded_kafka: Kafka, tmp_path: Path) -> Ground:
    return Ground(Settings(kafka=embedded_kafka, clickhouse=store_settings), store, tmp_path)


async def until(store: Store, sql: str, wanted: list[tuple[Any, ...]], deadline_s: float) -> None:
    end = time.monotonic() + deadline_s
    while (found := [tuple(row) for row in store.rows(sql)]) != wanted:
        assert time.monotonic() < end, f"after {deadline_s:g} s still {found}, not {wanted}"
        await asyncio.sleep(0.1)


def published(kafka: Kafka) -> list[tuple[bytes | None, AppliedPolicy]]:
    source = consumer(kafka, "test")
    source.assign([TopicPartition(REPUTATION_POLICY, 0, 0)])
    found = []
    while (message := source.poll(3.0)) is not None:
        assert message.error() is None
        found.append((message.key(), msgspec.json.decode(message.value() or b"", type=AppliedPolicy)))
    source.close()
    return found


def test_running_monitor_judges_by_an_applied_policy_within_seconds(ground: Ground) -> None:
    """So does the next monitor."""
    strict = policy.parse(STRICT, "t").version
    ground.sent(1000, 30)

    async def run() -> None:
        stage = MonitorStage(ground.settings, ground.folder / "a")
        await stage.start()
        try:
            await until(ground.store, JUDGED, [("good", DEFAULT.version)], 60)
            bad = await asyncio.to_thread(ground.apply, BAD)
            assert bad.exit_code == 1
            good = await asyncio.to_thread(ground.apply, STRICT)
            assert good.exit_code == 0, good.output
            await until(ground.store, JUDGED, [("warning", strict)], TAKEN_UP_S)
            await until(ground.store, ALERTED, [("warning", strict)], TAKEN_UP_S)
        finally:
            await stage.stop(10)

        following = MonitorStage(ground.settings, ground.folder / "b")
        assert following.judge.policy.version == strict
        await following.start()
        await following.stop(10)

    asyncio.run(run())


def test_file_that_the_settings_name_takes_precedence_over_what_is_applied(ground: Ground) -> None:
    ours = ground.file(STRICT.replace("strict", "ours"), "ours.toml")
    applied = ground.run(
        "policy", "apply", ground.file(STRICT), "--by", "jane", "--why", "agreed", policy={"file": ours}
    )
    assert applied.exit_code == 0
    assert f"policy.file names {ours}, which takes precedence" in applied.stderr
    named_file = msgspec.structs.replace(ground.settings, policy=setting.PolicySettings(file=ours))

    async def run() -> list[str]:
        stages = [MonitorStage(each, ground.folder / "a") for each in (ground.settings, named_file)]
        for each in stages:
            await each.stop(10)
        return [each.judge.policy.name for each in stages]

    assert asyncio.run(run()) == ["strict", "ours"]
    shown = ground.run("policy", "show", policy={"file": ours}).stdout
    assert shown.startswith(f"source   the file {ours}, named by policy.file\nname     ours\n")
    assert ground.run("policy", "show").stdout.startswith("source   applied ")


def test_policy_is_kept_with_who_when_and_why_audited_and_published(ground: Ground) -> None:
    before = utc_now_ms()
    done = ground.apply(STRICT, by=" jane ", why="Warn earlier")
    version = policy.parse(STRICT, "t").version
    assert (done.exit_code, done.stdout) == (0, f"applied {version}\n")
    (kept,) = history(ground.store, 10)
    assert (kept.version, kept.applied_by, kept.why) == (version, "jane", "Warn earlier")
    assert before <= kept.applied_ms <= utc_now_ms()
    whole = newest(ground.store)
    assert whole is not None
    assert whole.text == STRICT
    assert [tuple(row) for row in ground.store.rows(AUDITED)] == [
        ("jane", "policy applied", "", version, "Warn earlier", '{"rules":["failure"],"overrides":0}')
    ]
    assert published(ground.settings.kafka) == [(b"policy", whole)]
    assert ground.run("policy", "show", "--toml").stdout == STRICT


def test_same_text_again_changes_nothing(ground: Ground) -> None:
    ground.apply(STRICT)
    again = ground.apply(STRICT, by="joe", why="again")
    assert again.exit_code == 0
    assert "jane: the same text is in force already, nothing is changed" in again.stdout
    assert [each.applied_by for each in history(ground.store, 10)] == ["jane"]
    assert len(ground.store.rows(AUDITED)) == 1


def test_bad_policy_changes_nothing_and_has_all_its_mistakes_named(ground: Ground) -> None:
    ground.apply(STRICT)
    bad = ground.apply(BAD)
    file = ground.folder / "mine.toml"
    assert bad.exit_code == 1
    assert bad.stdout.splitlines() == [
        f"{file}:8: rule failure: min_volume: must be a whole number or a table of names and values, not text",
        f"{file}:9: rule failure: levels.warning: 5 is not a ratio from 0 to 1 (0.003 is 0.3 %)",
    ]
    assert [each.version for each in history(ground.store, 10)] == [policy.parse(STRICT, "t").version]
    assert len(ground.store.rows(AUDITED)) == 1
    for command in ("check", "diff", "try"):
        named = ground.run("policy", command, str(file))
        assert (named.exit_code, named.stdout) == (1, bad.stdout)


def test_rule_on_what_ingest_does_not_count_is_reported(ground: Ground) -> None:
    text = STRICT.replace('metric = "failure"', 'metric = "unwanted"')
    done = ground.apply(text)
    assert done.exit_code == 0
    assert "a rule judges unwanted mail, which is counted only with ingest.refusals = true" in done.stderr
    ours = ground.run("policy", "apply", ground.file(text), "--by", "jane", "--why", "x", ingest={"refusals": True})
    assert ours.exit_code == 0
    assert "refusals" not in ours.stderr
    assert "refusals" not in ground.apply(STRICT).stderr


@pytest.mark.parametrize("option", ["--by", "--why"])
def test_nobody_applies_without_name_and_reason(ground: Ground, option: str) -> None:
    words = {"--by": "jane", "--why": "agreed"} | {option: " "}
    done = ground.run("policy", "apply", ground.file(STRICT), *(each for pair in words.items() for each in pair))
    assert isinstance(done.exception, setting.SettingsError)
    assert str(done.exception) == f"{option}: must not be empty"
    assert history(ground.store, 10) == []


def test_broker_that_is_away_is_reported_and_the_policy_is_in_force_all_the_same(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.io.broker.REACH_S", 1.0)
    reachable = ground.settings
    ground.settings = msgspec.structs.replace(reachable, kafka=Kafka(bootstrap="127.0.0.1:1"))
    done = ground.apply(STRICT)
    assert isinstance(done.exception, BrokerError)
    assert str(done.exception).startswith("the policy is in force, but was not sent to reputation.policy: ")
    ground.settings = reachable
    assert ground.apply(STRICT).exit_code == 0
    assert [each.version for _, each in published(reachable.kafka)] == [policy.parse(STRICT, "t").version]


def test_history_is_newest_first_and_diff_is_against_the_one_in_force_or_a_named_one(ground: Ground) -> None:
    looser = STRICT.replace("0.005", "0.01")
    ground.apply(STRICT, why="first")
    ground.apply(looser, why="second")
    ground.apply(STRICT, why="back")
    assert [line.rsplit(": ", 1)[1] for line in ground.run("policy", "history").stdout.splitlines()] == [
        "back", "second", "first",
    ]  # fmt: skip
    ours, theirs = (policy.parse(text, "t").version for text in (STRICT, looser))
    assert ground.run("policy", "diff", ground.file(looser)).stdout.splitlines() == [
        f"{ours} -> {theirs}", "  rule failure", "      levels.warning: 0.5 % -> 1 %",
    ]  # fmt: skip
    same = ground.run("policy", "diff", ground.file(looser), "--against", theirs.partition("@")[2][:6])
    assert same.stdout.splitlines() == [f"{theirs} -> {theirs}", "both say the same"]


def test_version_that_is_none_or_several_is_refused(store: Store) -> None:
    for number, text in enumerate((STRICT, STRICT.replace("0.005", "0.01"))):
        apply(store, text, "t", "jane", "agreed", number)
    with pytest.raises(PolicyError, match="no policy with version 'other' was applied"):
        named(store, "other")
    with pytest.raises(PolicyError, match="version 'strict@' matches several: strict@"):
        named(store, "strict@")
    with pytest.raises(PolicyError, match="no policy with version ''"):
        named(store, "")


def test_policy_applied_last_is_in_force_though_its_clock_is_behind(store: Store) -> None:
    looser = STRICT.replace("0.005", "0.01")
    apply(store, STRICT, "t", "jane", "agreed", 5_000)
    apply(store, looser, "t", "joe", "agreed", 1_000)
    found = newest(store)
    assert found is not None
    assert (found.text, found.applied_ms) == (looser, 5_001)


def test_policy_replaces_only_the_one_that_it_was_written_against(store: Store) -> None:
    looser = STRICT.replace("0.005", "0.01")
    first = apply(store, STRICT, "t", "jane", "agreed", 5_000, instead_of=0)
    with pytest.raises(PolicyChangedError, match=r"meanwhile: policy strict@\w+, by jane: agreed"):
        apply(store, looser, "t", "joe", "agreed", 6_000, instead_of=0)
    found = newest(store)
    assert found is not None
    assert found.text == STRICT
    assert apply(store, looser, "t", "joe", "agreed", 6_000, instead_of=first.policy.applied_ms).status == "applied"


@pytest.mark.usefixtures("standing_clock")
def test_audit_row_that_was_cut_short_is_made_up_for(store: Store) -> None:
    apply(store, STRICT, "t", "jane", "agreed", 1_000)
    store.run("TRUNCATE TABLE audit")
    assert apply(store, STRICT, "t", "joe", "again", 2_000).status == "unchanged"
    assert [row[0] for row in store.rows(AUDITED)] == ["jane"]


def test_text_that_is_too_long_is_refused(store: Store) -> None:
    with pytest.raises(PolicyError, match=r"mine\.toml: 4,000,\d+ bytes are more than the 4,000,000"):
        apply(store, STRICT + "#" * MAX_TEXT_BYTES, "mine.toml", "jane", "agreed", 0)
    assert newest(store) is None


def test_watch_tells_a_new_policy_once(store: Store) -> None:
    watch = PolicyWatch(store, newest(store))
    assert watch.newer() is None
    apply(store, STRICT, "t", "jane", "agreed", 1_000)
    found = watch.newer()
    assert found is not None
    assert found.name == "strict"
    assert watch.newer() is None
    assert PolicyWatch(store, newest(store)).newer() is None


def test_stored_text_that_is_not_understood_leaves_the_policy_as_it_was(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    apply(store, STRICT, "t", "jane", "agreed", 1_000)
    watch = PolicyWatch(store, newest(store))
    when = datetime.fromtimestamp(2, UTC)
    store.insert(
        "policies", {"applied": [when], "version": ["new@1"], "applied_by": ["j"], "why": ["w"], "text": [BAD]}
    )
    assert watch.newer() is None
    assert "the policy stays as it was: applied policy new@1: rule failure" in caplog.text


def test_published_message_is_the_policy_under_one_key() -> None:
    sent: list[tuple[str, bytes, bytes]] = []
    applied = AppliedPolicy(version="v", applied_ms=1, applied_by="jane", why="w", text="t")
    publish(applied, lambda topic, key, value: sent.append((topic, key, value)))
    ((topic, key, value),) = sent
    assert (topic, key, msgspec.json.decode(value, type=AppliedPolicy)) == (REPUTATION_POLICY, b"policy", applied)
