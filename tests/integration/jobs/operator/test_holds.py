"""What operators decide of held alerts by the commands, what is shown of them, and what is on record."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import app
from jobs.operator.decisions import DecisionError
from schemas.hold import Hold
from schemas.settings import ClickHouse
from streams.decisions.holds import store_hold
from tests.support.api_client import MINUTE, Row, running
from tests.support.judging import Ground

Said = Callable[..., str]


@pytest.fixture
def said(store_settings: ClickHouse, tmp_path: Path) -> Said:
    """Run a command."""
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["--config", str(config), *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return run


def held_now(ground: Ground, count: int = 22) -> tuple[list[str], int]:
    """So many customers, who are held, and the time (epoch s)."""
    now = int(time.time())
    who = [f"customer{number:02}" for number in range(count)]
    ground.put(*(Row(now - 10 * MINUTE, delivered=900, hard=300, customer=each) for each in who))
    ground.judge().judge_customers(who, now * 1000)
    return who, now


def test_commands_show_confirm_and_release(ground: Ground, said: Said) -> None:
    who, _ = held_now(ground)
    (hold,) = {each.data.held.id for each in ground.sent if each.data.held}
    first, *lines = said("holds", "list").splitlines()
    assert first.startswith(f"{hold}  brake  22 customers newly excessive within 10 minutes, of at most 20; ")
    assert first.endswith("; held 22, confirmed 0, released 0")
    assert lines[0] == "  customer00: critical by failure"
    assert len(lines) == 22
    assert said("holds", "confirm", hold[:5], "--customer", who[0], "--by", "Ida", "--why", "bought list") == (
        f"confirmed 1 customer of hold {hold}, by Ida: bought list\n"
    )
    # Before monitors have acted on it: what was decided of one is not overruled by what is decided of all.
    assert said("holds", "list").splitlines()[0].endswith("; held 21, confirmed 1, released 0")
    assert said("holds", "release", "--by", "Ben", "--why", "our own DNS was down") == (
        f"released 21 customers of hold {hold}, by Ben: our own DNS was down\n"
    )
    ground.judge().judge_customers(who, int(time.time() * 1000) + 20_000)
    assert said("holds", "list").splitlines()[0].endswith("; held 0, confirmed 1, released 21")
    (shown,) = map(json.loads, said("holds", "list", "--json").splitlines())
    assert (shown["hold"]["id"], shown["confirmed"], shown["released"], shown["held"]) == (hold, 1, 21, [])
    kinds = {each.data.customer: (each.data.kind, each.data.cause) for each in ground.sent}
    assert kinds[who[0]] == ("confirmed", "operator")
    assert {kinds[each] for each in who[1:]} == {("resolved", "operator")}
    audit = said("audit", "--customer", who[1])
    assert "hold released" in audit
    assert "our own DNS was down" in audit


def test_decision_of_one_may_be_overruled_by_name_until_it_is_acted_on(ground: Ground, said: Said) -> None:
    who, _ = held_now(ground)
    said("holds", "confirm", "--customer", who[0], "--by", "Ida", "--why", "bought list")
    said("holds", "release", "--customer", who[0], "--by", "Ida", "--why", "it was another")
    ground.judge().judge_customers(who, int(time.time() * 1000) + 20_000)
    assert said("holds", "list").splitlines()[0].endswith("; held 21, confirmed 0, released 1")
    kinds = {each.data.customer: each.data.kind for each in ground.sent}
    assert (kinds[who[0]], kinds[who[1]]) == ("resolved", "opened")


def test_what_is_held_is_shown_wherever_the_alert_is(ground: Ground, said: Said, store_settings: ClickHouse) -> None:
    who, _ = held_now(ground)
    (hold,) = {each.data.held.id for each in ground.sent if each.data.held}
    assert f"critical, held (hold {hold}, because 22 customers rose at once). " in said("alerts", "--customer", who[0])
    explained = said("explain", who[0])
    assert f" because 22 customers rose at once: hold {hold}\n" in explained
    assert "critical ?" in said("top", "--once")
    alert = next(each.data for each in ground.sent if each.data.customer == who[0])
    assert "so an operator looks at it first" in alert.explanation
    with pytest.raises(DecisionError, match="is held, so the customer is told nothing"):
        said("alerts", "text", alert.alert_id)
    assert not re.search(r"(?<![\d.])22(?![\d.])", alert.explanation), "how many others is not the customer's to know"
    said("holds", "release", "--by", "Ida", "--why", "DNS")
    ground.judge().judge_customers(who, int(time.time() * 1000))
    explained = said("explain", who[0])
    assert explained.splitlines()[2].startswith("all mail: good")
    assert "  ! rule failure was released by an operator: it judges mail sent since " in explained


def test_customer_sees_since_when_it_is_held(ground: Ground, store_settings: ClickHouse) -> None:
    now = int(time.time())
    who = ["acme", *(f"customer{number:02}" for number in range(22))]
    ground.put(*(Row(now - 10 * MINUTE, delivered=900, hard=300, customer=each) for each in who))
    ground.judge().judge_customers(who, now * 1000)
    with running(store_settings, ground.store) as api:
        api.clock[0] = now * 1000
        scopes = api.get("/v1/standing").json()["scopes"]
    assert {each["held_since"] is not None for scope in scopes for each in scope["open_alerts"]} == {True}


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("ab",), "there is no hold with the id 'ab'"),
        ((), "nothing is held"),
        (("0f",), "nothing is held any more in the hold with the id '0f'"),
    ],
)
def test_what_cannot_be_decided_is_refused(ground: Ground, said: Said, words: tuple[str, ...], fault: str) -> None:
    hold = Hold(id="0f1e", reason="brake", began_ms=1, from_ms=0, until_ms=1, customers=21, limit=20, minutes=10)
    store_hold(ground.store, hold, int(time.time() * 1000))
    with pytest.raises(DecisionError, match=fault):
        said("holds", "confirm", *words, "--by", "Ida", "--why", "seen")


def test_customer_who_is_not_held_is_refused(ground: Ground, said: Said) -> None:
    held_now(ground)
    with pytest.raises(DecisionError, match="--customer: nothing of 'acme' is held in hold "):
        said("holds", "confirm", "--customer", "acme", "--by", "Ida", "--why", "seen")
    assert said("holds", "list", "--customer", "acme") == "no holds\n"
