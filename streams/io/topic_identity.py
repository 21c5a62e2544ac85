"""Which topics a reader reads, by id: a topic that is deleted and made again is another one under the same name, and is
read from its beginning. Ingest, the hook and notifications go by this.

An embedded broker keeps nothing, so each of its starts brings other topics, which nobody deleted; whoever speaks of
that asks whether the cluster is the same one (`streams.io.broker.cluster_id`).
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka.admin import AdminClient

from streams.io.broker import BrokerError, TopicState, topic_ids, topic_states

log = logging.getLogger("repmon.topics")

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
        self.ids: dict[str, str] = {}
        self.partitions: dict[str, int] = {}
        #: Those that were not there when it was looked last, and those of them that nobody waits for any more.
        self.gone: frozenset[str] = frozenset()
        self.given_up: frozenset[str] = frozenset()
        #: Those that were others under the same names before, with the ids they had; until somebody takes note.
        self.former: dict[str, str] = {}
        #: Those that were seen to be others now, but whose new ids are not read yet.
        self.others: frozenset[str] = frozenset()

    def read(self, stopped: Callable[[], bool]) -> None:
        """Read the ids of all topics, for one who opens them; `stopped` tells that nobody waits for them any more.

        Of a topic made just now, one broker of a cluster may know later than another; one that comes back under load
        may not answer at first, or not know its topics yet.

        Raises:
            BrokerError: no answer, or a topic is missing.
        """
        wanted = set(self._names) - self.given_up
        if missing := self._read(wanted, BACK_S if self.ids else KNOWN_S, stopped):
            raise BrokerError(f"there is no topic {', '.join(missing)}; `repmon topics create` makes it")

    def read_again(self, wanted: Iterable[str], stopped: Callable[[], bool]) -> None:
        """Read the ids again, of a worker that is at work. A topic that is not there keeps the id it had; those wanted
        are waited for a moment.

        Raises:
            BrokerError: no answer.
        """
        self._read(set(wanted), KNOWN_S, stopped)

    def _read(self, wanted: set[str], patience_s: float, stopped: Callable[[], bool]) -> list[str]:
        """Ask until those wanted are there; returns those that are not."""
        began_s, ran = time.monotonic(), bool(self.ids)
        while True:
            waited_s = time.monotonic() - began_s
            try:
                found = topic_states(self._client, self._names)
            except BrokerError as error:
                if not ran or waited_s > BACK_S or stopped():
                    raise
                log.warning("%s; asking again", error)
            else:
                missing = sorted(wanted - found.keys())
                if not missing or waited_s > patience_s or stopped():
                    self._keep(found)
                    return missing
            time.sleep(POLL_S)

    def changed(self) -> bool:
        """Whether any topic is another one by now, and all are there but those given up. If none is another, the
        numbers of partitions are read again. Afterwards `gone` and `others` say of which that is so."""
        try:
            found = topic_states(self._client, self._names)
        except BrokerError as error:
            log.warning("%s", error)
            return False
        self.gone = frozenset(self._names) - found.keys()
        self.others = frozenset(name for name, each in found.items() if each.id != self.ids[name])
        if self.others or self.former:
            return self.gone <= self.given_up
        self._keep(found)
        return False

    def _keep(self, found: Mapping[str, TopicState]) -> None:
        for name, each in found.items():
            if (known := self.ids.get(name, each.id)) != each.id:
                self.former.setdefault(name, known)
            self.ids[name], self.partitions[name] = each.id, each.partitions
        self.gone, self.others = frozenset(self._names) - found.keys(), frozenset()

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
