"""Every command line of what is shipped for deployment is run as a plain process: what ends, ends well; what goes on
says that it is well and ends when it is asked to."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest

from jobs.embedded.store_server import StoreServer
from schemas.settings import ClickHouse, Kafka
from tests.support.deployed import OURS, commands, kubernetes_commands, unit_commands
from tests.support.grafana_stand_in import FakeGrafana, serving
from tests.support.real_kafka import free_ports
from tests.support.waiting import wait_for

REPMON = str(Path(sys.executable).with_name("repmon"))
#: In the order in which docker-compose.yml runs them.
ENDING = ("setup", "dashboards")
#: With /healthz, and where it is: what says so in the environment.
STAGES = {
    "ingest": "REPMON_METRICS__PORT",
    "monitor": "REPMON_METRICS__PORT",
    "api": "REPMON_API__METRICS_PORT",
    "collect": "REPMON_COLLECT__PORT",
    "notify": "REPMON_METRICS__PORT",
    "blocklist-scan": "REPMON_METRICS__PORT",
}
#: Without.
SILENT = ("suspend-hook", "simulate")
#: uvicorn raises the signal again that stopped it, once it has stopped (0.54, `Server.capture_signals`).
RAISED = dict.fromkeys(("api", "collect"), -signal.SIGTERM)
#: What docker-compose.yml leaves to repmon.toml; nobody answers there.
SETTINGS = """
[collect.sources.shop]
format = "mailgun"
secret = "of-the-tests"

[[notify.routes]]
name = "on-call"
allow_private = true
[notify.routes.target]
kind = "webhook"
url = "https://127.0.0.1:9/hook"
secret_files = ["webhook.key"]
"""
IN_TIME_S = 120.0


@pytest.fixture
def environment(embedded_kafka: Kafka, store_settings: ClickHouse, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Broker and store as compose names them, but at other addresses, and a Grafana."""
    (tmp_path / "repmon.toml").write_text(SETTINGS)
    (tmp_path / "webhook.key").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    server = StoreServer(store_settings.path, 0, "secret")
    server.start()
    with serving(FakeGrafana(version=13)) as grafana:
        yield {
            "REPMON_KAFKA__BOOTSTRAP": embedded_kafka.bootstrap,
            "REPMON_KAFKA__GROUP": embedded_kafka.group,
            "REPMON_KAFKA__SESSION_TIMEOUT_MS": str(embedded_kafka.session_timeout_ms),
            "REPMON_KAFKA__STATIC_ASSIGNMENT": "true",
            "REPMON_CLICKHOUSE__URL": f"http://127.0.0.1:{server.port}",
            "REPMON_CLICKHOUSE__USER": "default",
            "REPMON_CLICKHOUSE__PASSWORD": "secret",
            "REPMON_CLICKHOUSE__DATABASE": store_settings.database,
            "REPMON_EMBEDDED__DATA": str(tmp_path / "data"),
            "REPMON_GRAFANA__URL": grafana,
            "REPMON_GRAFANA__PASSWORD": "secret",
            "REPMON_BLOCKLISTS__RESOLVERS": '["127.0.0.1"]',
            "REPMON_API__PORT": "0",
        }
    server.stop()


def given(name: str, places: dict[str, str]) -> dict[str, str]:
    """The environment of a service as compose gives it, with the test's addresses in their place."""
    own = {key: str(text) for key, text in OURS[name]["environment"].items()}
    filled = {key: "0123456789abcdef" if text.startswith("${") else text for key, text in own.items()}
    return {**os.environ, **filled, **{key: text for key, text in places.items() if key != "REPMON_API__PORT"}}


def started(words: list[str], environment: dict[str, str], folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [REPMON, *words], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def is_well(process: "subprocess.Popen[str]", port: int) -> bool:
    """Whether a stage says that it is well; one that ended fails the test with what it said."""
    if process.poll() is not None:
        pytest.fail(f"{process.args!r} ended: {process.communicate()[0]}")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(json.load(answer)["status"] == "ok")
    except (HTTPError, URLError, TimeoutError, ConnectionError):
        return False


def test_units_and_kubernetes_run_what_compose_runs() -> None:
    known = [words for service in OURS.values() for words in commands(service)]
    assert [words for words in [*unit_commands(), *kubernetes_commands()] if words not in known] == []


def test_every_command_line_runs(environment: dict[str, str], tmp_path: Path) -> None:
    assert OURS.keys() == {*ENDING, *STAGES, *SILENT}
    for name in ENDING:
        for words in commands(OURS[name]):
            with started(words, given(name, environment), tmp_path) as process:
                said, _ = process.communicate(timeout=IN_TIME_S)
            assert process.returncode == 0, (words, said)
    with ExitStack() as stack:
        running: dict[str, subprocess.Popen[str]] = {}
        ports = dict(zip(STAGES, free_ports(len(STAGES)), strict=True))
        for name in (*STAGES, *SILENT):
            (words,) = commands(OURS[name])
            own = given(name, environment) | {"REPMON_API__PORT": "0", "REPMON_METRICS__HOST": "127.0.0.1"}
            if name in STAGES:
                own[STAGES[name]] = str(ports[name])
            running[name] = stack.enter_context(started(words, own, tmp_path))
            stack.callback(running[name].kill)
        for name, port in ports.items():
            wait_for(partial(is_well, running[name], port), f"{name} to be well", IN_TIME_S)
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        for name, process in running.items():
            said, _ = process.communicate(timeout=IN_TIME_S)
            assert process.returncode in (0, RAISED.get(name)), (name, said)
