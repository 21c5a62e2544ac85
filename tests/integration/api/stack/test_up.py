"""`repmon up` as its user runs it: what was acknowledged is counted, whenever it is asked to stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec
import pytest
import requests
from confluent_kafka.admin import AdminClient

from api.cli.notify import BY_ITSELF
from jobs import simulate
from jobs.embedded.broker import free_port
from jobs.embedded.folder import DataFolder
from jobs.embedded.reader import READER
from schemas.incident import INCIDENT_SOURCE, IncidentEvent
from schemas.settings import Kafka, Settings
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS, load_topics
from schemas.wording import rfc3339
from streams.io.broker import BrokerError, Publisher, admin, topic_ids
from streams.io.outgoing import Outgoing, store_outgoing
from streams.io.store import open_store
from tests.support.root import ROOT
from tests.support.told import KEY, Receiver, receiver
from tests.support.up_process import REPMON, up
from tests.support.waiting import wait_for

COUNTED = "SELECT sum(delivered + deferred), sum(complained + reported) FROM counts WHERE dimension = 'provider'"


def counted(settings: Settings) -> tuple[int, int]:
    store = open_store(settings.clickhouse)
    ((sent, complaints),) = store.rows(COUNTED)
    store.close()
    return int(sent), int(complaints)


def asked_as_grafana(settings: Settings, folder: Path, sql: str) -> tuple[int, str]:
    """What the user of the store is answered who only reads, with the password that the folder keeps."""
    clickhouse = settings.clickhouse
    login = (READER, DataFolder(folder).reader_password())
    found = requests.get(clickhouse.url, {"query": sql, "database": clickhouse.database}, auth=login, timeout=60)
    return found.status_code, found.text


def simulated(settings: Settings, messages: int = 10_000, seed: int = 1) -> simulate.Truth:
    """What was sent and acknowledged."""
    publisher = Publisher(settings.kafka)
    truth = simulate.run(
        simulate.SimulationOptions(seed=seed, messages=messages, rate=0),
        publisher.publish,
        now_ms=utc_now_ms,
        stop=threading.Event(),
        sleep=time.sleep,
    )
    publisher.flush(60)
    return truth


def remade(client: AdminClient, first: dict[str, str]) -> bool:
    """Whether the topics exist again under other ids; between the two there are none for a moment."""
    found = topic_ids(client, list(first))
    return found.keys() == first.keys() and found != first


def simulated_until_remade(settings: Settings, portion: int) -> Iterator[simulate.Truth]:
    """What was sent and acknowledged, in portions of so many messages: until the topics were made again, and one more,
    which no longer waits for that."""
    client = admin(settings.kafka)
    first, end, over = topic_ids(client, [MAIL_EVENTS]), time.monotonic() + 60, False
    for seed in count(1):
        yield simulated(settings, portion, seed)
        if over:
            return
        over = remade(client, first)
        assert over or time.monotonic() < end, "the topics are made again while events flow"


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_all_that_was_acknowledged_is_counted_when_asked_to_stop_in_full_flow(tmp_path: Path, signal_: int) -> None:
    with up(tmp_path) as (settings, process):
        truths = list(simulated_until_remade(settings, 5_000))
        process.send_signal(signal_)
        assert process.wait(60) == 0
    wanted = [stream.counts for truth in truths for each in truth.customers for stream in each.streams]
    with up(tmp_path) as (settings, _):
        assert counted(settings) == (
            sum(each.delivered + each.deferred for each in wanted),
            sum(each.complained + each.reported for each in wanted),
        )


SETTINGS = """
[kafka]
group = "mine"

[clickhouse]
timeout_s = 60.0
"""


INCIDENT = ROOT / "schemas/examples/reputation.incidents/valid/began.json"


def routes(url: str) -> str:
    """A route of notifications, as the environment has it."""
    target = {"kind": "webhook", "url": url, "secrets": [KEY]}
    return json.dumps([{"name": "hook", "target": target, "events": ["incident.*"], "allow_private": True}])


def told_of_an_incident(settings: Settings, received: Receiver) -> None:
    """What is stored as to be sent reaches the topic of incidents, and from there the route."""
    example = msgspec.json.decode(INCIDENT.read_bytes(), type=IncidentEvent)
    now_ms = utc_now_ms()
    event = msgspec.structs.replace(example, time=rfc3339(now_ms), source=INCIDENT_SOURCE)
    store = open_store(settings.clickhouse)
    store_outgoing(store, [Outgoing(event, now_ms)])
    store.close()
    wait_for(lambda: bool(received.requests), "the incident to be told")
    assert received.bodies()[0]["id"] == event.id


def test_each_stage_is_named_as_it_comes_up_and_goes_down(tmp_path: Path) -> None:
    """Whatever spelling the folder has. One line in `[kafka]` or `[clickhouse]` leaves broker and store embedded, as no
    address is named."""
    folder, link = tmp_path / "data", tmp_path / "link"
    link.symlink_to(folder)
    (tmp_path / "repmon.toml").write_text(SETTINGS)
    with receiver() as received, up(folder, "link", NOTIFY__ROUTES=routes(received.url)) as (settings, process):
        told_of_an_incident(settings, received)
        beside = {**os.environ, "REPMON_EMBEDDED__DATA": str(folder), "REPMON_NOTIFY__ROUTES": routes(received.url)}
        for data in (str(link), "elsewhere/../data"):
            (tmp_path / "elsewhere").mkdir(exist_ok=True)
            done = subprocess.run(
                [REPMON, "top", "--once"],
                cwd=tmp_path,
                env={**os.environ, "REPMON_EMBEDDED__DATA": data},
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, "")
        levels = "SELECT count() > 5 FROM policy_levels"
        wait_for(lambda: asked_as_grafana(settings, folder, levels) == (200, "1\n"), "the thresholds in force")
        assert asked_as_grafana(settings, folder, "SELECT count() FROM api_keys")[0] == 403
        again = [REPMON, "notify"]
        second = subprocess.run(again, cwd=tmp_path, env=beside, capture_output=True, text=True, check=False)
        assert (second.returncode, second.stderr) == (2, f"repmon: {BY_ITSELF}\n")
        assert settings.kafka.group == "mine"
        process.send_signal(signal.SIGINT)
        said, errors = (each.decode() for each in process.communicate(timeout=60))
    assert (process.returncode, errors) == (0, "")
    assert f"repmon: starting, data in {folder}\n" in said
    assert "kafka.bootstrap names no other" in said
    assert "clickhouse.url names no other" in said
    began, ended = said.split("repmon: stopping\n")
    stages = [line.split()[0] for line in began.splitlines() if line.startswith("  ")]
    assert stages == ["broker", "store", "tables", "topics", "ingest", "monitor", "notify", "API"]
    ends = [line.split()[0] for line in ended.splitlines() if line.startswith("  ")]
    assert sorted(ends[:3]) == ["API", "ingest", "monitor"]
    assert ends[3:] == ["notify", "store", "broker"]
    assert ended.endswith("repmon: stopped; everything acknowledged is counted\n")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("API__PORT", "repmon: api.host, api.port: 127.0.0.1:{port} cannot be used: Address already in use\n"),
        (
            "EMBEDDED__BROKER_PORT",
            "repmon: embedded broker: port {port}: address already in use. If a Kafka broker runs",
        ),
        (
            "EMBEDDED__STORE_PORT",
            "repmon: embedded.store_port: {port} cannot be used: Address already in use. If Click",
        ),
    ],
)
def test_port_that_is_taken_is_named_with_its_setting(tmp_path: Path, setting: str, said: str) -> None:
    ports = {f"REPMON_{each}": "0" for each in ("API__PORT", "EMBEDDED__BROKER_PORT", "EMBEDDED__STORE_PORT")}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [REPMON, "up"],
            cwd=tmp_path,
            env={**os.environ, **ports, f"REPMON_{setting}": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(said.format(port=port))
    assert "  tables" not in done.stdout, "it was asked for before what takes long"


def test_asked_to_stop_while_it_starts_it_takes_down_what_is_up(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    environment = {**os.environ, "REPMON_EMBEDDED__BROKER_PORT": "0", "REPMON_EMBEDDED__STORE_PORT": "0"}
    with subprocess.Popen([REPMON, "up"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        wait_for((folder / "broker.log").exists, "the broker to be started", 60)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().endswith("  broker   stopped\n")
    assert not (folder / "running.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="threads are found by their names in /proc")
def test_stop_ends_the_engine_however_long_a_question_of_the_monitor_takes(tmp_path: Path) -> None:
    """An engine that goes on merges in the folder that the demo is just removing: `hourly_1.tmp_proj: Directory not
    empty`."""
    command = [sys.executable, "-m", "tests.support.judged_for_ever", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["runs: True", "runs: False drained: True"]


def test_broker_that_ends_by_itself_ends_the_command_with_one_clear_line(tmp_path: Path) -> None:
    with up(tmp_path) as (_, process):
        for broker in children(process.pid):
            os.kill(broker, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 2
        assert [line for line in said.decode().splitlines() if "broker" in line] == [
            f"repmon: embedded broker: ended by itself (-9); see {tmp_path / 'broker.log'}"
        ]
        assert "Traceback" not in said.decode()


def children(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that ended meanwhile
            found += [int(each) for each in (thread / "children").read_text().split()]
    return found


def test_producer_that_asks_all_the_time_never_makes_a_topic(tmp_path: Path) -> None:
    """Neither before the start is through nor while memory is given back: the broker would make 4 partitions."""
    port, over = free_port(), threading.Event()
    declared, found = load_topics()[MAIL_EVENTS].partitions, set()

    def ask() -> None:
        while not over.is_set():
            producer = Publisher(Kafka(bootstrap=f"127.0.0.1:{port}"))
            with suppress(BrokerError):
                found.add(producer.partitions(MAIL_EVENTS))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for each in threads:
        each.start()
    with up(tmp_path, broker_port=port) as (settings, process):
        client = admin(settings.kafka)
        first = topic_ids(client, [MAIL_EVENTS])
        simulated(settings)
        wait_for(lambda: remade(client, first), "the topics to be made again")
        over.set()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, process.communicate()
    for each in threads:
        each.join()
    assert found == {declared}


def test_part_that_is_broken_is_named_at_the_next_start(tmp_path: Path) -> None:
    """The engine sets it aside and goes on without a word: of 1,242,830 events 4,991 were left, and all seemed well."""
    with up(tmp_path) as (settings, process):
        simulated(settings, 1_000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    parts = (tmp_path / "store" / "store").glob("*/*/all_*")
    broken = [
        file
        for part in parts
        if b"late_hard" in (part / "columns.txt").read_bytes()
        for file in part.iterdir()
        if file.suffix == ".bin"
    ]
    assert broken, "parts of counts"
    for each in broken:
        os.truncate(each, 5)
    environment = {
        **os.environ,
        "REPMON_EMBEDDED__DATA": str(tmp_path),
        **{f"REPMON_{each}": "0" for each in ("API__PORT", "EMBEDDED__BROKER_PORT", "EMBEDDED__STORE_PORT")},
    }
    done = subprocess.run([REPMON, "up"], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert "counts: the part broken-on-start_all_" in done.stderr
    assert "set ingest.missing_counts" in done.stderr
    with up(tmp_path, INGEST__MISSING_COUNTS="continue"):
        pass  # it came up
