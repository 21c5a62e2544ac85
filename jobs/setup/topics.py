"""Make the declared topics on a broker, and write their JSON Schemas (`python -m jobs.setup.topics schemas`)."""

import sys
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

import schemas
from schemas import asyncapi, json_schema
from schemas.settings import Kafka
from schemas.topics import Topic, load_topics
from streams.io.broker import REACH_S, BrokerError, admin, topic_ids

#: How long a topic that is deleted may take to be gone, or one that is made to be known; how often that is looked at.
GONE_S = 30.0
KNOWN_S = 30.0
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    """What became of one topic. `partitions` is what the broker has, `declared` what the file says."""

    name: str
    status: Literal["created", "exists", "differs"]
    partitions: int
    declared: int

    def __str__(self) -> str:
        """One line for a person."""
        if self.status == "differs":
            has = f"has {self.partitions} partitions, {self.declared} are declared"
            return f"{self.name}: exists, {has}; left as it is"
        return f"{self.name}: {self.status}, partitions: {self.partitions}"


def create_topics(kafka: Kafka, topics: Mapping[str, Topic] | Iterable[Topic]) -> list[CreatedTopic]:
    """Make the topics that are missing, and wait until they are known. What exists is left as it is, and reported.

    Raises:
        BrokerError: the broker cannot be reached within about 10 s, refuses, or does not know a topic after 30 s.
    """
    declared = list(topics.values() if isinstance(topics, Mapping) else topics)
    client = admin(kafka)
    existing = _partitions(client)
    made = _create(client, kafka, [topic for topic in declared if topic.topic not in existing])
    _await_known(client, kafka, [topic.topic for topic in declared])
    if len(made) + len(existing.keys() & {topic.topic for topic in declared}) < len(declared):
        # Another process made some of them at the same time.
        existing = _partitions(client)
    return [_report(topic, topic.topic in made, existing) for topic in declared]


def remake_topics(kafka: Kafka, topics: Mapping[str, Topic] | Iterable[Topic]) -> list[CreatedTopic]:
    """Delete the topics with all their messages and make them again, each with a new id.

    Raises:
        BrokerError: the broker cannot be reached, refuses, does not finish deleting within 30 s, or does not know
            a new topic after 30 s.
    """
    declared = list(topics.values() if isinstance(topics, Mapping) else topics)
    names = [topic.topic for topic in declared]
    client = admin(kafka)
    former = topic_ids(client, names).values()
    _delete(client, names)
    deadline = time.monotonic() + GONE_S
    made = _create(client, kafka, declared)
    # Deletion continues after it is acknowledged; until it is done the name is refused as existing.
    while missing := [topic for topic in declared if topic.topic not in made]:
        if time.monotonic() > deadline:
            raise BrokerError(f"Kafka at {kafka.bootstrap}: topic {missing[0].topic} is still being deleted")
        time.sleep(LOOK_S)
        # A producer that asks for it in this moment makes it again, with as many partitions as the broker likes, where
        # that makes topics by itself.
        ids = topic_ids(client, [topic.topic for topic in missing])
        _delete(client, [name for name, each in ids.items() if each not in former])
        made |= _create(client, kafka, missing)
    _await_known(client, kafka, names, former)
    return [CreatedTopic(topic.topic, "created", topic.partitions, topic.partitions) for topic in declared]


def write_schemas(folder: Path) -> list[Path]:
    """Write the JSON Schemas of every topic to the folder `json` in `folder`, and what describes all topics together
    next to it; returns the files whose text changed.

    Raises:
        TopicsError: a topic's file is wrong.
    """
    texts = {folder / asyncapi.FILE: asyncapi.written()}
    for topic in load_topics().values():
        for name, schema in json_schema.json_schemas(topic).items():
            texts[folder / "json" / name] = json_schema.text(schema)
    changed = [file for file, new in texts.items() if not file.exists() or file.read_text(encoding="utf-8") != new]
    for file in changed:
        file.write_text(texts[file], encoding="utf-8")
    return changed


def _partitions(client: AdminClient) -> dict[str, int]:
    """The number of partitions of every topic of the broker."""
    try:
        topics = client.list_topics(timeout=REACH_S).topics
    except KafkaException as error:
        raise BrokerError(f"the topics cannot be listed: {error.args[0].str()}") from error
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}


def _delete(client: AdminClient, names: list[str]) -> None:
    if names:
        for name, future in client.delete_topics(names, request_timeout=REACH_S).items():
            _taken(name, future, KafkaError.UNKNOWN_TOPIC_OR_PART)


def _create(client: AdminClient, kafka: Kafka, topics: list[Topic]) -> set[str]:
    """Make topics; returns the names of those that were made, which leaves out those that exist."""
    if not topics:
        return set()
    wanted = [NewTopic(topic.topic, topic.partitions, kafka.replication, config=topic.config) for topic in topics]
    futures = client.create_topics(wanted, request_timeout=REACH_S)
    return {name for name, future in futures.items() if _taken(name, future, KafkaError.TOPIC_ALREADY_EXISTS)}


def _await_known(client: AdminClient, kafka: Kafka, names: list[str], former: Collection[str] = ()) -> None:
    """Kafka acknowledges a topic when its controller has made it; its brokers show it, and no longer the `former` id
    of a deleted one, a moment later. Until then a stage would say that there is no such topic."""
    deadline = time.monotonic() + KNOWN_S
    while True:
        ids = topic_ids(client, names)
        unknown = [name for name in names if name not in ids or ids[name] in former]
        if not unknown:
            return
        if time.monotonic() > deadline:
            raise BrokerError(f"Kafka at {kafka.bootstrap}: topic {unknown[0]} was made and is still not known")
        time.sleep(LOOK_S)


def _taken(name: str, future: "Future[None]", harmless: int) -> bool:
    """Whether the broker did it; False for the harmless refusal."""
    try:
        future.result()
    except KafkaException as error:
        if error.args[0].code() != harmless:
            raise BrokerError(f"topic {name}: {error.args[0].str()}") from error
        return False
    return True


def _report(topic: Topic, made: bool, existing: Mapping[str, int]) -> CreatedTopic:
    if made:
        return CreatedTopic(topic.topic, "created", topic.partitions, topic.partitions)
    partitions = existing.get(topic.topic, topic.partitions)
    status: Literal["exists", "differs"] = "exists" if partitions == topic.partitions else "differs"
    return CreatedTopic(topic.topic, status, partitions, topic.partitions)


if __name__ == "__main__":
    if sys.argv[1:] != ["schemas"]:
        sys.exit("usage: python -m jobs.setup.topics schemas")
    for written in write_schemas(Path(schemas.__file__).parent):
        sys.stdout.write(f"{written.name}: written\n")
