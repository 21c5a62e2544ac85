"""Which topics a worker reads, by id: a topic that is deleted and made again is another one under the same name."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka.admin import AdminClient

from streams.io.broker import BrokerError, TopicState, topic_ids, topic_states

log = logging.getLogger("repmon.ingest")

POLL_S = 0.1
#: How long a topic may be unknown before it is taken to be missing.
KNOWN_S = 3.0
#: How long a worker that ran already waits for a broker that came back to tell what it has.
BACK_S = 120.0


class TopicIdentity:
    """The ids of some topics as they were read last, and how many partitions each has. One thread at a time."""

    def __init__(self, client: AdminClient, names: Iterable[str]) -> None:
        self._client = client
        self._names = tuple(names)
        self.ids: Mapping[str, str] = {}
        self.partitions: Mapping[str, int] = {}
        #: Those that were not there when it was looked last.
        self.gone: frozenset[str] = frozenset()

    def read(self, stopped: Callable[[], bool]) -> None:
        """Read the ids again; `stopped` tells that nobody waits for them any more.

        Of a topic made just now, one broker of a cluster may know later than another; one that comes back under load
        may not answer at first, or not know its topics yet.

        Raises:
            BrokerError: no answer, or a topic is missing.
        """
        ran = bool(self.ids)
        deadline = time.monotonic() + (BACK_S if ran else KNOWN_S)
        while True:
            over = time.monotonic() > deadline or stopped()
            try:
                found = topic_states(self._client, self._names)
            except BrokerError as error:
                if over or not ran:
                    raise
                log.warning("%s; asking again", error)
            else:
                missing = sorted(set(self._names) - set(found))
                if not missing:
                    break
                if over:
                    raise BrokerError(f"there is no topic {', '.join(missing)}; `repmon topics create` makes it")
            time.sleep(POLL_S)
        self._keep(found)

    def changed(self) -> bool:
        """Whether all topics are there and any is another one by now. If not, the numbers of partitions are read
        again. Afterwards `gone` says which are not there."""
        try:
            found = topic_states(self._client, self._names)
        except BrokerError as error:
            log.warning("%s", error)
            return False
        self.gone = frozenset(self._names) - found.keys()
        if self.gone:
            return False
        if {name: each.id for name, each in found.items()} != self.ids:
            return True
        self._keep(found)
        return False

    def _keep(self, found: Mapping[str, TopicState]) -> None:
        self.ids = {name: each.id for name, each in found.items()}
        self.partitions = {name: each.partitions for name, each in found.items()}

    def was_recreated(self, topic: str, patience_s: float = 0.0) -> bool:
        """Whether a topic has another id now; one broker of a cluster may know that later than another."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                if topic_ids(self._client, [topic]).get(topic) != self.ids[topic]:
                    return True
            except BrokerError as error:
                log.warning("%s", error)
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
