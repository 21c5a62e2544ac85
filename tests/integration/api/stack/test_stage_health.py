"""Faults of a real broker and a real store: what a stage answers meanwhile, and which alerts its numbers fire."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from api.http.health import StageHealth
from api.stack.stage_server import served
from api.stack.stages import IngestThread
from api.stack.status import read_status
from api.text.status import UNWELL, WELL, exit_code, status_lines
from jobs.embedded.broker import EmbeddedBroker, free_port
from jobs.embedded.store_server import StoreServer
from jobs.setup.topics import create_topics
from schemas.settings import ClickHouse, Ingest, Settings
from schemas.times import utc_now_ms
from schemas.topics import DEAD_LETTERS, MAIL_EVENTS, load_topics
from schemas.watch_settings import MetricsSettings
from streams.intake import ingest
from streams.io.broker import Publisher, admin
from streams.io.health import HealthLimits
from tests.support import alert_rules
from tests.support.alert_rules import Case, Samples
from tests.support.ingesting import event
from tests.support.waiting import wait_for

REPMON = str(Path(sys.executable).with_name("repmon"))
UP = 'up{instance="ingest:9100",job="repmon"}'
#: Little patience, so that a test need not have more.
IMPATIENT = HealthLimits(silent_ms=1_500, missing_ms=500, least_free_bytes=1)


def asked(port: int, path: str = "/healthz") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def failing(port: int) -> set[str]:
    """The parts that a stage says fail; its status is 503 if there are any."""
    status, body = asked(port)
    found = {each["part"] for each in json.loads(body)["failing"]}
    assert status == (503 if found else 200)
    return found


class Deployment:
    """A broker of its own, a store server, and an intake between them that answers at `port`."""

    def __init__(self, broker: EmbeddedBroker, settings: Settings, health: StageHealth, where: ClickHouse) -> None:
        self.broker = broker
        self.settings = settings
        self.health = health
        self.port = settings.metrics.port
        self._where = where
        self._store: StoreServer | None = None

    def start_store(self) -> None:
        url = self.settings.clickhouse.url
        self._store = StoreServer(self._where.path, int(url.rsplit(":", 1)[1]), self.settings.clickhouse.password)
        # Without connections that are kept its stop is felt at once.
        self._store._server.RequestHandlerClass.protocol_version = "HTTP/1.0"  # type: ignore[attr-defined]
        self._store.start()

    def stop_store(self) -> None:
        if self._store is not None:
            self._store.stop()
            self._store = None

    def send(self, number: int) -> None:
        publisher = Publisher(self.settings.kafka)
        for each in range(number):
            publisher.publish(MAIL_EVENTS, b"k", event(each, time=utc_now_ms()))
        publisher.flush()

    def signal_broker(self, number: signal.Signals) -> None:
        pid = self.broker.pid
        assert pid is not None
        os.kill(pid, number)

    @property
    def lag(self) -> float:
        return float(self.health.numbers["ingest"].lag)

    def become(self, *parts: str) -> Samples:
        """Wait until exactly these parts fail; the numbers then."""
        wait_for(lambda: failing(self.port) == set(parts), f"{parts or 'nothing'} to fail", 60)
        return {UP: 1.0, **alert_rules.of_text(asked(self.port, "/metrics")[1])}

    def status_code(self) -> int:
        """The exit code of `repmon status`."""
        where = [f"http://127.0.0.1:{self.port}"]
        return exit_code(status_lines(read_status(self.settings, named=where, watch_s=0.1)))


@contextmanager
def deployed(folder: Path, where: ClickHouse) -> Iterator[Deployment]:
    broker = EmbeddedBroker(0, folder / "broker.log")
    url, port = f"http://127.0.0.1:{free_port()}", free_port()
    with ExitStack() as last:
        broker.start()
        last.callback(broker.stop)
        create_topics(broker.kafka, load_topics())
        settings = Settings(
            kafka=broker.kafka,
            clickhouse=msgspec.structs.replace(where, path="", url=url, password="secret", timeout_s=2.0),
            ingest=Ingest(hash_key="0123456789abcdef0123456789abcdef", flush_seconds=0.2),
            metrics=MetricsSettings(port=port),
        )
        health = StageHealth("ingest", settings, [*load_topics()], awaited=["ingest"], limits=IMPATIENT, every_s=0.2)
        made = Deployment(broker, settings, health, where)
        last.callback(made.stop_store)
        made.start_store()
        last.enter_context(served(health, settings))
        assert failing(port) == {"start"}
        thread = IngestThread(settings, lambda error: pytest.fail(str(error)))
        thread.start()
        last.callback(thread.end, 30)
        health.numbers["ingest"] = thread.worker.metrics
        yield made


def test_each_fault_is_named_fires_its_rule_and_is_over_with_its_cause(
    tmp_path: Path, store_settings: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "LAG_S", 0.2)
    monkeypatch.setattr(ingest, "LAG_OLD_S", 1.0)
    seen: dict[str, tuple[Samples, set[str]]] = {}
    with deployed(tmp_path, store_settings) as to:
        well = to.become()
        to.send(10)
        wait_for(lambda: to.health.numbers["ingest"].stored == 10 and to.lag == 0, "all to be counted")
        seen["well"] = to.become(), set()
        assert to.status_code() == WELL

        to.signal_broker(signal.SIGSTOP)
        try:
            wait_for(lambda: to.lag != to.lag, "the lag to be unknown")
            seen["broker frozen"] = to.become("broker"), {"RepmonBrokerSilent"}
            assert to.status_code() == UNWELL
            assert asked(to.port, "/livez")[0] == 200
        finally:
            to.signal_broker(signal.SIGCONT)
        to.become()
        wait_for(lambda: to.lag == 0, "the lag to be known")

        to.stop_store()
        to.send(100)
        wait_for(lambda: to.lag == 100, "what is taken and not stored to be counted as lag")
        seen["store down"] = to.become("store"), {"RepmonStoreSilent"}
        to.start_store()
        to.become()
        wait_for(lambda: to.lag == 0, "what waited to be stored")

        to.health.limits = replace(IMPATIENT, least_free_bytes=1 << 62)
        seen["disk full"] = to.become("disk"), {"RepmonDiskFull"}
        to.health.limits = IMPATIENT
        to.become()

        client = admin(to.settings.kafka)  # its answers come for as long as it is there
        client.delete_topics([DEAD_LETTERS])[DEAD_LETTERS].result(30)
        seen["topic deleted"] = to.become("topic"), {"RepmonTopicMissing"}
        assert to.status_code() == UNWELL
    alert_rules.check({name: Case(well, each, frozenset(fires)) for name, (each, fires) in seen.items()}, tmp_path)


def test_monitor_answers_before_its_broker_does(store_settings: ClickHouse, tmp_path: Path) -> None:
    """The port was closed until everything was reached."""
    server, port = StoreServer(store_settings.path, 0, "secret"), free_port()
    server.start()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        environment = {
            **os.environ,
            "REPMON_KAFKA__BOOTSTRAP": f"127.0.0.1:{mute.getsockname()[1]}",
            "REPMON_CLICKHOUSE__URL": f"http://127.0.0.1:{server.port}",
            "REPMON_CLICKHOUSE__PASSWORD": "secret",
            "REPMON_CLICKHOUSE__DATABASE": store_settings.database,
            "REPMON_METRICS__PORT": str(port),
        }
        with subprocess.Popen([REPMON, "monitor"], env=environment, cwd=tmp_path, stderr=subprocess.PIPE) as process:

            def starting() -> bool:
                try:
                    return "start" in failing(port)
                except OSError:
                    assert process.poll() is None
                    return False

            try:
                wait_for(starting, "the monitor to say that it starts", 60)
            finally:
                process.kill()
    server.stop()
