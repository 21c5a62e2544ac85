"""The events to tell of, read from Kafka from where an earlier run got to."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from schemas.kafka_options import is_incremental
from schemas.settings import Kafka
from schemas.topics import REPUTATION_ALERTS, REPUTATION_HOLDS, REPUTATION_INCIDENTS
from streams.io.broker import REACH_S, BrokerError, admin, consumer
from streams.io.topic_identity import TopicIdentity

log = logging.getLogger("repmon.notify")

TOPICS = (REPUTATION_ALERTS, REPUTATION_INCIDENTS, REPUTATION_HOLDS)
GROUP = "notify"
#: Messages that are taken at a time.
AT_ONCE = 500
#: How often it is looked whether a topic was made again, in s.
LOOK_S = 5.0
#: How long a new group waits for its coordinator, in s.
COORDINATOR_S = 60.0
NO_COORDINATOR = (
    KafkaError._TIMED_OUT,
    KafkaError._WAIT_COORD,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
)
#: Errors that waiting does not mend.
REFUSALS = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)


Callback = Callable[[Consumer, list[TopicPartition]], None]


class EventMessage(NamedTuple):
    """A message: the partition it is from (`reputation.alerts:0`), and its bytes."""

    reader: str
    value: bytes


def reader(topic: str, partition: int) -> str:
    """A partition by its name."""
    return f"{topic}:{partition}"


class EventSource:
    """Reads the topics; one thread. A commit carries the topic's id: offsets in a topic that was deleted and made again
    are another's, and that one is read from its beginning.

    `given` and `taken` are told which partitions this reader has now, and which no more.

    Raises:
        BrokerError: the broker cannot be reached, or there is no such topic.
    """

    def __init__(
        self,
        kafka: Kafka,
        given: Callable[[list[str]], None],
        taken: Callable[[list[str]], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._kafka = kafka
        self._given = given
        self._taken = taken
        self._incremental = is_incremental(kafka.options) and not kafka.static_assignment
        self._topics = TopicIdentity(admin(kafka), TOPICS)
        self._stopped = stopped
        self._looked = time.monotonic()
        #: Where the next message of each partition begins, and what of it is committed.
        self._next: dict[tuple[str, int], int] = {}
        self._committed: dict[tuple[str, int], int] = {}
        self._at_end: set[tuple[str, int]] = set()
        self._assigned: set[tuple[str, int]] = set()
        #: Whether something of what was read is not stored yet, so that nothing is committed.
        self.held = False
        self._failure: Exception | None = None
        self._client = self._open()

    @property
    def at_end(self) -> bool:
        """Whether all there is was read, of at least one partition."""
        return bool(self._assigned) and self._assigned <= self._at_end

    def read(self, timeout_s: float) -> list[EventMessage]:
        """What came; waits for at most `timeout_s` for the first.

        Raises:
            BrokerError: the broker refuses.
        """
        if time.monotonic() - self._looked > LOOK_S:
            self._look()
        found = []
        messages = self._client.consume(AT_ONCE, timeout_s)
        if self._failure is not None:
            raise self._failure
        for message in messages:
            place = (message.topic() or "", message.partition() or 0)
            if (error := message.error()) is not None:
                self._note(error, place)
                continue
            self._at_end.discard(place)
            self._next[place] = (message.offset() or 0) + 1
            found.append(EventMessage(reader(*place), message.value() or b""))
        return found

    def commit(self, *, wait: bool = False) -> None:
        """Whatever was read is stored."""
        new = {place: at for place, at in self._next.items() if self._committed.get(place) != at}
        if not new or self.held:
            return
        offsets = [TopicPartition(*place, at, metadata=self._topics.ids.get(place[0], "")) for place, at in new.items()]
        try:
            if wait:
                self._client.commit(offsets=offsets, asynchronous=False)
            else:
                self._client.commit(offsets=offsets, asynchronous=True)
            self._committed |= new
        except KafkaException as error:
            log.info(
                "committing: %s", error.args[0].str()
            )  # a later commit covers it; what is stored is known by its id

    def close(self) -> None:
        """Commit, and leave the group."""
        self.commit(wait=True)
        self._client.close()

    def _open(self) -> Consumer:
        self._topics.read(self._stopped)
        self._topics.former.clear()
        self._next.clear()
        self._committed.clear()
        client = consumer(self._kafka, GROUP, **{"allow.auto.create.topics": False, "enable.partition.eof": True})
        try:
            if self._kafka.static_assignment:
                numbers = self._topics.partitions.items()
                places = [TopicPartition(name, each) for name, number in numbers for each in range(number)]
                self._assign(client, places)
            else:
                guarded = [self._guarded(each) for each in (self._assign, self._revoke)]
                client.subscribe(list(TOPICS), on_assign=guarded[0], on_revoke=guarded[1], on_lost=guarded[1])
        except KafkaException as error:
            client.close()
            raise BrokerError(f"Kafka at {self._kafka.bootstrap}: {error.args[0].str()}") from error
        return client

    def _guarded(self, callback: Callback) -> Callback:
        """The callback, whose errors are raised by `read`: out of the client comes not what a callback raises."""

        def guarded(client: Consumer, places: list[TopicPartition]) -> None:
            try:
                callback(client, places)
            except KafkaException as error:
                self._failure = BrokerError(f"Kafka at {self._kafka.bootstrap}: {error.args[0].str()}")
            except Exception as error:
                self._failure = error

        return guarded

    def _assign(self, client: Consumer, places: list[TopicPartition]) -> None:
        committed = _committed(client, places) if places else []
        for each in committed:
            other = each.metadata not in (None, "", self._topics.ids.get(each.topic))
            if each.offset < 0 or other:
                if other:
                    log.warning("topic %s was made again; it is read from its beginning", each.topic)
                each.offset = OFFSET_BEGINNING
        if self._incremental:
            client.incremental_assign(committed)
        else:
            client.assign(committed)
            self._assigned.clear()
        new = {(each.topic, each.partition) for each in places}
        self._assigned |= new
        self._at_end -= new
        self._given([reader(*each) for each in sorted(new)])

    def _revoke(self, _client: Consumer, places: list[TopicPartition]) -> None:
        self.commit(wait=True)
        for each in places:
            self._assigned.discard((each.topic, each.partition))
            self._next.pop((each.topic, each.partition), None)
        self._taken([reader(each.topic, each.partition) for each in places])

    def _look(self) -> None:
        """Where a topic is another one now, begin again."""
        self._looked = time.monotonic()
        if self._topics.changed():
            log.warning("a topic of events was deleted and made again; it is read from its beginning")
            self._client.close()
            self._client = self._open()

    def _note(self, error: KafkaError, place: tuple[str, int]) -> None:
        """librdkafka continues by itself after an error, unless it is fatal or the broker's last word."""
        if error.code() == KafkaError._PARTITION_EOF:
            self._at_end.add(place)
        elif error.fatal() or error.code() in REFUSALS:
            raise BrokerError(f"Kafka at {self._kafka.bootstrap}: {error.str()}")
        else:
            log.warning("consuming: %s", error.str())


def _committed(client: Consumer, places: Sequence[TopicPartition]) -> list[TopicPartition]:
    """Where an earlier run got to. On a new cluster the first group that asks waits until Kafka has made its topic of
    offsets."""
    deadline = time.monotonic() + COORDINATOR_S
    while True:
        try:
            return client.committed(list(places), timeout=REACH_S)
        except KafkaException as error:
            if error.args[0].code() not in NO_COORDINATOR or time.monotonic() > deadline:
                raise
            log.info("the group's coordinator does not answer yet: %s", error.args[0].str())
