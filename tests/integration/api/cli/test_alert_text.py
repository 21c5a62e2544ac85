"""`repmon alerts text` and the allowances of the interface: a customer's own numbers, and nobody else's."""

import time
from collections.abc import Callable, Iterator
from email import message_from_string
from email.policy import SMTP
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from api.cli.main import app
from jobs.operator.customers import set_customer
from jobs.operator.decisions import DecisionError, add_override
from schemas import policy, topics
from schemas.alert import AlertEvent
from schemas.settings import ClickHouse
from schemas.settings import SettingsError as BadSettings
from streams.alerts.record import store_alerts
from streams.io.store import Store
from tests.support.api_client import DAY, HOUR, NOW, Api, Row, running
from tests.support.judging import NOW_MS, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = policy.load_policy()
Said = Callable[..., str]


@pytest.fixture
def said(store_settings: ClickHouse, tmp_path: Path) -> Said:
    """What a command prints; `template` is the `letter.txt` of `mail.folder`."""

    def run(*words: str, template: str = "") -> str:
        config = tmp_path / "repmon.toml"
        settings = f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n'
        if template:
            (tmp_path / "mail").mkdir(exist_ok=True)
            (tmp_path / "mail" / "letter.txt").write_text(template)
            settings += f'[mail]\nfolder = "{tmp_path / "mail"}"\n'
        config.write_text(settings)
        done = CliRunner().invoke(app, ["--config", str(config), *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return run


@pytest.fixture
def api(store_settings: ClickHouse, store: Store) -> Iterator[Api]:
    with running(store_settings, store) as interface:
        yield interface


def test_text_of_an_alert_has_the_customers_numbers_and_nobody_elses(ground: Ground, said: Said) -> None:
    now = int(time.time())
    ground.put(
        Row(now - 600, delivered=9_600, hard=400),
        Row(now - 3 * DAY, delivered=99_000, hard=1_000),
        Row(now - 600, delivered=900, hard=300, customer="rival", stream="their-news"),
        Row(now - 600, delivered=900, hard=300, customer="rival", ip="192.0.2.99"),
    )
    alerts = ground.judge().judge_customers(["acme", "rival"], now * 1000).alerts
    own = next(each.data for each in alerts if each.data.customer == "acme")
    text = said("alerts", "text", own.alert_id[:12])
    assert text.startswith(
        "Subject: Warning: too many of your e-mails cannot be delivered (acme)\n\nOf the 10,000 e-mails you sent in the"
    )
    assert "1 of 100 (1%) in the 30 days before" in " ".join(text.split())
    assert "Until the next limit: " in text
    for word in ("rival", "their-news", "192.0.2.99"):
        assert word not in text
    assert "<h2>What to do</h2>" in said("alerts", "text", own.alert_id, "--html")
    set_customer(
        ground.store,
        "acme",
        plan=None,
        domains=None,
        by="Ida",
        why="",
        now_ms=NOW_MS,
        contact="ann@acme.example",
        language="de-AT",
    )
    whole = message_from_string(said("alerts", "text", own.alert_id, "--format", "eml"), policy=SMTP)
    assert whole["To"] == "ann@acme.example"
    assert whole["Subject"] == "Warnung: zu viele Ihrer E-Mails sind unzustellbar (acme)"
    assert said("alerts", "text", own.alert_id, "--language", "en").startswith("Subject: Warning")
    template = "{{ letter.customer }}: {% for row in letter.rows[:1] %}{{ row.name }}{% endfor %}"
    assert said("alerts", "text", own.alert_id, template=template).endswith("\nacme: Gezählt\n")


def test_alert_that_does_not_exist_and_a_wrong_template_are_reported(ground: Ground, said: Said) -> None:
    with pytest.raises(DecisionError, match="there is no alert with the id 'beef'"):
        said("alerts", "text", "beef")
    with pytest.raises(BadSettings, match=r"letter\.txt:2: .* has no attribute 'costumer'"):
        said("alerts", "text", "beef", template="Hello\n{{ letter.costumer }}")
    with pytest.raises(BadSettings, match="--language: there is no 'fr'; known are de, en"):
        said("alerts", "text", "beef", "--language", "fr")


def left(api: Api, scope: str = "customer") -> dict[str, tuple[int, str, str]]:
    scopes = {each["scope"]: each["allowances"] for each in api.get("/v1/standing").json()["scopes"]}
    return {each["rule"]: (each["remaining"], each["level"], each["window"]) for each in scopes[scope]}


def test_interface_says_what_is_left_until_the_next_level(api: Api) -> None:
    api.put([Row(NOW - 2 * HOUR, delivered=9_900, hard=100)])
    found = left(api)
    more, level, window = found["failure"]
    assert (level, window) == ("warning", "30d")
    api.put([Row(NOW - 2 * HOUR, hard=more - 1, late_hard=more - 1)])
    assert left(api)["failure"] == (1, "warning", "30d")
    api.put([Row(NOW - 2 * HOUR, hard=1, late_hard=1)])
    above = left(api)["failure"]
    assert above[0] > 1
    assert above[1] == "excessive"


def test_interface_goes_by_what_operators_decided(api: Api) -> None:
    api.put([Row(NOW - HOUR, delivered=9_900, hard=100)])
    decision = {"stream": "", "by": "Ida", "why": "list under review", "now_ms": NOW_MS - 1}
    add_override(api.store, POLICY, "acme", "failure", "none", NOW_MS + 1000, **decision)  # type: ignore[arg-type]
    assert "failure" not in left(api) or left(api)["failure"][0] > 9_000
    assert "Ida" not in api.get("/v1/standing").text


OF_PLANS = """
[[rules]]
name = "yahoo"
metric = "failure"
windows = ["24h"]
min_volume = 100
levels = { warning = 0.5 }
providers = ["yahoo"]

[[overrides]]
plan = "free"
rule = "failure"
levels = { critical = 0.5 }
reason = "trial accounts"
"""


def test_interface_goes_by_plans_and_by_rules_about_single_providers(store_settings: ClickHouse, store: Store) -> None:
    ours = policy.parse(policy.default_file().read_text() + OF_PLANS, "ours")
    set_customer(store, "acme", plan="free", domains=None, by="Ida", why="", now_ms=NOW_MS)
    with running(store_settings, store, policy=ours) as api:
        api.put([Row(NOW - 2 * HOUR, delivered=9_900, hard=100)])
        found = left(api)
    assert found["failure"][1] == "critical"
    assert found["yahoo"][1] == "warning"


def test_customer_with_too_little_mail_gets_no_allowance_of_rates(api: Api) -> None:
    api.put([Row(NOW - HOUR, delivered=20, hard=1)])
    assert not {"failure", "complaint", "block"} & left(api).keys()


def test_another_customers_mail_changes_no_allowance(api: Api) -> None:
    api.put([Row(NOW - HOUR, delivered=9_900, hard=100)])
    before = left(api)
    api.put([Row(NOW - HOUR, delivered=900, hard=900, customer="rival")])
    assert left(api) == before
    assert msgspec.json.encode(before)


def test_alert_on_a_pool_has_no_text_since_it_is_of_no_single_customer(ground: Ground, said: Said) -> None:
    file = topics.folder("examples") / "reputation.alerts" / "valid" / "opened-excessive-of-a-pool.json"
    event = msgspec.json.decode(file.read_text(encoding="utf-8"), type=AlertEvent)
    store_alerts(ground.store, [event], int(time.time() * 1000))
    with pytest.raises(DecisionError, match=r"is on pool:.* and of no single customer"):
        said("alerts", "text", event.data.alert_id)


def test_customer_is_told_nothing_of_what_is_held(ground: Ground, said: Said) -> None:
    file = topics.folder("examples") / "reputation.alerts" / "valid" / "held-by-the-brake.json"
    event = msgspec.json.decode(file.read_text(encoding="utf-8"), type=AlertEvent)
    store_alerts(ground.store, [event], int(time.time() * 1000))
    with pytest.raises(DecisionError, match=r"is held, so the customer is told nothing; decide with `repmon holds"):
        said("alerts", "text", event.data.alert_id)
