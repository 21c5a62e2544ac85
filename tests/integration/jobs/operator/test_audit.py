"""What is on record: every verdict and whatever people decide, each with who and why, and none is ever changed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.cli.audit import as_line
from api.cli.main import app
from jobs.operator.audit import Entry, actions, entries
from jobs.operator.customers import remove_customer, set_customer, store_list
from jobs.operator.decisions import acknowledge, add_override, end_override
from jobs.operator.policy_store import apply
from jobs.operator.suspensions import suspend, unsuspend
from schemas import policy
from schemas.customer import Customer
from schemas.settings import ClickHouse
from tests.support.api_client import MINUTE, NOW, Row
from tests.support.judging import NOW_MS, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

BAD = Row(NOW - 10 * MINUTE, delivered=900, hard=300)


def on_record(ground: Ground, customer: str = "") -> list[Entry]:
    return entries(ground.store, 0, 1_000, customer=customer)


def test_everything_decided_or_found_is_one_more_entry(
    ground: Ground,
) -> None:
    """And it leaves the other entries as they were."""
    ground.put(BAD)
    judge, store = ground.judge(), ground.store
    (alert,) = judge.judge_customers(["acme"], NOW_MS).alerts
    known, number = on_record(ground), 0
    assert [(each.action, each.who, each.subject) for each in known] == [("verdict opened", "", alert.data.alert_id)]

    def by() -> dict[str, Any]:
        return {"by": "Ida", "why": f"reason {number}", "now_ms": NOW_MS + number}

    def override() -> str:
        until_ms = NOW_MS + 3_600_000
        return add_override(store, policy.load_policy(), "acme", "failure", "watch", until_ms, stream="", **by()).id

    listed = [Customer(customer="beta", plan="free", domains=())]
    for action, decide in (
        (
            "policy applied",
            lambda: apply(store, policy.default_file().read_text(encoding="utf-8"), "t", *by().values()),
        ),
        ("alert acknowledged", lambda: acknowledge(store, alert.data.alert_id, **by())),
        ("override added", override),
        ("override ended", lambda: end_override(store, on_record(ground)[0].subject, **by())),
        ("customer suspended", lambda: suspend(store, "acme", **by())),
        ("customer unsuspended", lambda: unsuspend(store, "acme", **by())),
        ("customer changed", lambda: set_customer(store, "acme", plan="free", domains=None, **by())),
        ("customer removed", lambda: remove_customer(store, "acme", **by())),
        ("customers imported", lambda: store_list(store, listed, whole=False, **by())),
    ):
        number += 1
        decide()
        latest, *before = on_record(ground)
        assert (latest.action, latest.who, latest.why) == (action, "Ida", f"reason {number}")
        assert latest.time_ms == NOW_MS + number
        assert before == known
        known = [latest, *before]
    said = [each.data.kind for each in judge.judge_customers(["acme"], NOW_MS + 100).alerts]
    assert said == ["acknowledged"]
    latest, *before = on_record(ground)
    assert (latest.action, latest.detail["level"], before) == ("verdict acknowledged", "critical", known)


def test_only_the_customer_or_the_time_asked_for_is_reported(
    ground: Ground,
) -> None:
    """Where there are too many entries, the newest."""
    ground.put(BAD, BAD._replace(customer="beta"))
    ground.judge().judge_customers(["acme", "beta"], NOW_MS)
    suspend(ground.store, "beta", by="Ida", why="list bought", now_ms=NOW_MS + 5)
    assert {each.customer for each in on_record(ground, "acme")} == {"acme"}
    assert [each.action for each in on_record(ground, "beta")] == ["customer suspended", "verdict opened"]
    assert [each.action for each in entries(ground.store, NOW_MS + 1, 9)] == ["customer suspended"]
    assert [each.action for each in entries(ground.store, 0, 1)] == ["customer suspended"]
    assert [each.who for each in entries(ground.store, 0, 9, verdicts=False)] == ["Ida"]


def test_only_who_and_what_was_asked_for_is_reported(ground: Ground) -> None:
    ground.put(BAD)
    ground.judge().judge_customers(["acme"], NOW_MS)
    suspend(ground.store, "acme", by="Ida (key 3f)", why="list bought", now_ms=NOW_MS + 5)
    unsuspend(ground.store, "acme", by="Bob", why="list mended", now_ms=NOW_MS + 6)

    def found(who: str = "", action: str = "") -> list[str]:
        return [each.action for each in entries(ground.store, 0, 9, who=who, action=action)]

    assert found(who="ida") == ["customer suspended"]
    assert found(action="customer unsuspended") == ["customer unsuspended"]
    assert found(action="verdict opened") == ["verdict opened"]
    assert found(who="Bob", action="customer suspended") == []
    assert actions(ground.store, 0) == {"customer suspended": 1, "customer unsuspended": 1}
    assert actions(ground.store, NOW_MS + 6) == {"customer unsuspended": 1}


def test_line_is_for_a_person() -> None:
    entry = Entry(
        time_ms=0,
        who="Ida",
        action="override added",
        customer="acme",
        subject="0a1b",
        why="list mended",
        detail={"rule": "failure", "stream": "", "until_ms": 1_000},
    )
    assert as_line(entry) == (
        "1970-01-01T00:00:00.000Z  Ida  override added  acme 0a1b: list mended"
        "  (rule failure, until_ms 1970-01-01T00:00:01.000Z)"
    )


def test_command_tells_it(ground: Ground, store_settings: ClickHouse, tmp_path: Path) -> None:
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')

    def said(*words: str) -> tuple[list[str], str]:
        done = CliRunner().invoke(app, ["--config", str(config), "audit", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout.splitlines(), done.stderr

    now = int(time.time())
    assert said() == ([], "nothing is on record\n")
    ground.put(BAD._replace(at=now - 600))
    ground.judge().judge_customers(["acme"], now * 1000)
    suspend(ground.store, "acme", by="I\x1bda", why="list bought", now_ms=now * 1000 + 1)
    (suspended, opened), _ = said()
    assert "I\\x1bda  customer suspended  acme: list bought" in suspended
    assert "  monitor  verdict opened  acme " in opened
    (only,), more = said("--limit", "1", "--json", "--customer", "acme")
    assert json.loads(only)["action"] == "customer suspended"
    assert more == "there are more than these 1; --limit says how many are shown\n"
    assert said("--people") == ([suspended], "")
