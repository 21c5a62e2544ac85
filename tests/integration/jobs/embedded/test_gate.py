"""The gate before the embedded broker: it holds producers back, and nobody else."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import ScramMechanism, UserScramCredentialDeletion
from confluent_kafka.cimpl import NewPartitions

from jobs.embedded.broker import EmbeddedBroker
from schemas.settings import Kafka
from schemas.topics import load_topics
from streams.io.broker import BrokerError, Publisher, admin, consumer, topic_ids
from tests.support.waiting import wait_for

TOPIC = "mail.events"


def outsider(kafka: Kafka) -> Publisher:
    """A producer that is none of our stages."""
    return Publisher(msgspec.structs.replace(kafka, options={}))


@pytest.fixture
def kafka(embedded_kafka: Kafka) -> Kafka:
    """Only the embedded broker has a gate."""
    return embedded_kafka


@pytest.fixture(autouse=True)
def released(broker: EmbeddedBroker) -> object:
    yield
    broker.gate.open()
    broker.gate.release()


def test_held_producer_is_acknowledged_only_after_release(broker: EmbeddedBroker, kafka: Kafka) -> None:
    producer = outsider(kafka)
    producer.partitions(TOPIC)
    broker.gate.hold()
    producer.publish(TOPIC, b"k", b"v")
    with pytest.raises(BrokerError, match="not acknowledged"):
        producer.flush(0.5)
    broker.gate.release()
    producer.flush(10)


def test_gate_closes_by_itself_when_as_much_has_passed_as_is_allowed(broker: EmbeddedBroker, kafka: Kafka) -> None:
    """However many connections waited: each message goes its own way here, in a request of its own."""
    producers = [outsider(kafka) for _ in range(5)]
    for each in producers:
        each.partitions(TOPIC)
    broker.gate.hold()
    before = broker.gate.outside_bytes
    for each in producers:
        each.publish(TOPIC, b"k", b"v" * 1_000)
    broker.gate.release(allowed_bytes=1)
    wait_for(lambda: broker.gate.outside_bytes > before, "one to pass")
    refused = 0
    for each in producers:
        try:
            each.flush(0.5)
        except BrokerError:
            refused += 1
    assert refused == 4
    broker.gate.release()
    for each in producers:
        each.flush(10)


def test_our_own_stages_pass_a_held_gate(broker: EmbeddedBroker, kafka: Kafka) -> None:
    inside = Publisher(kafka)
    broker.gate.hold()
    inside.publish(TOPIC, b"k", b"v")
    inside.flush(5)


def test_consumers_read_while_producers_are_held(broker: EmbeddedBroker, kafka: Kafka) -> None:
    producer = outsider(kafka)
    for number in range(100):
        producer.publish(TOPIC, str(number).encode(), b"v")
    producer.flush()
    broker.gate.hold()
    source = consumer(kafka, "gate")
    source.subscribe([TOPIC])
    seen: list[bytes] = []

    def all_read() -> bool:
        seen.extend(m.value() or b"" for m in source.consume(200, 0.2) if m.error() is None)
        return len(seen) >= 100

    wait_for(all_read, "100 messages")
    source.close()
    assert len(seen) == 100


def test_hold_waits_for_what_was_let_through(broker: EmbeddedBroker, kafka: Kafka) -> None:
    """Everything acknowledged is in the log when `hold` returns, whatever many producers do meanwhile."""
    over, acknowledged = threading.Event(), [0, 0, 0]

    def produce(place: int) -> None:
        producer = outsider(kafka)
        while not over.is_set():
            producer.publish(TOPIC, b"k", b"v")
            try:
                producer.flush(5)
            except BrokerError:
                return
            acknowledged[place] += 1

    threads = [threading.Thread(target=produce, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: sum(acknowledged) > 50, "some messages")
    broker.gate.hold()
    at_hold = sum(acknowledged)
    over.set()
    source = consumer(kafka, "gate-count")
    source.subscribe([TOPIC])
    seen = [0]

    def all_read() -> bool:
        seen[0] += sum(m.error() is None for m in source.consume(500, 0.2))
        return seen[0] >= at_hold

    wait_for(all_read, f"the {at_hold} messages that were acknowledged")
    source.close()
    broker.gate.release()
    for thread in threads:
        thread.join(10)


def test_closed_gate_lets_nobody_make_a_topic_by_asking_for_it(broker: EmbeddedBroker, kafka: Kafka) -> None:
    """The broker makes an unknown topic, with partitions of its own choice, as soon as a producer asks where it is: not
    for others while the gate is closed, and never for our own stages. Afterwards others are answered."""
    broker.gate.close()
    with pytest.raises(BrokerError, match="there is no topic unmade"):
        Publisher(kafka).partitions("unmade")
    asked = ThreadPoolExecutor(1).submit(outsider(kafka).partitions, TOPIC)
    assert not wait([asked], 1).done
    assert "unmade" not in topic_ids(admin(kafka), ["unmade"])
    broker.gate.open()
    assert asked.result(10) == load_topics()[TOPIC].partitions


@pytest.mark.parametrize("said", [b"", b"\0\0\0"])
def test_connection_that_asks_nothing_is_closed(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """Some hundreds of them would otherwise keep every client out, for as long as they like."""
    monkeypatch.setattr("jobs.embedded.gate.FIRST_S", 0.1)
    with socket.create_connection((broker.gate.host, broker.gate.port)) as silent:
        silent.sendall(said)
        silent.settimeout(20)
        assert silent.recv(1) == b""


def test_where_connections_are_too_many_silent_ones_are_closed_for_those_who_ask(
    broker: EmbeddedBroker, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = broker.gate.host, broker.gate.port
    monkeypatch.setattr(broker.gate, "_most", len(broker.gate._relays) + 20)
    silent = [socket.create_connection(at) for _ in range(30)]
    silent[0].settimeout(20)
    assert silent[0].recv(1) == b"", "it was silent longest"
    assert outsider(kafka).partitions(TOPIC) == load_topics()[TOPIC].partitions
    for each in silent:
        each.close()


ACL = AclBinding(
    *(ResourceType.TOPIC, TOPIC, ResourcePatternType.LITERAL, "User:a", "*"), AclOperation.READ, AclPermissionType.ALLOW
)
SHORTER = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
#: What an administrator may ask for, and the error that is the answer. What librdkafka does not send, since the broker
#: does not name it among what it does, is refused there.
REFUSED: dict[str, tuple[Callable[[AdminClient], dict[Any, Future[Any]]], int]] = {
    "DeleteTopics": (lambda client: client.delete_topics([TOPIC]), KafkaError.TOPIC_DELETION_DISABLED),
    "DeleteRecords": (lambda client: client.delete_records([TopicPartition(TOPIC, 0, 1)]), KafkaError.POLICY_VIOLATION),
    "DeleteGroups": (lambda client: client.delete_consumer_groups(["repmon"]), KafkaError.POLICY_VIOLATION),
    "CreatePartitions": (
        lambda client: client.create_partitions([NewPartitions(TOPIC, 9)]),
        KafkaError._UNSUPPORTED_FEATURE,
    ),
    "IncrementalAlterConfigs": (
        lambda client: client.incremental_alter_configs(
            [ConfigResource("topic", TOPIC, incremental_configs=[SHORTER])]
        ),
        KafkaError.POLICY_VIOLATION,
    ),
    "CreateAcls": (lambda client: client.create_acls([ACL]), KafkaError.SECURITY_DISABLED),
    "AlterUserScramCredentials": (
        lambda client: client.alter_user_scram_credentials(
            [UserScramCredentialDeletion("a", ScramMechanism.SCRAM_SHA_256)]
        ),
        KafkaError.SECURITY_DISABLED,
    ),
}


def test_what_administrators_of_others_ask_for_is_refused_and_harms_nobody(
    broker: EmbeddedBroker, kafka: Kafka
) -> None:
    """The broker's library ends itself, or who asks it, at some of these; that ended `up`."""
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    found = {}
    for name, (ask, _) in REFUSED.items():
        ((_, future),) = ask(client).items()
        with pytest.raises(KafkaException) as refused:
            future.result(10)
        found[name] = refused.value.args[0].code()
    assert found == {name: code for name, (_, code) in REFUSED.items()}
    assert broker.exit_code is None
    assert outsider(kafka).partitions(TOPIC) == load_topics()[TOPIC].partitions
    Publisher(kafka).flush(5)


def test_refusal_comes_in_the_turn_of_its_request(broker: EmbeddedBroker) -> None:
    """Clients in Java hold answers against the order of their requests."""
    metadata = bytes.fromhex("0003 0000 00000007 ffff 00000000")
    delete = bytes.fromhex("0014 0000 00000008 ffff 00000001 0001 61 00000000")
    sent = b"".join(len(each).to_bytes(4, "big") + each for each in (metadata, delete, metadata))
    with (
        socket.create_connection((broker.gate.host, broker.gate.port), timeout=20) as client,
        client.makefile("rb") as got,
    ):
        client.sendall(sent)
        answers = [got.read(int.from_bytes(got.read(4), "big")) for _ in range(3)]
    assert [each[:4].hex() for each in answers] == ["00000007", "00000008", "00000007"]
    assert answers[1] == bytes.fromhex("00000008 00000001 0001 61 0049")


@pytest.mark.parametrize("sent", ["0014 0063 00000008 ffff 00000000 0000", "0014 0000 00000008 ffff 7fffffff 0000"])
def test_request_that_is_not_what_it_says_ends_its_connection_alone(broker: EmbeddedBroker, sent: str) -> None:
    request = bytes.fromhex(sent)
    with socket.create_connection((broker.gate.host, broker.gate.port), timeout=20) as client:
        client.sendall(len(request).to_bytes(4, "big") + request)
        assert client.recv(1) == b""
    assert broker.exit_code is None
