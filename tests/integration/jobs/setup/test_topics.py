import socket
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import msgspec
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from jobs.hooks import suspend_hook
from jobs.setup import topics as topics_job
from jobs.setup.topics import create_topics, remake_topics
from schemas import topics
from schemas.alert import AlertEvent
from schemas.customer_event import CustomerDecision, customer_event
from schemas.settings import Kafka
from schemas.topics import REPUTATION_ALERTS, Topic
from streams.io.broker import BrokerError, Publisher, admin, topic_ids
from tests.support.alert_life import alert
from tests.support.waiting import wait_for


@pytest.fixture
def declared() -> dict[str, Topic]:
    """The declared topics under names of the test's own."""
    suffix = uuid.uuid4().hex[:8]
    renamed = [msgspec.structs.replace(each, topic=f"{each.topic}.{suffix}") for each in topics.load_topics().values()]
    return {each.topic: each for each in renamed}


def test_missing_topics_are_made_as_declared_and_existing_ones_reported(
    kafka: Kafka, declared: dict[str, Topic]
) -> None:
    made = create_topics(kafka, declared)
    assert {each.name: each.status for each in made} == dict.fromkeys(declared, "created")
    found = admin(kafka).list_topics(timeout=5).topics
    assert {name: len(found[name].partitions) for name in declared} == {
        name: each.partitions for name, each in declared.items()
    }
    assert {each.status for each in create_topics(kafka, declared)} == {"exists"}


def test_topic_settings_are_sent_to_the_broker(kafka: Kafka, declared: dict[str, Topic]) -> None:
    create_topics(kafka, declared)
    client = admin(kafka)
    for name, topic in declared.items():
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        settings = client.describe_configs([resource])[resource].result(timeout=10)
        assert {key: settings[key].value for key in topic.config} == topic.config


def test_only_the_missing_topics_are_made(kafka: Kafka, declared: dict[str, Topic]) -> None:
    first, *rest = declared.values()
    create_topics(kafka, [first])
    statuses = {each.name: each.status for each in create_topics(kafka, declared)}
    assert statuses == {first.topic: "exists", **{each.topic: "created" for each in rest}}


def test_other_number_of_partitions_is_reported_and_not_changed(kafka: Kafka, declared: dict[str, Topic]) -> None:
    topic = next(iter(declared.values()))
    create_topics(kafka, [topic])
    other = msgspec.structs.replace(topic, partitions=topic.partitions + 2)
    (report,) = create_topics(kafka, [other])
    assert (report.status, report.partitions, report.declared) == (
        "differs",
        topic.partitions,
        other.partitions,
    )
    assert "left as it is" in str(report)
    assert len(admin(kafka).list_topics(timeout=5).topics[topic.topic].partitions) == topic.partitions


def test_two_that_create_at_once_both_end_well(kafka: Kafka, declared: dict[str, Topic]) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: create_topics(kafka, declared), range(2)))
    for mine, yours in zip(*both, strict=True):
        assert sorted((mine.status, yours.status)) == ["created", "exists"]


def test_remade_topic_has_a_new_id(kafka: Kafka, declared: dict[str, Topic]) -> None:
    create_topics(kafka, declared)
    before = topic_ids(admin(kafka), list(declared))
    assert {each.status for each in remake_topics(kafka, declared)} == {"created"}
    after = topic_ids(admin(kafka), list(declared))
    assert set(before) == set(after) == set(declared)
    assert not set(before.values()) & set(after.values())


def test_topic_that_somebody_else_makes_meanwhile_is_remade_as_declared(
    kafka: Kafka, declared: dict[str, Topic], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that makes topics by itself does so for any producer that asks in this moment."""
    create_topics(kafka, declared)
    topic = next(iter(declared.values()))
    other, create = msgspec.structs.replace(topic, partitions=topic.partitions + 2), topics_job._create

    def once_too_late(client: AdminClient, where: Kafka, wanted: list[Topic]) -> set[str]:
        monkeypatch.setattr(topics_job, "_create", create)
        wait_for(lambda: bool(create(client, where, [other])), "the topic to be gone and made by another")
        return create(client, where, wanted)

    monkeypatch.setattr(topics_job, "_create", once_too_late)
    remake_topics(kafka, [topic])
    assert len(admin(kafka).list_topics(timeout=5).topics[topic.topic].partitions) == topic.partitions


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a broker that does not answer after half a second instead of ten."""
    for module in (topics_job, suspend_hook):
        monkeypatch.setattr(module, "admin", partial(admin, timeout_s=0.5))


@pytest.mark.usefixtures("impatient")
def test_broker_that_cannot_be_reached_is_one_clear_error() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refuses connections, and nobody else can take it
        where = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(BrokerError, match=where):
            create_topics(Kafka(bootstrap=where), topics.load_topics())


def send(kafka: Kafka, *messages: AlertEvent | bytes) -> None:
    publisher = Publisher(kafka)
    for each in messages:
        value = each if isinstance(each, bytes) else msgspec.json.encode(each)
        publisher.publish(REPUTATION_ALERTS, b"acme-retail", value)
    publisher.flush()


@contextmanager
def hook(kafka: Kafka, *, from_beginning: bool = False) -> Iterator[list[str]]:
    """The lines of a running hook; it is stopped at the end, and its error raised."""
    lines: list[str] = []
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(suspend_hook.run, kafka, lines.append, stop, from_beginning)
        try:
            yield lines
        except AssertionError:
            if running.done():
                running.result()  # its own error says more
            raise
        finally:
            stop.set()
        running.result(timeout=20)


def lines_until(kafka: Kafka, count: int, *, from_beginning: bool = False) -> list[str]:
    # A cluster that was never asked for a group's offsets first makes its topic of them.
    with hook(kafka, from_beginning=from_beginning) as lines:
        wait_for(lambda: len(lines) >= count, f"{count} lines; came: {lines}", 80)
    return lines


@pytest.fixture(params=[True, False], ids=["static assignment", "consumer group"])
def hook_kafka(request: pytest.FixtureRequest, kafka: Kafka) -> Kafka:
    return msgspec.structs.replace(kafka, static_assignment=request.param)


def test_hook_prints_each_alert_once_and_skips_what_is_no_alert(hook_kafka: Kafka) -> None:
    send(hook_kafka, alert(), b"{not json", b"\xff\xfe", alert(), alert("resolved", "good"))
    first, second, third, last = lines_until(hook_kafka, 4)
    assert first.startswith("would suspend acme-retail: ")
    for number, line in ((1, second), (2, third)):
        assert line.startswith("skipped reputation.alerts[")
        assert f"]@{number}, not an alert as a CloudEvent: " in line
    assert last.startswith("would lift the suspension of acme-retail: ")


def test_hook_says_nothing_of_what_operators_decided_of_customers(hook_kafka: Kafka) -> None:
    decided = CustomerDecision(
        customer="acme-retail", kind="suspended", by="Ida", why="a bought list", decided_ms=1, since_ms=1
    )
    send(hook_kafka, msgspec.json.encode(customer_event(decided)), alert())
    first, *others = lines_until(hook_kafka, 1)
    assert first.startswith("would suspend acme-retail: ")
    assert others == []


def test_restarted_hook_goes_on_behind_the_last_line_and_remembers_whom_it_suspended(
    hook_kafka: Kafka,
) -> None:
    send(hook_kafka, alert("opened", "excessive"))
    assert len(lines_until(hook_kafka, 1)) == 1
    send(hook_kafka, alert("escalated", "critical"))
    (line,) = lines_until(hook_kafka, 1)
    assert line.startswith("would not suspend acme-retail again (same episode): ")


def test_hook_from_the_beginning_says_everything_again(hook_kafka: Kafka) -> None:
    send(hook_kafka, alert(), alert("resolved", "good"))
    first = lines_until(hook_kafka, 2)
    assert lines_until(hook_kafka, 2, from_beginning=True) == first


def test_hook_without_its_topic_names_the_command_that_makes_it(kafka: Kafka) -> None:
    client = admin(kafka)
    client.delete_topics([REPUTATION_ALERTS])[REPUTATION_ALERTS].result(timeout=10)
    wait_for(lambda: REPUTATION_ALERTS not in client.list_topics(timeout=5).topics, "the topic to be gone")
    with pytest.raises(BrokerError, match="repmon topics create"):
        suspend_hook.run(kafka, print, threading.Event(), from_beginning=True)


@pytest.mark.usefixtures("impatient")
def test_hook_without_a_broker_is_one_clear_error() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(BrokerError, match=where):
            suspend_hook.run(Kafka(bootstrap=where), print, threading.Event(), from_beginning=True)
