import gc
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import confluent_kafka
import msgspec
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from jobs.setup import topics as topics_job
from jobs.setup.topics import create_topics, remake_topics
from schemas import topics
from schemas.settings import Kafka
from schemas.topics import Topic
from streams.io.broker import BrokerError, admin, topic_ids
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


def test_looking_at_topics_again_and_again_keeps_nothing(kafka: Kafka, declared: dict[str, Topic]) -> None:
    """The client keeps each id that it describes: 140 bytes a look and topic, every few seconds for years."""
    create_topics(kafka, declared)
    client = admin(kafka)
    before = [topic_ids(client, list(declared)), known_ids()]
    for _ in range(5):
        assert topic_ids(client, list(declared)) == before[0]
    assert known_ids() == before[1]


def known_ids() -> int:
    gc.collect()
    return sum(type(each) is confluent_kafka.Uuid for each in gc.get_objects())


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
    monkeypatch.setattr(topics_job, "admin", partial(admin, timeout_s=0.5))


@pytest.mark.usefixtures("impatient")
def test_broker_that_cannot_be_reached_is_one_clear_error() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refuses connections, and nobody else can take it
        where = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(BrokerError, match=where):
            create_topics(Kafka(bootstrap=where), topics.load_topics())
