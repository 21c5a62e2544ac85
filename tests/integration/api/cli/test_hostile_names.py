"""Names that steer terminals and forge lines, as a store may hold them from before they were refused.

Every command that prints names is run over them."""

import io
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from api.cli.main import app
from api.text.log_lines import HarmlessFormatter
from schemas import policy
from schemas.alert import Held
from schemas.hold import Hold
from schemas.incident import Example, Incident
from schemas.settings import ClickHouse
from streams.alerts.lifecycle import AlertState
from streams.decisions.holds import store_hold
from streams.incidents.stored import store_incidents
from streams.io.store import Store
from tests.support.api_client import Row
from tests.support.command_line import every_command
from tests.support.judging import Ground

EVIL = "ev\x1b[2J\x9b31m\r\nALERT forged [red]x[/] :cat: \u202eil\u2028\x7f"
#: How it is shown in full.
SHOWN = r"ev\x1b[2J\x9b31m\r\nALERT forged [red]x[/] :cat: \u202eil\u2028\x7f"
UNTIL = "2099-01-01T00:00:00Z"
POLICY = policy.default_file().read_text(encoding="utf-8")

#: Commands that are not run here, since they print no name that comes in with events or decisions: they start stages,
#: make or send something, or print what stands in a file or the settings.
NAMELESS = {
    "demo": "its lines are those of `top` and `alerts`",
    "up": "", "ingest": "", "monitor": "", "api": "", "console": "", "collect": "", "migrate": "", "simulate": "",
    "scan-blocklists": "",
    "suspend-hook": "its lines are made one line where they are made", "suspend-hook list": "through `print_line`",
    "suspend-hook approve": "through `print_line`", "suspend-hook breaker close": "prints what the operator wrote",
    "notify": "its log is made harmless", "notify failed": "tests/integration/jobs/notify tries it",
    "notify routes": "prints names of the settings", "notify test": "the same", "notify retry": "prints a number",
    "topics create": "", "config show": "",
    "keys create": "prints the key", "keys rotate": "the same, and names as `keys revoke` does",
    "zones list": "", "zones test": "", "dashboards deploy": "",
    "dashboards generate": "", "policy check": "", "policy apply": "", "ingest-file": "",
    "erase recipient": "prints through `print_line`, as `erase customer` does",
    "move": "prints names of tables",
    "recount": "asks a broker, and prints through `print_line`",
    "backup create": "prints paths and numbers", "backup list": "the same", "backup restore": "the same",
    "dead-letters replay": "", "follow": "prints paths and reasons, through `print_note`", "health": "",
    "poll postmaster": "prints through `print_line`", "poll snds": "prints through `print_line`",
    "poll list": "prints through `print_line`", "completion": "", "customers import": "prints counts",
    "status": "asks a broker, and prints through `print_line`",
    "suspend": "refuses such a name", "override add": "refuses such a name", "customers set": "refuses such a name",
}  # fmt: skip


#: What a provider or a pool is called comes in with events.
INCIDENT = Incident(
    id="cafe02",
    dimension="pool",
    value=EVIL,
    outcome="block",
    state="suspected",
    hours=(1_772_712_000,),
    struck=3,
    examples=(Example(customer=EVIL, failed=3, total=9),),
    by=EVIL,
    why=EVIL,
)

#: Somebody of that name is held.
HOLD = Hold(id="cafe03", reason="brake", began_ms=1, from_ms=0, until_ms=1, customers=21, limit=20, minutes=10)
HELD = AlertState(
    customer=EVIL,
    scope=f"stream:{EVIL}",
    rule="block",
    level="excessive",
    episode=1,
    transition=1,
    opened_ms=1,
    changed_ms=1,
    held=Held(id="cafe03", reason="brake", since_ms=1, customers=21),
)


@pytest.fixture
def said(store_settings: ClickHouse, tmp_path: Path) -> Callable[..., str]:
    """What a command prints; it must end well, or with the error that is asked for."""
    config = tmp_path / "repmon.toml"
    config.write_text(f'[clickhouse]\npath = "{store_settings.path}"\ndatabase = "{store_settings.database}"\n')

    def run(*words: str, stdin: str = "") -> str:
        done = CliRunner().invoke(app, ["--config", str(config), *words], input=stdin, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.output)

    return run


@pytest.fixture
def ground(store: Store) -> Ground:
    """A judged customer of this name with a stream, a listing, a key, decisions and a dead letter."""
    found, now = Ground(store), int(time.time())
    found.put(
        Row(now - 600, delivered=900, hard=300, customer=EVIL, stream=EVIL),
        Row(now - 600, delivered=900, hard=300, customer=EVIL, stream="other"),
    )
    found.judge().judge_customers([EVIL], now * 1000)
    at = datetime.fromtimestamp(now, UTC)
    rows: dict[str, dict[str, Any]] = {
        "api_keys": {
            "key_hash": "ab" * 32, "customer": EVIL, "label": EVIL, "created": at, "revoked": False, "updated": at,
        },
        "customers": {"customer": EVIL, "plan": EVIL, "domains": [EVIL], "gone": False, "updated": at},
        "suspensions": {
            "customer": EVIL, "suspended": True, "since": at, "who": EVIL, "why": EVIL, "updated": at,
        },
        "audit": {
            "time": at, "who": EVIL, "action": "override added", "customer": EVIL, "subject": "cafe01", "why": EVIL,
            "detail": json.dumps({"rule": "failure", "stream": EVIL, "at_most": "watch", "until_ms": now * 2_000}),
        },
        "listing_events": {
            "resource": "192.0.2.1", "kind": "ip", "zone": EVIL, "time": at, "type": "listed", "weight": "major",
            "id": "l1", "confirmed": True, "meaning": EVIL,
        },
        "dead_letters": {
            "topic": EVIL, "source": f"{EVIL}:x:0", "position": 1, "time": at, "reason": EVIL,
            "payload": json.dumps(EVIL),
        },
        "policies": {
            "version": "evil-1", "applied": at, "applied_by": EVIL, "why": EVIL, "text": POLICY,
        },
    }  # fmt: skip
    for table, row in rows.items():
        store.insert(table, {name: [value] for name, value in row.items()})
    store_incidents(store, [INCIDENT], now * 1000)
    store_hold(store, HOLD, now * 1000)
    state = {
        "customer": EVIL,
        "scope": f"stream:{EVIL}",
        "rule": "block",
        "updated": at,
        "level": "excessive",
        "state": msgspec.json.encode(HELD).decode(),
    }
    store.insert("alert_states", {name: [value] for name, value in state.items()})
    return found


def commands() -> set[str]:
    """Every command, by the words that are typed."""
    return {
        " ".join(words)
        for words, each in every_command()
        if not isinstance(each, click.Group) or each.invoke_without_command
    }


def harmless_output(output: str) -> None:
    for line in output.removesuffix("\n").split("\n"):
        assert line.replace("\t", "").isprintable(), line
        assert not line.startswith("ALERT forged"), line


def test_no_command_lets_a_name_steer_the_terminal(
    ground: Ground, said: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No broker is there to say what its topics keep; nobody waits ten seconds for that each time.
    monkeypatch.setattr("jobs.data.topics_left.ANSWER_S", 0.1)
    alert = ground.sent[0].data.alert_id
    tried = tmp_path / "tried.toml"
    tried.write_text(POLICY.replace('name = "default"', 'name = "tried"'))
    letter = said("dead-letters", "list").split()[0]
    asked: dict[str, list[tuple[str, ...]]] = {
        "alerts": [(), ("--json",), ("--open",)],
        "alerts ack": [(alert, "--by", EVIL, "--why", EVIL)],
        "alerts text": [(alert,)],
        "top": [("--once",), ("--json",)],
        "keys list": [(), ("--json",)],
        "keys revoke": [("ab" * 8,)],
        "customers list": [(), ("--json",)],
        "override list": [(), ("--json",)],
        "incidents list": [("--since", "10000d"), ("--since", "10000d", "--json")],
        "incidents show": [("cafe02",), ("cafe02", "--json")],
        "incidents declare": [
            ("gmail", "--from", "2026-03-12T10:00:00Z", "--until", "2026-03-12T12:00:00Z", "--by", EVIL, "--why", EVIL)
        ],
        "holds list": [("--since", "10000d"), ("--since", "10000d", "--json")],
        "holds confirm": [("cafe03", "--customer", EVIL, "--by", EVIL, "--why", EVIL)],
        "holds release": [("cafe03", "--customer", EVIL, "--by", EVIL, "--why", EVIL)],
        "incidents dismiss": [("cafe02", "--by", EVIL, "--why", EVIL)],
        "explain": [(EVIL,), (EVIL, "--json")],
        "listings": [(), ("--json",)],
        "listings show": [("192.0.2.1", EVIL), ("192.0.2.1", EVIL, "--json")],
        "dead-letters list": [(), ("--json",), ("--summary",)],
        "dead-letters show": [(letter,)],
        "policy show": [()],
        "policy history": [(), ("--json",)],
        "policy diff": [(str(tried),)],
        "policy try": [(str(tried), "--since", "2h"), (str(tried), "--since", "2h", "--json")],
        "audit": [(), ("--json",)],
        "override end": [("cafe01", "--by", EVIL)],
        "unsuspend": [(EVIL, "--by", EVIL)],
        "customers remove": [(EVIL, "--by", EVIL)],
        "export customer": [(EVIL, "--by", EVIL, "--why", EVIL, "--to", str(tmp_path / "export.zip"))],
        "erase customer": [(EVIL, "--by", EVIL, "--why", EVIL), (EVIL, "--by", EVIL, "--why", EVIL, "--json")],
    }
    outputs = {(name, *words): said(*name.split(), *words) for name, several in asked.items() for words in several}
    event = json.dumps({"id": EVIL, "type": "delivered", "time": 1764547200123, "customer": "acme", "campaign": EVIL})
    outputs["normalize",] = said("normalize", "--format", "canonical", stdin=event)
    counted = {"customer": EVIL, "metric": "failure", "window": "24h", "numerator": 1, "denominator": 1_000}
    outputs["judge",] = said("judge", "--policy", str(policy.default_file()), stdin=json.dumps(counted))
    outputs["classify",] = said("classify", stdin=json.dumps({"smtp_code": 550, "diagnostic": EVIL}))
    for words, output in outputs.items():
        assert output.strip(), words
        harmless_output(output)
        if "--json" in words or words[0] in ("normalize", "judge"):
            json.loads(output.splitlines()[0])
    for words in (("alerts",), ("keys list",), ("customers list",), ("explain", EVIL), ("audit",), ("override list",)):
        assert SHOWN in outputs[words], words
    assert json.loads(outputs["customers list", "--json"])["customer"] == EVIL, "as JSON it is what it was"
    assert {words[0] for words in outputs} | NAMELESS.keys() == commands()


def test_log_line_that_repeats_a_name_is_one_harmless_line() -> None:
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(HarmlessFormatter("%(name)s: %(message)s"))
    log = logging.Logger("repmon")
    log.addHandler(handler)
    log.warning("customer %s", EVIL)
    assert shown.getvalue() == f"repmon: customer {SHOWN}\n"
    log.error("it failed", exc_info=ValueError(EVIL))
    harmless_output(shown.getvalue())
    assert "\n  ValueError: ev" in shown.getvalue()
