"""Which partitions a worker reads, and where each continues.

Positions come from the store, never from Kafka: a partition is resumed one behind the last offset stored with the
counts. All of it belongs to the thread of the consumer.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.kafka_options import is_incremental
from schemas.settings import Ingest, Kafka
from streams.intake import gaps, incidents
from streams.intake.batch import Batch, DeadShare, SourcePartition
from streams.intake.deleted import DeletedTopics
from streams.intake.flush import stored_offsets
from streams.intake.leftovers import find_leftovers, forget_of_former_topics
from streams.intake.metrics import IngestMetrics
from streams.intake.remembered import load_earlier, load_seen
from streams.intake.seen import SeenIds
from streams.intake.worker import Worker
from streams.io.broker import REACH_S, BrokerError, Publisher, admin, begins, client_config, consumer, ends
from streams.io.store import Store, StoreError
from streams.io.topic_identity import KNOWN_S, TopicIdentity

log = logging.getLogger("repmon.ingest")

#: Partitions that are added to a topic are read after so long; by default after up to five minutes, in which a topic
#: that is deleted takes what was sent to them along.
METADATA = {"topic.metadata.refresh.interval.ms": 5_000}
#: The client's queue: bounded, and filled again soon after it was full (the default is a pause of a second).
PREFETCH = {"queued.max.messages.kbytes": 8_192, "fetch.queue.backoff.ms": 20}
_REFUSALS = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)

#: Topic and partition.
PartitionKey = tuple[str, int]
Callback = Callable[[Consumer, list[TopicPartition]], None]


class Partitions:
    """The consumer, and the unflushed batch of each partition that it was given."""

    def __init__(
        self,
        kafka: Kafka,
        settings: Ingest,
        topics: Iterable[str],
        worker: Worker,
        clock: Callable[[], int],
        metrics: IngestMetrics,
    ) -> None:
        self.batches: dict[PartitionKey, Batch] = {}
        self.shares: dict[PartitionKey, DeadShare] = {}
        #: One behind the last offset stored with its counts, as far as this worker knows.
        self.stored: dict[PartitionKey, int] = {}
        self._fetched: dict[PartitionKey, int] = {}
        self.consumer: Consumer | None = None
        #: A topic was seen to be another one of the same name: all are reopened once all are there.
        self.stale = False
        #: What went wrong in a callback of the consumer, until `check` raises it.
        self.failure: BaseException | None = None
        self._incremental = is_incremental(kafka.options) and not kafka.static_assignment
        self._kafka = kafka
        self._settings = settings
        self._names = tuple(topics)
        self._worker = worker
        self._clock = clock
        self._metrics = metrics
        self._deleted = DeletedTopics(metrics, worker.ask, stop=settings.deleted_topic == "stop")
        self._admin = admin(kafka)
        self.topics = TopicIdentity(self._admin, self._names)

    def open(self, publisher: Publisher, *, made_by_us: bool = False) -> None:
        """Open the topics under the ids they have now. Those that are others than before were `made_by_us`, or by
        somebody who did not wait until they were read.

        Raises:
            BrokerError: the topics are missing, or the broker refuses.
        """
        self.topics.read(self._worker.stopped)
        self.stale = False
        self._fetched = {}
        self._note_stopped({})
        ids = self.topics.ids
        former, self.topics.former = self.topics.former, {}
        self._deleted.made_again(former, self._clock(), by_us=made_by_us)
        self._worker.ask(lambda store: forget_of_former_topics(store, ids, stored_offsets))
        # Lost messages must be seen: a position that the broker no longer has is an error, not a silent jump.
        options = {"auto.offset.reset": "error", **METADATA, **PREFETCH, **client_config(self._kafka)}
        source = self.consumer = consumer(self._kafka, "ingest", **options)
        if self._kafka.static_assignment:
            counts = {topic: publisher.partitions(topic) for topic in self._names if topic not in self.topics.gone}
            self._assigned(source, [TopicPartition(*each) for each in _all_of(counts)])
        else:
            source.subscribe(
                list(self._names),
                on_assign=self._guarded(self._assigned),
                on_revoke=self._guarded(self._revoked),
                on_lost=self._guarded(self._lost),
            )

    def close(self) -> None:
        """Leave the group. The consumer hands its partitions back, and with them what `store_all` can still store.

        Raises:
            BaseException: what went wrong in that.
        """
        source, self.consumer = self.consumer, None
        if source is not None:
            source.close()
        self.check()

    def check(self) -> None:
        """Raise what went wrong in a callback of the consumer. To be asked after each call that may run one."""
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure

    def continue_behind(self, key: PartitionKey) -> None:
        """Another worker stored first: forget what was taken of the partition, and continue behind what that one
        stored."""
        self._start_partitions([key])
        self._move(key)

    def stop_topic(self, topic: str, why: str) -> None:
        """Read a topic no more, and tell operators: nobody shall set all of it aside. What was taken of it is stored,
        the rest stays with the broker, and other topics are read on."""
        log.error("%s", why)
        self._note_stopped({**self._metrics.stopped, topic: why})
        self._hold_still()
        self._worker.ask(lambda store: incidents.record(store, "unreadable", topic, 0, why, self._clock()))

    def read_stopped(self) -> None:
        """Read on of the topics that were stopped, and set aside whatever of them cannot be read: the broker is about
        to lose them."""
        keys = [key for key in self.batches if key[0] in self._metrics.stopped]
        self._note_stopped({})
        for key in keys:
            self.shares[key] = DeadShare(*key, 1.0)
        self.resume()
        for key in keys:
            self._move(key)

    def is_stopped(self, topic: str) -> bool:
        """Whether a topic is read no more."""
        return topic in self._metrics.stopped

    def resume(self) -> None:
        """Read on where all was paused."""
        if self.consumer is not None:
            self.consumer.resume([each for each in self.consumer.assignment() if not self.is_stopped(each.topic)])

    def _note_stopped(self, stopped: dict[str, str]) -> None:
        self._metrics.stopped = stopped
        self._metrics.stopped_topics = len(stopped)

    def _hold_still(self) -> None:
        """Pause what is not to be read now: after an assignment everything is."""
        if self.consumer is not None:
            ours = self.consumer.assignment()
            if paused := [each for each in ours if self._metrics.waiting or self.is_stopped(each.topic)]:
                self.consumer.pause(paused)

    def note_fetched(self) -> None:
        """Keep what the last fetches said is there."""
        if (source := self.consumer) is not None:
            self._fetched = {
                key: source.get_watermark_offsets(TopicPartition(*key), cached=True)[1] for key in self.batches
            }

    def _ends(self, keys: Sequence[PartitionKey]) -> dict[PartitionKey, int]:
        """Where partitions end, as the broker says now or said with a fetch: the embedded one, asked for offsets, knows
        of the last batch only the first message (Tansu 0.6.0), and tells the end with what is fetched."""
        fetched = self._fetched
        return {key: max(end, fetched.get(key, 0)) for key, end in ends(self._admin, keys).items()}

    def all_taken(self) -> bool:
        """Whether the broker has nothing that is not taken. What the last fetches said is not enough to know: on a
        busy machine they may be older than the last acknowledged message."""
        self.note_fetched()
        try:
            found = self._ends(list(self.batches))
        except BrokerError as error:
            log.warning("%s", error)
            return False
        return all(batch.next_offset >= found[key] for key, batch in self.batches.items())

    def behind(self) -> int:
        """How many messages the broker has that are not taken, as it says now, but for topics that are read no more or
        are gone. Any thread may ask.

        Raises:
            BrokerError: it does not answer.
        """
        batches = self.batches.copy()
        taken = {key: batch.next_offset for key, batch in batches.items() if self._is_there(key)}
        found = self._ends(list(taken))
        return sum(max(0, end - taken[key]) for key, end in found.items())

    def _is_there(self, key: PartitionKey) -> bool:
        return key[0] not in self._metrics.stopped and key[0] not in self._metrics.deleted

    def unstored(self) -> int:
        """How many messages the broker has whose counts are not stored, as it says now, but for topics that are read no
        more or are gone. Any thread may ask.

        Raises:
            BrokerError: it does not answer.
        """
        batches, stored = self.batches.copy(), self.stored.copy()
        keys = list(filter(self._is_there, batches))
        found = self._ends(keys)
        # Where nothing was stored yet, what the broker dropped before that is nothing to wait for.
        first = begins(self._admin, [key for key in keys if not stored.get(key)])
        return sum(max(0, found[key] - max(stored.get(key, 0), first.get(key, 0))) for key in keys)

    def handle_error(self, message: Message, error: KafkaError) -> None:
        """A consumer's error event: librdkafka continues by itself unless it is fatal.

        Raises:
            BrokerError: it is, or the log ends before what was counted.
        """
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._out_of_range(message)
        elif error.fatal() or error.code() in _REFUSALS:
            raise BrokerError(f"consuming: {error.str()}")
        else:
            log.debug("consuming: %s", error.str())

    def _guarded(self, callback: Callback) -> Callback:
        """The callback, whose errors are kept for `check`. Out of the client comes not what a callback raises, but for
        some errors a KafkaError, which no `except BaseException` catches (confluent-kafka 2.16.1: its class does not
        derive from that)."""

        def guarded(source: Consumer, partitions: list[TopicPartition]) -> None:
            try:
                callback(source, partitions)
            except KafkaException as error:
                self.failure = BrokerError(f"consuming: {error.args[0].str()}")
            except BaseException as error:
                self.failure = error

        return guarded

    def _assigned(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        # A topic of which nothing is assigned may have been deleted: the others are read on.
        self.topics.read_again({each.topic for each in partitions}, self._worker.stopped)
        self.stale = self.stale or bool(self.topics.former)
        self._start_partitions([(each.topic, each.partition) for each in partitions])
        self._deleted.keep([batch.source.name for batch in self.batches.values()], self._there())
        for each in partitions:
            position = self.batches[each.topic, each.partition].position
            each.offset = position or OFFSET_BEGINNING
        if self._incremental:
            source.incremental_assign(partitions)
        else:
            source.assign(partitions)
        self._hold_still()

    def _start_partitions(self, keys: Sequence[PartitionKey]) -> None:
        """Begin an empty batch behind what is stored of each partition, with what it brought lately in memory."""
        settings, ask, began_s = self._settings, self._worker.ask, time.monotonic()
        memory = settings.dedup_memory_mb * 1_000_000 // max(1, len({*self.batches, *keys}))
        sources = [
            SourcePartition(
                f"{topic}:{self.topics.ids[topic]}:{partition}",
                topic,
                partition,
                SeenIds(memory),
                began_s,
                self.topics.partitions[topic],
            )
            for topic, partition in keys
        ]
        stored = ask(lambda store: stored_offsets(store, [each.name for each in sources]))
        behind = {each.name: stored.get(each.name, -1) for each in sources}
        left = ask(lambda store: find_leftovers(store, behind))
        for key, each in zip(keys, sources, strict=True):
            each.leftovers = left.get(each.name, set())
            ask(lambda store, each=each: load_seen(store, each, self._clock()))  # type: ignore[misc]
            position = stored.get(each.name, -1) + 1
            self.batches[key], self.stored[key] = Batch(each, position, position), position
            self.shares[key] = DeadShare(*key, settings.dead_letter_share, settings.dead_letter_window)
        self._load_earlier({topic for topic, _ in keys})

    def look_at_topics(self) -> bool:
        """Look whether they are still those that are read: whether they are to be reopened. If not, say so where one is
        gone, and know what came before where one has grown.

        Raises:
            BrokerError: one was deleted, and that is to end the worker.
        """
        self.note_fetched()
        fetched = self._fetched.copy()  # before it is asked under which ids that was
        if self.topics.changed():
            return True
        self._note_ends({key: end for key, end in fetched.items() if key[0] not in self.topics.others})
        if self.topics.gone or self._metrics.deleted:
            gone = {name: self.topics.ids[name] for name in self.topics.gone}
            taken = {batch.source.name: batch.next_offset for batch in self.batches.values()}
            self._deleted.look(gone, taken, self._clock())
            self.topics.given_up = self._deleted.given_up
        self._follow_growth()
        return False

    def _there(self) -> dict[str, str]:
        return {name: id_ for name, id_ in self.topics.ids.items() if name not in self.topics.gone}

    def _note_ends(self, ends: Mapping[PartitionKey, int]) -> None:
        known = {key: self.batches[key] for key in ends if key in self.batches}
        self._deleted.note({each.source.name: max(ends[key], each.next_offset) for key, each in known.items()})

    def _follow_growth(self) -> None:
        """Where a topic has another number of partitions by now, know what it brought before: keys fall elsewhere."""
        numbers = self.topics.partitions
        grown = {topic for (topic, _), each in self.batches.items() if each.source.partitions != numbers[topic]}
        if grown:
            self._load_earlier(grown)

    def _load_earlier(self, topics: Iterable[str]) -> None:
        """For all partitions that are read of these topics, anew each time: others may have stored meanwhile."""
        memory = self._settings.dedup_memory_mb * 1_000_000
        for topic in topics:
            partitions = self.topics.partitions[topic]

            def asked(store: Store, topic: str = topic, partitions: int = partitions) -> SeenIds | None:
                return load_earlier(store, topic, partitions, memory, self._clock())

            earlier = self._worker.ask(asked)
            for (name, _), batch in self.batches.items():
                if name == topic:
                    batch.source.partitions, batch.source.earlier = partitions, earlier

    def _revoked(self, source: Consumer, partitions: list[TopicPartition]) -> None:
        """Store what was taken: what cannot be stored now is for the next owner to take again."""
        try:
            self._worker.store_all()
        except (StoreError, BrokerError) as error:
            log.warning("left to the next owner: %s", error)
        self._lost(source, partitions)

    def _lost(self, _source: Consumer, partitions: list[TopicPartition]) -> None:
        # A topic that was deleted is taken away before anybody looks at it.
        keys = [(each.topic, each.partition) for each in partitions]
        self._note_ends({key: self._fetched.get(key, 0) for key in keys})
        for key in keys:
            self.batches.pop(key, None)

    def _move(self, key: PartitionKey) -> None:
        """Move a partition to where its batch continues. A seek is refused while the partition is not being fetched,
        as right after an assignment or an error; then it is assigned again, and with it, unless they are assigned one
        by one, all others where they are."""
        source = self.consumer
        if source is None:
            return
        moved = TopicPartition(*key, self.batches[key].next_offset)
        try:
            source.seek(moved)
        except KafkaException:
            if self._incremental:
                again = [moved]
                source.incremental_unassign(again)
                source.incremental_assign(again)
            else:
                again = [TopicPartition(*each, batch.next_offset) for each, batch in self.batches.items()]
                source.assign(again)
            self._hold_still()

    def _out_of_range(self, message: Message) -> None:
        """The broker does not have the position we want to read from: messages were deleted, the log was cut off, or
        this is another topic of the same name, seen before its id was looked at."""
        key = (message.topic() or "", message.partition() or 0)
        batch, source = self.batches.get(key), self.consumer
        if batch is None or source is None:
            return
        try:
            low, high = source.get_watermark_offsets(TopicPartition(*key), timeout=REACH_S)
        except KafkaException as error:
            log.warning("%s: %s; asking again", batch.source.name, error)
            self._move(key)
            return
        if self.topics.was_recreated(key[0], 0.0 if low > batch.next_offset else KNOWN_S):
            self.stale = True
            return
        found = gaps.gap(batch.source.name, batch.next_offset, low, high)
        log.error("%s: %s", found.source, found)
        self._metrics.gaps += 1
        self._metrics.lost_messages += found.lost
        self._worker.ask(
            lambda store: incidents.record(store, "gap", found.source, found.lost, str(found), self._clock())
        )
        batch.next_offset = low
        self._move(key)


def _all_of(counts: dict[str, int]) -> list[PartitionKey]:
    return [(topic, partition) for topic, count in counts.items() for partition in range(count)]
