"""The hook as a process over a real broker: each alert is heard, across restarts and topics that are made again."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import msgspec
import pytest

from api.stack.hook import run_hook
from jobs.hooks import suspend_hook
from jobs.setup.topics import remake_topics
from schemas.alert import AlertEvent
from schemas.hook import Hook
from schemas.settings import ClickHouse, Kafka, Settings
from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_ALERTS, load_topics
from streams.io.broker import BrokerError, Publisher, admin
from streams.io.store import open_store
from tests.support.hooked import Scene
from tests.support.waiting import wait_for


@pytest.fixture
def scene(store_settings: ClickHouse) -> Iterator[Scene]:
    """Customers of now. The hook closes a store of its own."""
    store = open_store(store_settings)
    made = Scene(store, utc_now_ms())
    made.mail(["acme", "globex"])
    yield made
    store.close()


def send(kafka: Kafka, *messages: AlertEvent | bytes) -> None:
    publisher = Publisher(kafka)
    for each in messages:
        publisher.publish(REPUTATION_ALERTS, b"acme", each if isinstance(each, bytes) else msgspec.json.encode(each))
    publisher.flush()


@contextmanager
def hook(kafka: Kafka, scene: Scene, *, from_beginning: bool = False) -> Iterator[list[str]]:
    """The lines of a running dry run; it is stopped at the end, and its error raised."""
    lines: list[str] = []
    stop = threading.Event()
    settings = Settings(kafka=kafka, clickhouse=scene.store.settings, hook=Hook(lease_s=5, sweep_s=1))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run_hook, settings, lambda said: lines.append(said.text), stop, act=False, from_beginning=from_beginning
        )
        try:
            yield lines
        except AssertionError:
            if running.done():
                running.result()  # its own error says more
            raise
        finally:
            stop.set()
        running.result(timeout=20)


def lines_until(kafka: Kafka, scene: Scene, count: int, *, from_beginning: bool = False) -> list[str]:
    with hook(kafka, scene, from_beginning=from_beginning) as lines:
        wait_for(lambda: len(lines) >= count, f"{count} lines; came: {lines}", 60)
    return lines


def test_hook_goes_on_behind_what_it_heard_and_skips_what_is_no_alert(kafka: Kafka, scene: Scene) -> None:
    first = scene.alert("acme")
    send(kafka, first, b"{not json", b"\xff\xfe", first)
    one, two, three = sorted(lines_until(kafka, scene, 3))
    assert one.startswith("skipped reputation.alerts[")
    assert "]@1, not an alert as a CloudEvent: " in one
    assert "]@2, not an alert as a CloudEvent: " in two
    assert three.startswith("would suspend acme: critical failure 14.20 %")
    send(kafka, scene.alert("globex"))
    (line,) = lines_until(kafka, scene, 1)
    assert line.startswith("would suspend globex: ")
    assert not [each for each in lines_until(kafka, scene, 2, from_beginning=True) if each.startswith("would")]


def test_topic_that_is_made_again_is_read_from_its_beginning(
    kafka: Kafka, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(kafka, *(b"{old" for _ in range(10)))
    topic = load_topics()[REPUTATION_ALERTS]
    with hook(kafka, scene) as lines:
        wait_for(lambda: len(lines) >= 10, "the first topic to be read")
        remake_topics(kafka, [topic])
        send(kafka, *(b"{new" for _ in range(14)), scene.alert("acme"))
        wait_for(lambda: len(lines) >= 26, f"the new topic to be read; came: {len(lines)}", 60)
    remade = "reputation.alerts was deleted and made again: reading the new one from its beginning"
    assert lines[10] == remade
    assert len([each for each in lines[11:] if each.startswith("skipped")]) == 14
    assert lines[-1].startswith("would suspend acme: ")

    remake_topics(kafka, [topic])
    send(kafka, b"{newest")
    first, second = lines_until(kafka, scene, 2)
    assert first == remade, "also where it was made again while no hook ran"
    assert second.startswith("skipped reputation.alerts[")

    if kafka.static_assignment:
        monkeypatch.setattr(suspend_hook, "cluster_id", lambda _admin: "of another start")
        remake_topics(kafka, [topic])
        send(kafka, b"{newest")
        assert lines_until(kafka, scene, 2)[0] == f"reputation.alerts {suspend_hook.ANOTHER_ONE}"


def test_hook_without_its_topic_names_the_command_that_makes_it(embedded_kafka: Kafka, scene: Scene) -> None:
    client = admin(embedded_kafka)
    client.delete_topics([REPUTATION_ALERTS])[REPUTATION_ALERTS].result(timeout=10)
    wait_for(lambda: REPUTATION_ALERTS not in client.list_topics(timeout=5).topics, "the topic to be gone")
    settings = Settings(kafka=embedded_kafka, clickhouse=scene.store.settings)
    with pytest.raises(BrokerError, match="repmon topics create"):
        run_hook(settings, print, threading.Event(), act=False)


def test_hook_without_a_broker_is_one_clear_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspend_hook, "admin", partial(admin, timeout_s=0.5))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refuses connections, and nobody else can take it
        where = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(BrokerError, match=where):
            run_hook(
                Settings(kafka=Kafka(bootstrap=where), clickhouse=scene.store.settings),
                print,
                threading.Event(),
                act=False,
            )
