"""`repmon alerts`: every transition with the alert's id, those that are open, and which are wanted."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from api.cli import alerts
from api.cli.main import app
from schemas.alert import AlertData, AlertEvent, Evidence, TransitionKind
from schemas.levels import Level
from schemas.settings import ClickHouse
from schemas.times import DAY_MS, HOUR_MS
from schemas.wording import rfc3339
from streams.alerts.lifecycle import alert_id
from streams.alerts.record import store_alerts
from streams.io.store import Store

NOW_MS = 1_788_000_000_000
Run = Callable[..., Result]


def sent(
    store: Store,
    ago_ms: int,
    customer: str,
    kind: TransitionKind,
    level: Level,
    *,
    before: Level = "good",
    transition: int = 1,
    episode: int = 1,
    scope: str = "customer",
) -> str:
    """Store one transition; the id of its alert."""
    name = alert_id(customer, scope, "failure", episode)
    data = AlertData(
        alert_id=name, customer=customer, scope=scope, rule="failure", metric="failure", kind=kind, level=level,
        previous_level=before, episode=episode, transition=transition, window="24h", numerator=300, denominator=1_200,
        rate=0.25, lower=0.22, upper=0.28, confidence=0.99, threshold=0.1, policy_version="default-1",
        explanation="Failures.", evidence=Evidence(), cause="events",
    )  # fmt: skip
    time_ms = NOW_MS - ago_ms
    event = AlertEvent(id=f"{name}-{transition}", type="t", subject=customer, time=rfc3339(time_ms), data=data)
    store_alerts(store, [event], time_ms)
    return name


@pytest.fixture
def run(store_settings: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`repmon alerts ...`."""
    monkeypatch.setattr(alerts, "utc_now_ms", lambda: NOW_MS)
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')
    return lambda *words: CliRunner().invoke(app, ["--config", str(config), "alerts", *words])


@pytest.fixture
def history(store: Store) -> dict[str, str]:
    """Alerts of three customers: acme's rose and is open, bond's is resolved, cole's is three days old and open."""
    return {
        "cole": sent(store, 3 * DAY_MS, "cole", "opened", "watch"),
        "bond": sent(store, 2 * DAY_MS, "bond", "opened", "critical"),
        "bond again": sent(store, DAY_MS, "bond", "resolved", "good", before="critical", transition=2),
        "acme": sent(store, 5 * HOUR_MS, "acme", "opened", "warning"),
        "acme rose": sent(store, HOUR_MS, "acme", "escalated", "excessive", before="warning", transition=2),
    }


def shown(result: Result) -> list[str]:
    """Customer and level of each line."""
    assert result.exit_code == 0, result.output
    found = [line.split() for line in result.stdout.splitlines()]
    return [f"{words[3].rstrip(':')} {words[4]}" for words in found]


def test_a_line_has_the_id_by_which_other_commands_take_the_alert(history: dict[str, str], run: Run) -> None:
    lines = run().output.splitlines()
    assert [line.split()[2] for line in lines] == [name[:12] for name in history.values()]
    said = "escalated: acme failure warning to excessive. Failures."
    assert lines[4] == f"ALERT {rfc3339(NOW_MS - HOUR_MS)} {history['acme'][:12]} {said}"
    taken = run("ack", lines[4].split()[2], "--by", "Ida")
    assert taken.output == f"acknowledged {history['acme']}: acme failure excessive, by Ida\n"


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["opened cole", "opened bond", "resolved bond", "opened acme", "escalated acme"]),
        (["--open"], ["opened cole", "escalated acme"]),
        (["--open", "--level", "warning"], ["escalated acme"]),
        (["--open", "--since", "2d"], ["escalated acme"]),
        (["--open", "--customer", "cole"], ["opened cole"]),
        (["--open", "--limit", "1"], ["escalated acme"]),
        (["--level", "excessive"], ["opened bond", "resolved bond", "escalated acme"]),
        (["--level", "critical"], ["opened bond", "resolved bond"]),
        (["--since", "25h"], ["resolved bond", "opened acme", "escalated acme"]),
        (["--customer", "acme"], ["opened acme", "escalated acme"]),
        (["--limit", "2"], ["opened acme", "escalated acme"]),
        (["--limit", "1", "--customer", "bond"], ["resolved bond"]),
        (["--since", "30m"], []),
    ],
)
def test_what_is_wanted_is_shown_oldest_first(words: list[str], expected: list[str], run: Run) -> None:
    assert shown(run(*words)) == expected


def test_alert_that_is_open_again_under_its_rule_is_one_alert(store: Store, run: Run) -> None:
    sent(store, 9 * HOUR_MS, "acme", "opened", "warning")
    sent(store, 8 * HOUR_MS, "acme", "resolved", "good", before="warning", transition=2)
    second = sent(store, 7 * HOUR_MS, "acme", "opened", "watch", episode=2)
    sent(store, 6 * HOUR_MS, "acme", "opened", "critical", scope="stream:news")
    lines = run("--open").output.splitlines()
    assert [line.split()[4:7] for line in lines] == [["acme", "failure", "watch."], ["acme", "(news)", "failure"]]
    assert lines[0].split()[2] == second[:12]


class Stop:
    """Stops following at the second look; before the first, something happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self.looks, self.happens = 0, happens

    def wait(self, _seconds: float) -> bool:
        self.looks += 1
        self.happens()
        return self.looks > 1


@pytest.mark.usefixtures("history")
def test_follower_is_shown_what_comes_and_nothing_twice(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Stop(lambda: sent(store, 0, "dora", "opened", "watch"))
    monkeypatch.setattr(alerts, "until_signalled", lambda: later)
    assert shown(run("--follow", "--limit", "1")) == ["escalated acme", "opened dora"]


def test_for_a_program_the_events_are_as_they_were_sent(history: dict[str, str], run: Run) -> None:
    (line,) = run("--open", "--level", "excessive", "--json").output.splitlines()
    event = msgspec.json.decode(line, type=AlertEvent)
    assert event.data.alert_id == history["acme"]
    assert json.loads(line)["specversion"] == "1.0"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--open", "--follow"], "--open and --follow"),
        (["--since", "soon"], "--since: 'soon' is not a duration"),
        (["--level", "good"], "'good' is not one of"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], fault: str, run: Run) -> None:
    result = run(*words)
    assert fault in (str(result.exception) if result.exit_code == 1 else result.output)
