"""Topics that are deleted while a worker reads them: what was acknowledged and not read went with them, and nothing of
the client says so."""

import logging
import time
from collections.abc import Callable, Collection

from streams.intake import incidents
from streams.intake.metrics import IngestMetrics
from streams.io.broker import BrokerError
from streams.io.store import Store

log = logging.getLogger("repmon.ingest")

#: How long a topic may be away, in s: one that is made again is away for a moment, and is a new source then.
AWAY_S = 15.0


class DeletedTopics:
    """Watches for topics that are gone. One thread at a time."""

    def __init__(self, metrics: IngestMetrics, ask: Callable[[Callable[[Store], None]], None], *, stop: bool) -> None:
        """`ask` asks the store. With `stop` a deleted topic ends the worker."""
        self._metrics = metrics
        self._ask = ask
        self._stop = stop
        self._since: dict[str, float] = {}

    def look(self, gone: Collection[str], unread: Callable[[str], int], now_ms: int) -> None:
        """These topics are not there now. `unread` gives how many messages of one are known that were not read;
        `now_ms` is epoch ms.

        Raises:
            BrokerError: one was deleted, and that is to end the worker.
        """
        now_s, known = time.monotonic(), self._metrics.deleted
        self._since = {topic: self._since.get(topic, now_s) for topic in gone}
        said = {}
        for topic, since_s in self._since.items():
            said[topic] = known.get(topic) or f"the topic {topic} is not there any more"
            if now_s - since_s >= AWAY_S and _deleted(topic) not in said[topic]:
                said[topic] = self._recorded(topic, unread(topic), now_ms)
        self._metrics.deleted, self._metrics.deleted_topics = said, len(said)
        over = [text for topic, text in sorted(said.items()) if _deleted(topic) in text]
        if over and self._stop:
            raise BrokerError(
                f"{'; '.join(over)}. `repmon topics create` makes it again; with ingest.deleted_topic = "
                '"continue" the others are read on'
            )

    def _recorded(self, topic: str, lost: int, now_ms: int) -> str:
        if lost:
            self._metrics.gaps += 1
            self._metrics.lost_messages += lost
        what = f"at least {lost:,} of its messages were not read" if lost else "as far as known all of it was read"
        text = f"{_deleted(topic)}; {what}"
        log.error("%s", text)
        self._ask(lambda store: incidents.record(store, "deleted", topic, lost, text, now_ms))
        return text


def _deleted(topic: str) -> str:
    return f"the topic {topic} was deleted while it was read"
