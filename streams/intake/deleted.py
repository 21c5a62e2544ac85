"""Topics that are deleted while a worker reads them, and may be made again under the same name: what was acknowledged
and not read went with them, and nothing of the client says so."""

import logging
import time
from collections.abc import Iterable, Mapping

from streams.intake import incidents
from streams.intake.flush import stored_offsets
from streams.intake.metrics import IngestMetrics
from streams.intake.worker import Ask
from streams.io.broker import BrokerError

log = logging.getLogger("repmon.ingest")

#: How long a topic may be away, in s: one that is made again is away for a moment, and is a new source then.
AWAY_S = 15.0


class DeletedTopics:
    """Watches for topics that are gone. One thread at a time. `ids` are those of topics, by name."""

    def __init__(self, metrics: IngestMetrics, ask: Ask, *, stop: bool) -> None:
        """With `stop` a topic that is deleted and not made again ends the worker."""
        self._metrics = metrics
        self._ask = ask
        self._stop = stop
        self._since: dict[str, float] = {}
        #: One behind the last message that the broker is known to have had, by source.
        self._ends: dict[str, int] = {}
        self._told: set[tuple[str, str]] = set()

    def note(self, ends: Mapping[str, int]) -> None:
        """So far each source is known to reach (the offset of its next message), while its topic has the id that the
        source names. A source whose topic was deleted reaches no less far for that."""
        for source, end in ends.items():
            self._ends[source] = max(end, self._ends.get(source, 0))

    def keep(self, sources: Iterable[str], topics: Mapping[str, str]) -> None:
        """Of topics that are there under these ids know only these sources: the others are another worker's now."""
        ours, there = frozenset(sources), {f"{topic}:{id_}" for topic, id_ in topics.items()}
        self._ends = {
            source: end
            for source, end in self._ends.items()
            if source in ours or source.rpartition(":")[0] not in there
        }

    @property
    def given_up(self) -> frozenset[str]:
        """Topics that were away for so long that nobody waits for them."""
        return frozenset(topic for topic, text in self._metrics.deleted.items() if _deleted(topic) in text)

    def look(self, gone: Mapping[str, str], taken: Mapping[str, int], now_ms: int) -> None:
        """The topics `gone`, with the ids they had, are not there now. `taken` says of sources that are read which
        offset comes next; `now_ms` is epoch ms.

        Raises:
            BrokerError: one was deleted, and that is to end the worker.
        """
        now_s, known = time.monotonic(), self._metrics.deleted
        self._since = {topic: self._since.get(topic, now_s) for topic in gone}
        said = {}
        for topic, since_s in self._since.items():
            said[topic] = known.get(topic) or f"the topic {topic} is not there any more"
            if now_s - since_s >= AWAY_S and _deleted(topic) not in said[topic]:
                said[topic] = self._recorded(topic, gone[topic], _deleted(topic), taken, now_ms)
        self._metrics.deleted, self._metrics.deleted_topics = said, len(said)
        over = [text for topic, text in sorted(said.items()) if _deleted(topic) in text]
        if over and self._stop:
            raise BrokerError(
                f"{'; '.join(over)}. `repmon topics create` makes it again; with ingest.deleted_topic = "
                '"continue" the others are read on'
            )

    def made_again(self, former: Mapping[str, str], now_ms: int, *, by_us: bool) -> None:
        """Other topics of the same names are there now, of these `former` ids. What was taken is stored. Those that we
        made ourselves were read to their ends before."""
        for topic, id_ in former.items():
            if not by_us and (topic, id_) not in self._told:
                self._recorded(topic, id_, f"{_deleted(topic)}, and made again", {}, now_ms)
            self._ends = {source: end for source, end in self._ends.items() if not _is_of(source, topic, id_)}

    def _recorded(self, topic: str, id_: str, what: str, taken: Mapping[str, int], now_ms: int) -> str:
        ends = {source: end for source, end in self._ends.items() if _is_of(source, topic, id_)}
        stored = self._ask(lambda store: stored_offsets(store, list(ends))) if ends else {}
        unread = {
            source: end - next_
            for source, end in ends.items()
            if (next_ := max(stored.get(source, -1) + 1, taken.get(source, 0))) < end
        }
        lost = sum(unread.values())
        text = f"{what}; as far as known all of it was read"
        if lost:
            self._metrics.gaps += 1
            self._metrics.lost_messages += lost
            where = ", ".join(str(each) for each in sorted(int(source.rpartition(":")[2]) for source in unread))
            text = f"{what}; at least {lost:,} of its messages were not read (partition {where})"
        log.error("%s", text)
        self._told.add((topic, id_))
        self._ask(lambda store: incidents.record(store, "deleted", topic, lost, text, now_ms))
        return text


def _deleted(topic: str) -> str:
    return f"the topic {topic} was deleted while it was read"


def _is_of(source: str, topic: str, id_: str) -> bool:
    return source.startswith(f"{topic}:{id_}:")
