"""The edge to Kafka: configured clients, topic ids, and a publisher that knows what was acknowledged."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from schemas.errors import ExternalError
from schemas.kafka_options import has_broker_side_sessions
from schemas.settings import Kafka
from schemas.topics import REPUTATION_ALERTS, REPUTATION_HOLDS, REPUTATION_INCIDENTS

log = logging.getLogger("repmon.broker")
#: librdkafka's own lines go here, so that a terminal shows our one clear line instead.
client_log = logging.getLogger("repmon.librdkafka")
client_log.addHandler(logging.NullHandler())
client_log.propagate = False

REACH_S = 10.0
#: Topics whose messages are CloudEvents, and the header by which a receiver knows their structured mode: without it a
#: message is read in binary mode, in which it has no attributes (CloudEvents Kafka protocol binding 1.0.2, section 3).
_CLOUD_EVENTS = frozenset({REPUTATION_ALERTS, REPUTATION_HOLDS, REPUTATION_INCIDENTS})
_STRUCTURED: list[tuple[str, str | bytes | None]] = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
_REASONS = {KafkaError._TRANSPORT: "cannot be reached", KafkaError._TIMED_OUT: "did not answer in time"}


class BrokerError(ExternalError):
    """The broker could not be reached, or refused; the message says which and why."""


class UnacknowledgedError(BrokerError):
    """Messages still wait in the client to be taken by the broker; waiting again may see it."""


def client_config(kafka: Kafka) -> dict[str, Any]:
    """What every client needs: address, security options, quiet logs."""
    config: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap, **kafka.options}
    if kafka.sasl_password:
        config["sasl.password"] = kafka.sasl_password
    return config


def admin(kafka: Kafka, timeout_s: float = REACH_S) -> AdminClient:
    """An admin client of a broker that has answered.

    Raises:
        BrokerError: a wrong option, or no answer within `timeout_s`.
    """
    try:
        client = AdminClient(client_config(kafka), logger=client_log)
        client.list_topics(timeout=timeout_s)
    except (KafkaException, ValueError, TypeError) as error:
        raise _failed(f"Kafka at {kafka.bootstrap}", error) from error
    return client


class TopicState(NamedTuple):
    """A topic as the broker has it. One that was deleted and made again has another id."""

    id: str
    partitions: int


def topic_states(client: AdminClient, names: Sequence[str]) -> dict[str, TopicState]:
    """The state of each topic that exists.

    Raises:
        BrokerError: the broker did not answer.
    """
    found = {}
    for name, future in client.describe_topics(TopicCollection(list(names)), request_timeout=REACH_S).items():
        try:
            described = future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise BrokerError(f"topic {name}: {_reason(error)}") from error
        else:
            found[name] = TopicState(str(described.topic_id), len(described.partitions))
    return found


def topic_ids(client: AdminClient, names: Sequence[str]) -> dict[str, str]:
    """The id of each topic that exists.

    Raises:
        BrokerError: the broker did not answer.
    """
    return {name: found.id for name, found in topic_states(client, names).items()}


def ends(client: AdminClient, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The offset the next message of each partition will have.

    Raises:
        BrokerError: the broker did not answer for one of them.
    """
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(*place): latest for place in places}
    found = {}
    for where, future in client.list_offsets(wanted, request_timeout=REACH_S).items():
        try:
            found[where.topic, where.partition] = int(future.result().offset)
        except KafkaException as error:
            raise BrokerError(f"end of topic {where.topic}, partition {where.partition}: {_reason(error)}") from error
    return found


def consumer(kafka: Kafka, group: str, **options: Any) -> Consumer:
    """A consumer that commits nothing by itself.

    Raises:
        BrokerError: a wrong option.
    """
    sessions = {
        "session.timeout.ms": kafka.session_timeout_ms,
        "heartbeat.interval.ms": max(500, kafka.session_timeout_ms // 4),
    }
    config = {
        "group.id": f"{kafka.group}-{group}",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        **({} if has_broker_side_sessions(kafka.options) else sessions),
        **client_config(kafka),
        **options,
    }
    try:
        return Consumer(config, logger=client_log)
    except (KafkaException, ValueError, TypeError) as error:
        raise _failed(f"Kafka at {kafka.bootstrap}", error) from error


class Publisher:
    """Sends messages and keeps the first failure until `flush` raises it."""

    def __init__(self, kafka: Kafka, **options: Any) -> None:
        config = {
            "acks": "all",
            "compression.type": "lz4",
            # The partition that Java's producers choose for a key: a customer's events stay together whichever producer
            # sends.
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
            **client_config(kafka),
            **options,
        }
        self.where = f"Kafka at {kafka.bootstrap}"
        self._failure: KafkaError | None = None
        try:
            self._producer = Producer(config, logger=client_log)
        except (KafkaException, ValueError, TypeError) as error:
            raise _failed(self.where, error) from error

    def publish(
        self, topic: str, key: bytes, value: bytes, partition: int = -1, done: Callable[[str], None] | None = None
    ) -> None:
        """Queue one message; waits while the client's queue is full.

        `done` is called, during a later `publish` or `flush`, with '' once the message is acknowledged or why it was
        not taken, which `flush` then does not raise.
        """
        on_delivery = self._delivered if done is None else _telling(done)
        headers = _STRUCTURED if topic in _CLOUD_EVENTS else None
        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=on_delivery, headers=headers)
                break
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise _failed(self.where, error) from error
        self._producer.poll(0)

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has.

        Raises:
            BrokerError: no answer, or no such topic.
        """
        try:
            found = self._producer.list_topics(topic, timeout=REACH_S).topics.get(topic)
        except KafkaException as error:
            raise _failed(self.where, error) from error
        if found is None or found.error is not None or not found.partitions:
            raise BrokerError(f"{self.where}: there is no topic {topic}; `repmon topics create` makes it")
        return len(found.partitions)

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait until everything queued is acknowledged.

        Raises:
            UnacknowledgedError: some still wait. They are not lost: the client keeps trying.
            BrokerError: a message was refused, or not taken for five minutes.
        """
        left = self._producer.flush(timeout_s)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise BrokerError(f"{self.where}: a message was not taken: {failure.str()}")
        if left:
            raise UnacknowledgedError(f"{self.where}: {left} messages not acknowledged within {timeout_s:g} s")

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = error


def _telling(done: Callable[[str], None]) -> Callable[[KafkaError | None, Message], None]:
    return lambda error, _message: done("" if error is None else error.str())


def _failed(where: str, error: BaseException) -> BrokerError:
    cause = error.args[0] if error.args else error
    silent = isinstance(cause, KafkaError) and cause.code() in _REASONS
    return BrokerError(f"{where}: {_reason(error)}", unreachable="kafka" if silent else "")


def _reason(error: BaseException) -> str:
    cause = error.args[0] if error.args else error
    if isinstance(cause, KafkaError):
        return _REASONS.get(cause.code()) or cause.str() or cause.name()
    return str(cause)
