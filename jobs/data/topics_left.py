"""What of somebody stays in topics of Kafka, and until when: no message can be taken out of the middle of a log."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from schemas.settings import Kafka
from schemas.times import DAY_MS
from schemas.topics import (
    DEAD_LETTERS,
    REPUTATION_ALERTS,
    REPUTATION_CHANGES,
    REPUTATION_HOLDS,
    REPUTATION_INCIDENTS,
)
from schemas.wording import rfc3339
from streams.io.broker import BrokerError, admin, topic_states

#: Topics by what a message in them may have of a customer or a recipient.
OF_CUSTOMER = (DEAD_LETTERS, REPUTATION_ALERTS, REPUTATION_CHANGES, REPUTATION_HOLDS, REPUTATION_INCIDENTS)
OF_RECIPIENT = (DEAD_LETTERS,)
ANSWER_S = 10.0


class TopicKept(NamedTuple):
    """How long a topic keeps messages: `retention_ms` (-1: without end), and whether the newest of each key stays."""

    topic: str
    retention_ms: int
    compacted: bool


def read_kept(kafka: Kafka, names: Sequence[str]) -> list[TopicKept]:
    """Ask the broker how long these topics keep their messages; those that are not there are left out.

    Raises:
        BrokerError: it cannot be reached, or refuses.
    """
    client = admin(kafka, ANSWER_S)
    there = topic_states(client, names, ANSWER_S)
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names if name in there]
    found = []
    for resource, future in client.describe_configs(asked, request_timeout=ANSWER_S).items() if asked else ():
        try:
            configs = {name: entry.value for name, entry in future.result().items()}
        except KafkaException as error:
            raise BrokerError(f"Kafka at {kafka.bootstrap}: {error.args[0].str()}") from error
        found.append(kept_by(resource.name, configs))
    return sorted(found)


def kept_by(topic: str, configs: Mapping[str, str | None]) -> TopicKept:
    """What the options of a topic say. Pure."""
    retention = configs.get("retention.ms") or "-1"
    return TopicKept(topic, int(retention), "compact" in (configs.get("cleanup.policy") or ""))


def lines(kept: Sequence[TopicKept], now_ms: int, sources: Sequence[str]) -> list[str]:
    """A line for each topic: what came until now, and when the last of it is gone. `sources` are those that events are
    read from. Pure."""
    return [_line(each, now_ms, each.topic in sources) for each in kept]


def _line(each: TopicKept, now_ms: int, source: bool) -> str:
    if each.compacted:
        until = "the newest message of each key stays: send one without a value under its key"
    elif each.retention_ms < 0:
        until = "it keeps messages without end"
    else:
        days = each.retention_ms / DAY_MS
        until = (
            f"what came until now is gone by {rfc3339(now_ms + each.retention_ms)} ({days:g} day{'s' * (days != 1)})"
        )
    counted = "; what of it is not counted yet will be" if source else ""
    return f"topic {each.topic}: {until}{counted}"
