"""The edge to Kafka: configured clients, topic ids, and a publisher that knows what was acknowledged."""

import ctypes
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ClusterMetadata,
    OffsetSpec,
    TopicDescription,
)

from schemas.errors import ExternalError
from schemas.kafka_options import has_broker_side_sessions
from schemas.settings import Kafka
from schemas.topics import REPUTATION_ALERTS, REPUTATION_HOLDS, REPUTATION_INCIDENTS
from streams.io.broker_refusals import Refusals
from streams.io.broker_security import librdkafka_options

log = logging.getLogger("repmon.broker")
#: librdkafka's own lines go here, so that a terminal shows our one clear line instead.
client_log = logging.getLogger("repmon.librdkafka")
client_log.addHandler(logging.NullHandler())
client_log.propagate = False

REACH_S = 10.0
#: Topics whose messages are CloudEvents, and the header by which a receiver knows their structured mode: without it a
#: message is read in binary mode, in which it has no attributes (CloudEvents Kafka protocol binding 1.0.2, section 3).
_CLOUD_EVENTS = frozenset({REPUTATION_ALERTS, REPUTATION_HOLDS, REPUTATION_INCIDENTS})
_STRUCTURED = ("content-type", b"application/cloudevents+json; charset=UTF-8")
#: How long the first try to reach a broker takes; each further one takes twice as long.
TRY_S = 0.5
#: How long a publisher still waits for the broker where its command is to stop.
HURRY_S = 3.0
#: A version of the client that keeps ids of topics (`_id_of`), and who refers to one rightly: its description, the name
#: here, and the call that counts. Under any other version nothing is given back.
_KEEPS_IDS, _REFERENCES = "2.16.1", 3
_REASONS = {KafkaError._TRANSPORT: "cannot be reached", KafkaError._TIMED_OUT: "did not answer in time"}


class BrokerError(ExternalError):
    """The broker could not be reached, or refused; the message says which and why."""


class UnacknowledgedError(BrokerError):
    """Messages still wait in the client to be taken by the broker; waiting again may see it."""


def headers_of(topic: str) -> list[tuple[str, str | bytes | None]] | None:
    """The headers of every message of a topic, a new list each time: OpenTelemetry's instrumentation of the client
    appends to the list that it is given (findings/otel-headers-grow-with-each-message.sh)."""
    return [_STRUCTURED] if topic in _CLOUD_EVENTS else None


def client_config(kafka: Kafka) -> dict[str, Any]:
    """What every client needs: address, options, and somebody who hears why it is refused.

    Raises:
        SettingsError: an option about encryption or login cannot be used, or names a file that cannot.
    """
    return {"bootstrap.servers": kafka.bootstrap, **librdkafka_options(kafka), "error_cb": Refusals(kafka)}


def admin(kafka: Kafka, timeout_s: float = REACH_S) -> AdminClient:
    """An admin client of a broker that has answered.

    Raises:
        BrokerError: a wrong option, no trust, a refused login, or no answer within `timeout_s`.
    """
    config = client_config(kafka)
    try:
        client = AdminClient(config, logger=client_log)
    except (KafkaException, ValueError, TypeError) as error:
        raise _failed(f"Kafka at {kafka.bootstrap}", error) from error
    reach(client, config["error_cb"], timeout_s)
    return client


def reach(client: AdminClient | Producer, refusals: Refusals, timeout_s: float = REACH_S) -> ClusterMetadata:
    """What a broker says that answers: brokers and topics.

    librdkafka tries again for ever. Where trust or login is refused waiting does not help, and that is said at once.

    Raises:
        BrokerError: no answer within `timeout_s`, no trust, or a refused login.
    """
    deadline, wait = time.monotonic() + timeout_s, TRY_S
    with refusals.kept():
        while True:
            ends = min(time.monotonic() + wait, deadline)
            try:
                return client.list_topics(timeout=max(0.1, ends - time.monotonic()))
            except KafkaException as error:
                client.poll(0)
                over = time.monotonic() >= deadline
                if reason := refusals.reason(last=over):
                    silent = "kafka" if refusals.silent else ""
                    raise BrokerError(f"{refusals.where}: {reason}", unreachable=silent) from error
                if over or error.args[0].code() not in _REASONS:
                    raise _failed(refusals.where, error) from error
            time.sleep(max(0.0, ends - time.monotonic()))
            wait *= 2


class TopicState(NamedTuple):
    """A topic as the broker has it. One that was deleted and made again has another id."""

    id: str
    partitions: int


def topic_states(client: AdminClient, names: Sequence[str], timeout_s: float = REACH_S) -> dict[str, TopicState]:
    """The state of each topic that exists.

    Raises:
        BrokerError: the broker did not answer.
    """
    found = {}
    for name, future in client.describe_topics(TopicCollection(list(names)), request_timeout=timeout_s).items():
        try:
            described = future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise BrokerError(f"topic {name}: {_reason(error)}") from error
        else:
            found[name] = TopicState(_id_of(described), len(described.partitions))
    return found


def _id_of(described: TopicDescription) -> str:
    """The id of a topic. The client that is named above keeps one reference too many to each that it describes, so all
    of them stayed for ever: a worker that looks at its topics for a year would take 1.6 GB for that."""
    topic_id = described.topic_id
    if str(confluent_kafka.__version__) == _KEEPS_IDS and sys.getrefcount(topic_id) > _REFERENCES:
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(topic_id))
    return str(topic_id)


def cluster_id(client: AdminClient, timeout_s: float = REACH_S) -> str:
    """The id of the cluster that a broker is of. An embedded one has another at each start.

    Raises:
        BrokerError: the broker did not answer.
    """
    try:
        return str(client.describe_cluster(request_timeout=timeout_s).result().cluster_id)
    except KafkaException as error:
        raise BrokerError(f"the cluster's id: {_reason(error)}") from error


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
    return _offsets(client, places, OffsetSpec.latest())  # type: ignore[no-untyped-call]


def begins(client: AdminClient, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The offset of the first message that is still there of each partition; its end where none is.

    Raises:
        BrokerError: the broker did not answer for one of them.
    """
    return _offsets(client, places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]


def _offsets(client: AdminClient, places: Sequence[tuple[str, int]], which: OffsetSpec) -> dict[tuple[str, int], int]:
    if not places:
        return {}
    wanted = {TopicPartition(*place): which for place in places}
    found = {}
    for where, future in client.list_offsets(wanted, request_timeout=REACH_S).items():
        what = f"offsets of {where.topic}, partition {where.partition}"
        try:
            offset = int(future.result().offset)
        except KafkaException as error:
            raise BrokerError(f"{what}: {_reason(error)}") from error
        # A broker that is silent is no error here but an offset that is none (confluent-kafka 2.16.1).
        if offset < 0:
            raise BrokerError(f"{what}: {_REASONS[KafkaError._TIMED_OUT]}", unreachable="kafka")
        found[where.topic, where.partition] = offset
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


def runs_by_partition(messages: Sequence[Message]) -> Iterator[tuple[tuple[str, int], Sequence[Message]]]:
    """Messages without errors, in runs of one topic and partition, each with which.

    They come in runs: of one who is behind on a topic, as a rule all in one. Methods are mapped over the messages,
    which is half the cost of calling them one by one.
    """
    topics, partitions = list(map(Message.topic, messages)), list(map(Message.partition, messages))
    alike = messages and topics.count(topics[0]) == partitions.count(partitions[0]) == len(messages)
    end = 0
    while end < len(messages):
        start, topic, partition = end, topics[end], partitions[end]
        end = len(messages) if alike else end + 1
        while end < len(messages) and partitions[end] == partition and topics[end] == topic:
            end += 1
        yield (topic or "", partition or 0), messages[start:end]


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
        self._refusals: Refusals = config["error_cb"]
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
        headers = headers_of(topic)
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
        found = reach(self._producer, self._refusals).topics.get(topic)
        if found is None or found.error is not None or not found.partitions:
            raise BrokerError(f"{self.where}: there is no topic {topic}; `repmon topics create` makes it")
        return len(found.partitions)

    def flush(self, timeout_s: float = 30.0, hurry: Callable[[], bool] = lambda: False) -> None:
        """Wait until everything queued is acknowledged; only about `HURRY_S` more once `hurry`.

        Raises:
            UnacknowledgedError: some still wait. They are not lost: the client keeps trying.
            BrokerError: a message was refused, or not taken for five minutes.
        """
        began = time.monotonic()
        while left := self._producer.flush(max(0.0, min(HURRY_S, began + timeout_s - time.monotonic()))):
            if hurry() or time.monotonic() >= began + timeout_s:
                break
        failure, self._failure = self._failure, None
        if failure is not None:
            raise BrokerError(f"{self.where}: a message was not taken: {failure.str()}")
        if left:
            why = f": {refused}" if (refused := self._refusals.recent()) else ""
            waited = time.monotonic() - began
            raise UnacknowledgedError(f"{self.where}: {left} messages not acknowledged within {waited:.0f} s{why}")

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
