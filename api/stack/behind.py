"""Whether the intake is behind, where something that came to a topic a while ago is not counted yet; and whether it
goes on."""

import logging
from collections.abc import Iterable, Mapping

from confluent_kafka.admin import AdminClient

from schemas.settings import Kafka
from schemas.times import MINUTE_MS
from streams.adapt import LISTING_FORMATS
from streams.intake.flush import stored_offsets
from streams.io.broker import BrokerError, TopicState, admin, begins, ends, topic_states
from streams.io.store import Store
from streams.monitor.half_counted import LateTopic

log = logging.getLogger("repmon.monitor")

#: What came longer ago than this, in ms, is counted while all is well: a flush takes seconds.
LATE_MS = 2 * MINUTE_MS
#: It is asked so often at most, in ms, and so long waited for an answer, in s.
EVERY_MS, ANSWER_S = 5_000, 5.0
#: Where topics ended is remembered for so much longer, in ms.
KEPT_MS = MINUTE_MS

#: Who stood still for longer although something waited, and goes on, was started again, in ms: a flush takes seconds.
RESUMED_MS = 15_000
#: After so long without a look, in ms, nobody knows what went on meanwhile.
UNWATCHED_MS = MINUTE_MS

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


def topics_with_mail(formats: Mapping[str, str]) -> list[str]:
    """Of the topics that are read, by their formats, those that bring events of mail."""
    return [topic for topic, format_name in formats.items() if format_name not in LISTING_FORMATS]


class Stillness:
    """Since when nothing is counted of each partition in which something waits. Pure.

    Where the intake was down and is started again, one partition goes on before the other. So once a partition goes on
    that had stood still, the time of all others begins again; and it does after a while in which nobody looked, which
    may be because broker or store did not answer, so that nothing could go on.
    """

    def __init__(self) -> None:
        #: Of those in which something waits, what was counted, and since when no more is (epoch ms).
        self._waiting: dict[tuple[str, int], tuple[int, int]] = {}
        self._looked_ms = -UNWATCHED_MS

    def look(self, stored: Offsets, at_end: Offsets, now_ms: int) -> None:
        """What is counted of each partition now (epoch ms), and where it ends."""
        went_on = (
            stored.get(place, 0) != counted and self._looked_ms - since >= RESUMED_MS
            for place, (counted, since) in self._waiting.items()
        )
        begun_again = not 0 <= now_ms - self._looked_ms < UNWATCHED_MS or any(went_on)
        self._waiting = {
            place: (counted, now_ms if begun_again else self._since(place, counted, now_ms))
            for place, counted in stored.items()
            if counted < at_end.get(place, 0)
        }
        self._looked_ms = now_ms

    def _since(self, place: tuple[str, int], counted: int, now_ms: int) -> int:
        before, since = self._waiting.get(place, (-1, now_ms))
        return since if before == counted else now_ms

    def still_ms(self, place: tuple[str, int]) -> int:
        """For how long nothing was counted of a partition, up to the last look."""
        return self._looked_ms - self._waiting.get(place, (0, self._looked_ms))[1]


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
        self._stillness = Stillness()
        self._asked_ms = -EVERY_MS
        self._late: list[LateTopic] = []

    def __call__(self, now_ms: int) -> list[LateTopic]:
        """The topics to which something came two minutes before now (epoch ms) or earlier that is not counted; as it
        was known last where the broker does not say, which may be slow for the same reason. To be asked now and then,
        or it is not known where topics ended, nor whether anything goes on.

        Raises:
            StoreError: the store failed.
        """
        # Of what stood still it is asked each time: it may have gone on with what alarms somebody now.
        if any(each.still_ms >= RESUMED_MS for each in self._late) or not 0 <= now_ms - self._asked_ms < EVERY_MS:
            try:
                late = self._late_partitions(now_ms)
            except BrokerError as error:
                log.info("whether the intake is behind is not known: %s", error)
            else:
                still: dict[str, int] = {}
                for place in late:
                    still[place[0]] = min(self._stillness.still_ms(place), still.get(place[0], now_ms))
                self._late = [LateTopic(topic, still_ms) for topic, still_ms in still.items()]
            self._asked_ms = now_ms
        return self._late

    def _late_partitions(self, now_ms: int) -> list[tuple[str, int]]:
        if self._client is None:
            self._client = admin(self._kafka, self._answer_s)
        client, read = self._client, topic_states(self._client, self._topics, self._answer_s)
        now = ends(client, places_of(read))
        then = self._ended(now, now_ms)
        stored = stored_next(self._store, read)
        self._stillness.look(stored, now, now_ms)
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
