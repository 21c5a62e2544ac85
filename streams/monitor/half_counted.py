"""While the intake is behind, a part of somebody's mail may be counted and another not: bounces come through one topic,
deliveries through another, and after a pause one is read before the other. Rates of that accuse everybody.

So who would newly be excessive or worse by such a rate waits until the topics are counted that may bring mail of
theirs. Not for ever: a topic of which nothing has been counted for minutes is not waited for, since nobody knows
whether it ever goes on, and no other for more than an hour. Then the brake and people decide, and the alert says what
is not counted. It is asked only when somebody alarms.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.alert import Evidence
from schemas.times import DAY_S, MINUTE_MS
from streams.alerts.lifecycle import SubjectRule
from streams.incidents.witnessed import Telling, Witnessed
from streams.io.store import Store, portions

log = logging.getLogger("repmon.monitor")

#: Who waits is judged again after so long, in ms.
AGAIN_MS = 5_000
#: Who was not judged again for so much longer waits no more, in ms: it alarms no more.
GONE_MS = MINUTE_MS
#: By which topics mail of a customer came is seen by what was sent in so many days.
BROUGHT_DAYS = 30
#: Where a source is no partition of a topic, the name is empty.
BROUGHT_BY = """
SELECT customer, groupUniqArray(extract(source, '^([^:]+):[^:]*:[0-9]+$')) FROM counts
WHERE dimension = 'provider' AND customer IN {customers:Array(String)} AND bucket >= toDateTime({since:UInt32})
GROUP BY customer
"""
#: Who has been judged for more than a day. Not by the times of mail: old logs may just have been read.
LONG_JUDGED = """
SELECT DISTINCT customer FROM scores
WHERE customer IN {customers:Array(String)} AND day < toDate(toDateTime({now:UInt32}, 'UTC')) - 1
"""


class LateTopic(NamedTuple):
    """Something that came to the topic a while ago is not counted, and where that is so nothing was counted for
    `still_ms` (ms), as far as was watched. 0: it goes on."""

    topic: str
    still_ms: int = 0


class Waiting(NamedTuple):
    """Who waits, and `until` when they are judged again (epoch ms). Of those who wait no longer, the topics that are
    `uncounted` and may bring mail of theirs."""

    until: Mapping[str, int]
    uncounted: Mapping[str, tuple[str, ...]]


NOBODY_WAITS = Waiting({}, {})


class HalfCounted:
    """Knows who waits. One thread at a time."""

    def __init__(
        self, store: Store, late_topics: Callable[[int], Sequence[LateTopic]], wait_ms: int, still_ms: int
    ) -> None:
        """`late_topics` says, given the time (epoch ms), which topics are behind. Nobody waits longer than `wait_ms`,
        nor for a topic of which nothing has been counted for `still_ms`."""
        self._store = store
        self._late_topics = late_topics
        self._wait_ms = wait_ms
        self._still_ms = still_ms
        self._since: dict[str, int] = {}
        self._until: dict[str, int] = {}
        self._said: frozenset[LateTopic] = frozenset()

    def look(self, now_ms: int) -> int:
        """Look what is behind, so that it is known when somebody alarms. Returns how many wait.

        Raises:
            StoreError: the store failed.
        """
        self._late_topics(now_ms)
        self._until = {each: at_ms for each, at_ms in self._until.items() if now_ms < at_ms + GONE_MS}
        return len(self._until)

    def waiting(self, alarmed: Iterable[str], now_ms: int) -> Waiting:
        """Which of those who alarm by their mail wait.

        Raises:
            StoreError: the store failed.
        """
        some = sorted(set(alarmed))
        if not some:
            return NOBODY_WAITS
        late = self._late_topics(now_ms)
        moving = {each.topic for each in late if each.still_ms < self._still_ms}
        self._say(frozenset(LateTopic(each.topic, int(each.topic not in moving)) for each in late))
        if not late:
            self._since, self._until = {}, {}
            return NOBODY_WAITS
        until: dict[str, int] = {}
        uncounted: dict[str, tuple[str, ...]] = {}
        brings = topics_of(self._store, some, [each.topic for each in late], now_ms)
        for customer, topics in brings.items():
            if moving.isdisjoint(topics):
                # Should one of them go on some day, it is waited for again.
                self._since.pop(customer, None)
            elif 0 <= now_ms - (since := self._since.setdefault(customer, now_ms)) < self._wait_ms:
                until[customer] = min(now_ms + AGAIN_MS, since + self._wait_ms)
                continue
            if topics:
                uncounted[customer] = topics
        self._until = {each: at_ms for each, at_ms in self._until.items() if each not in brings} | until
        return Waiting(until, uncounted)

    def asking(self, tell: Telling) -> Telling:
        """`tell`, asked of those customers alone of whom all is counted, as far as is known at that time (epoch ms)."""

        def told(alarmed: Mapping[str, int], now_ms: int) -> Mapping[str, Witnessed]:
            if late := [each.topic for each in self._late_topics(now_ms)]:
                topics = topics_of(self._store, sorted(alarmed), late, now_ms)
                alarmed = {each: length_ms for each, length_ms in alarmed.items() if not topics[each]}
            return tell(alarmed, now_ms) if alarmed else {}

        return told

    def _say(self, late: frozenset[LateTopic]) -> None:
        """Log what has changed."""
        if late == self._said:
            return
        self._said = late
        if not late:
            log.warning("the intake has caught up: who waited is judged")
        if moving := sorted(each.topic for each in late if not each.still_ms):
            log.warning(
                "the intake is behind: who would newly be excessive waits until what came before is counted of %s",
                ", ".join(moving),
            )
        if still := sorted(each.topic for each in late if each.still_ms):
            log.warning(
                "nothing of %s has been counted for %g s: nobody waits for that any more, and alerts name it",
                ", ".join(still),
                self._still_ms / 1000,
            )


def topics_of(store: Store, customers: Sequence[str], late: Sequence[str], now_ms: int) -> dict[str, tuple[str, ...]]:
    """Which of the `late` topics may bring mail of each of the customers (sorted): those that brought some, and of who
    is new, or came from elsewhere, all of them.

    Raises:
        StoreError: the store failed.
    """
    brought: dict[str, set[str]] = {}
    long_judged: set[str] = set()
    for part in portions(store, customers):
        asked = {"customers": part, "since": max(0, now_ms // 1000 - BROUGHT_DAYS * DAY_S), "now": now_ms // 1000}
        brought |= {str(customer): set(map(str, topics)) for customer, topics in store.rows(BROUGHT_BY, asked)}
        long_judged |= {str(customer) for (customer,) in store.rows(LONG_JUDGED, asked)}

    def may_bring(customer: str, topic: str) -> bool:
        by = brought.get(customer, set())
        return topic in by or "" in by or customer not in long_judged

    return {each: tuple(sorted(topic for topic in late if may_bring(each, topic))) for each in customers}


def with_uncounted(
    evidence: dict[SubjectRule, Evidence], uncounted: Mapping[str, tuple[str, ...]]
) -> dict[SubjectRule, Evidence]:
    """The evidence of alerts, with the topics that are not counted of each customer."""
    return {
        key: msgspec.structs.replace(each, uncounted=topics) if (topics := uncounted.get(key[0])) else each
        for key, each in evidence.items()
    }
