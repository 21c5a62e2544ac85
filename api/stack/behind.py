"""Whether the intake is behind: something that came to a topic a while ago is not counted yet."""

import logging
from collections.abc import Iterable, Mapping

from confluent_kafka.admin import AdminClient

from schemas.settings import Kafka
from schemas.times import MINUTE_MS
from streams.intake.flush import stored_offsets
from streams.io.broker import BrokerError, TopicState, admin, begins, ends, topic_states
from streams.io.store import Store

log = logging.getLogger("repmon.monitor")

#: What came longer ago than this, in ms, is counted while all is well: a flush takes seconds.
LATE_MS = 2 * MINUTE_MS
#: It is asked so often at most, in ms, and so long waited for an answer, in s.
EVERY_MS, ANSWER_S = 5_000, 5.0
#: Where topics ended is remembered for so much longer, in ms.
KEPT_MS = MINUTE_MS

#: By topic and partition.
Offsets = dict[tuple[str, int], int]


def places_of(read: Mapping[str, TopicState]) -> list[tuple[str, int]]:
    """Topics and partitions."""
    return [(topic, partition) for topic, state in read.items() for partition in range(state.partitions)]


def stored_next(store: Store, read: Mapping[str, TopicState]) -> Offsets:
    """Of each partition, one behind the last offset that is stored.

    Raises:
        StoreError: the store failed.
    """
    names = {(topic, partition): f"{topic}:{read[topic].id}:{partition}" for topic, partition in places_of(read)}
    found = stored_offsets(store, list(names.values()))
    return {place: found.get(name, -1) + 1 for place, name in names.items()}


class IntakeDelay:
    """Asks broker and store, both of them seldom. One thread at a time.

    It goes by where the topics ended two minutes ago. Where they were not looked at then (at a start), everything that
    there is now counts as old. Not by the times of messages: Tansu 0.6 says 0 for the offset of any time.
    """

    def __init__(self, kafka: Kafka, topics: Iterable[str], store: Store, answer_s: float = ANSWER_S) -> None:
        """The broker has `answer_s` for each answer."""
        self._answer_s = answer_s
        self._kafka = kafka
        self._topics = tuple(topics)
        self._store = store
        self._client: AdminClient | None = None
        #: Where topics ended, by when that was (epoch ms), oldest first.
        self._ends: list[tuple[int, Offsets]] = []
        self._asked_ms = -EVERY_MS
        self._is_behind = False

    def __call__(self, now_ms: int) -> bool:
        """Whether something that came two minutes before now (epoch ms) or earlier is not counted; as it was known last
        where the broker does not say, which may be slow for the same reason. To be asked now and then, or it is not
        known where topics ended.

        Raises:
            StoreError: the store failed.
        """
        if not 0 <= now_ms - self._asked_ms < EVERY_MS:
            try:
                self._is_behind = bool(self._late(now_ms))
            except BrokerError as error:
                log.info("whether the intake is behind is not known: %s", error)
            self._asked_ms = now_ms
        return self._is_behind

    def _late(self, now_ms: int) -> list[tuple[str, int]]:
        if self._client is None:
            self._client = admin(self._kafka, self._answer_s)
        client, read = self._client, topic_states(self._client, self._topics, self._answer_s)
        then = self._ended(ends(client, places_of(read)), now_ms)
        stored = stored_next(self._store, read)
        late = [place for place in stored if stored[place] < then.get(place, 0)]
        # What nobody ever read may be gone.
        first = begins(client, [place for place in late if not stored[place]])
        return [place for place in late if max(stored[place], first.get(place, 0)) < then[place]]

    def _ended(self, now: Offsets, now_ms: int) -> Offsets:
        """Where topics ended a while ago; they end here now."""
        kept = [each for each in self._ends if 0 <= now_ms - each[0] <= LATE_MS + KEPT_MS]
        self._ends = [*kept, (now_ms, now)]
        old = [offsets for at_ms, offsets in self._ends if now_ms - at_ms >= LATE_MS]
        return old[-1] if old else self._ends[0][1]
