"""Who is suspended stands so everywhere, is judged as before, and it is on record who decided it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import app
from api.explain.build import explain
from api.explain.worst import worst
from api.text.explanation import lines
from jobs.operator.decisions import DecisionError
from jobs.operator.suspensions import suspend, unsuspend
from schemas import policy
from schemas.settings import ClickHouse
from streams.decisions.suspensions import Reinstatement, Suspension, account_at, suspension
from streams.io.store import Store
from tests.support.api_client import HOUR, MINUTE, NOW, Api, Row, running
from tests.support.judging import LOOP, NOW_MS, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
BAD = Row(NOW - 10 * MINUTE, delivered=900, hard=150)


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    with running(store_settings, store) as interface:
        yield interface


def test_suspended_customer_is_judged_as_before_and_shown_as_suspended(ground: Ground) -> None:
    ground.put(BAD)
    judge = ground.judge()
    suspend(ground.store, "acme", by="Ida", why="list bought", now_ms=NOW_MS - 1)
    assert suspension(ground.store, "acme") == Suspension(by="Ida", why="list bought", since_ms=NOW_MS - 1)
    (alert,) = judge.judge_customers(["acme"], NOW_MS).alerts
    assert alert.data.level == "critical"
    assert ground.shown()["acme"][0] == "critical"
    (line,) = worst(ground.store, POLICY, LOOP, 10, NOW_MS)
    assert (line.customer, line.standing, line.score) == ("acme", "suspended", 13)
    explained = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + 1, past=False)
    assert explained is not None
    text = "\n".join(lines(explained))
    assert "all mail: suspended since 2026-03-12T12:34:55.999Z by Ida: list bought; judged critical since" in text
    assert "score 13 of 100 (complaints 85, failures 13, blocks 100, blacklisting 100)" in text


def test_lifted_suspension_is_over_and_both_stay_on_record(ground: Ground) -> None:
    ground.put(BAD)
    suspend(ground.store, "acme", by="Ida", why="list bought", now_ms=NOW_MS)
    was = unsuspend(ground.store, "acme", by="Ben", why="list mended", now_ms=NOW_MS + 1000)
    assert was.by == "Ida"
    assert suspension(ground.store, "acme") is None
    assert account_at(ground.store, "acme", NOW_MS + 999) == was
    assert isinstance(account_at(ground.store, "acme", NOW_MS + 1000), Reinstatement)
    assert account_at(ground.store, "acme", NOW_MS - 1) is None
    rows = ground.store.rows("SELECT action, who, why FROM audit ORDER BY audit.time")
    assert [tuple(row) for row in rows] == [
        ("customer suspended", "Ida", "list bought"),
        ("customer unsuspended", "Ben", "list mended"),
    ]
    suspend(ground.store, "acme", by="Ida", why="again", now_ms=NOW_MS + 2000)
    assert suspension(ground.store, "acme") is not None


def test_past_moment_is_explained_with_the_suspension_of_then(ground: Ground) -> None:
    ground.put(BAD)
    ground.judge().judge_customers(["acme"], NOW_MS)
    suspend(ground.store, "acme", by="Ida", why="list bought", now_ms=NOW_MS + 5000)
    for after_ms, suspended in ((4000, False), (6000, True)):
        explained = explain(ground.store, "acme", POLICY, LOOP, NOW_MS + after_ms, past=True)
        assert explained is not None
        assert (explained.scopes[0].suspended is not None) == suspended


def test_decision_that_cannot_be_is_refused_and_nothing_is_stored(ground: Ground) -> None:
    ground.put(BAD)
    for customer, by, why, fault in (
        ("acne", "Ida", "typed wrongly", "nothing is stored of customer 'acne'"),
        ("acme", " ", "no name", "--by: is empty"),
        ("acme", "Ida", "", "--why: is empty"),
        ("", "Ida", "nobody", "CUSTOMER: is empty"),
        ("ac\x9b2Jme", "Ida", "steers", r"CUSTOMER: contains the control character U\+009B"),
    ):
        with pytest.raises(DecisionError, match=fault):
            suspend(ground.store, customer, by=by, why=why, now_ms=NOW_MS)
    with pytest.raises(DecisionError, match="customer 'acme' is not suspended"):
        unsuspend(ground.store, "acme", by="Ida", why="", now_ms=NOW_MS)
    assert ground.store.rows("SELECT count() FROM audit")[0][0] == 0
    suspend(ground.store, "acme", by="Ida", why="list bought", now_ms=NOW_MS)
    with pytest.raises(DecisionError, match="suspended already, by Ida"):
        suspend(ground.store, "acme", by="Ben", why="me too", now_ms=NOW_MS + 1)


def test_commands_suspend_and_lift(ground: Ground, store_settings: ClickHouse, tmp_path: Path) -> None:
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')

    def said(*words: str) -> str:
        done = CliRunner().invoke(app, ["--config", str(config), *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    now = int(time.time())
    ground.put(Row(now - 600, delivered=900, hard=300))
    ground.judge().judge_customers(["acme"], now * 1000)
    assert said("suspend", "acme", "--by", "Ida", "--why", "list bought") == "acme is suspended, by Ida: list bought\n"
    assert said("top", "--once").split()[:2] == ["suspended", "acme"]
    assert "suspended since" in said("explain", "acme")
    assert said("unsuspend", "acme", "--by", "Ida").startswith("acme is no longer suspended; it was since 20")
    assert said("top", "--once").split()[:2] == ["critical", "acme"]


def test_interface_answers_suspended_and_what_is_judged(api: Api) -> None:
    api.put([Row(NOW - 60, delivered=900, hard=300)])
    api.judged("customer", "critical", NOW - HOUR, ["failure"], scores=(2, 100, 2, 100, 100))
    api.judged("stream:news", "critical", NOW - HOUR, ["failure"])
    suspend(api.store, "acme", by="Ida", why="internal words", now_ms=NOW_MS - 1000)
    answer = api.get("/v1/standing")
    scopes = {each["scope"]: each for each in answer.json()["scopes"]}
    assert (scopes["customer"]["standing"], scopes["customer"]["judged"]) == ("suspended", "critical")
    assert scopes["customer"]["since"] == "2026-03-12T12:34:55Z"
    assert scopes["customer"]["scores"]["failures"] == 2
    assert scopes["stream:news"]["standing"] == "critical"
    assert scopes["stream:news"]["scores"]["overall"] is None
    assert "Ida" not in answer.text and "internal words" not in answer.text


def test_customer_suspended_before_any_judgement_is_answered_so(api: Api) -> None:
    api.put([Row(NOW - 60, delivered=9)])
    suspend(api.store, "acme", by="Ida", why="known elsewhere", now_ms=NOW_MS)
    (scope,) = api.get("/v1/standing").json()["scopes"]
    assert (scope["standing"], scope["judged"]) == ("suspended", None)
