"""What was sent, to the last event, and whether the store says exactly that.

The simulator's traffic is counted here a second time and more finely than by its own ledger: by minute, sending
address and pool, from the place in the ledger that the simulator gives each event. The product takes no part in it.
"""

import logging
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from jobs import simulate
from jobs.simulate.fleet import Fleet
from jobs.simulate.timed import NO_SLOT, SLOTS, TimedMessage
from schemas.counts import MEASURES
from schemas.event import NEGATIVE_TYPES, MailEvent
from schemas.listing import BlocklistEvent
from schemas.providers import load_providers
from schemas.settings import Kafka
from schemas.times import DAY_S, MINUTE_S, epoch_ms, utc_now_ms
from schemas.topics import MAIL_EVENTS
from streams.io.store import Store
from tests.support.client_state import ClientState

#: Whether an event that is sent again counts once. Where it is off, every copy is expected to count.
DEDUPLICATED = True

#: Part of the simulated events that is sent a second time, in addition to the simulator's own repetitions.
REPEATED = 0.02
FLUSH_S = 60.0
#: Lines of a diff that are shown.
SHOWN = 15
INDEX = {name: place for place, name in enumerate(MEASURES)}
#: A late bounce stands in one place of the ledger and in two measures.
_ALSO = {INDEX[f"late_{kind}"]: INDEX[kind] for kind in ("hard", "soft", "block")}
#: The measure of what comes late and is of mail of an unknown time.
_UNDATED = {INDEX[f"late_{kind}"]: INDEX[f"undated_{kind}"] for kind in ("hard", "block")} | {
    INDEX[kind]: INDEX[f"undated_{kind}"] for kind in ("expired", "complained", "unsubscribed")
}
_LATE = frozenset(_UNDATED) | {INDEX["late_soft"], INDEX["reported"]}
#: How long after the delivery a bounce, and a complaint or unsubscription, is taken to be of it, in days.
_BOUNCE_DAYS, _ANSWER_DAYS = 7, 45
_PROVIDERS = load_providers()
_REPORTING = frozenset(_PROVIDERS.with_feedback_loop())

#: Brokers are lost on purpose; that the client cannot reach one is no news.
_quiet = logging.getLogger("tests.faults.librdkafka")
_quiet.setLevel(logging.CRITICAL)

EVENT = msgspec.json.Decoder(MailEvent)
LISTING = msgspec.json.Decoder(BlocklistEvent)

#: customer, stream, class, minute (epoch s, UTC), and the sending address or pool ('' in the sum over providers)
Key = tuple[str, str, str, int, str]
Sums = dict[Key, list[int]]
#: By dimension; `provider` is summed over its values.
Counts = dict[str, Sums]
DIMENSIONS = ("provider", "ip", "pool", "from")

COUNTED = f"""
SELECT toString(dimension), customer, stream, toString(class), toUnixTimestamp(bucket),
    dimension = 'provider' ? '' : value AS place, {", ".join(f"sum({name})" for name in MEASURES)}
FROM counts
WHERE dimension != 'offset'
GROUP BY dimension, customer, stream, class, bucket, place
"""  # noqa: S608 - names of ours
DEAD_LETTERS = "SELECT payload, count() FROM dead_letters FINAL GROUP BY payload"
#: Rows beyond the last offset of their source belong to a flush that was not finished, and whose messages are lost
#: with their broker: they were not counted either.
EVIDENCE, LISTINGS = (
    f"""
SELECT id, count()
FROM {table} FINAL
INNER JOIN (SELECT source, max(last_offset) AS upto FROM counts GROUP BY source) AS stored USING source
WHERE position <= upto
GROUP BY id
"""  # noqa: S608 - names of ours
    for table in ("events", "listing_events")
)
OFFSETS = "SELECT source, max(last_offset) FROM counts GROUP BY source"


@dataclass
class Sent:
    """Everything that was sent. `once` has each event once, `again` only the repeats."""

    once: Counts = field(default_factory=lambda: {name: {} for name in DIMENSIONS})
    again: Counts = field(default_factory=lambda: {name: {} for name in DIMENSIONS})
    negative: Counter[str] = field(default_factory=Counter)
    listings: set[str] = field(default_factory=set)
    bad: Counter[bytes] = field(default_factory=Counter)
    events: int = 0
    repeats: int = 0
    #: The measure of each event by its id, where that is wanted.
    measures: dict[str, int] | None = None
    #: The first minute (epoch s) in which a message was delivered where complaints are reported, by customer and id.
    delivered: dict[tuple[str, str], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, event: MailEvent, measure: int, *, repeat: bool) -> None:
        """One event was sent; `measure` is its place in `MEASURES`."""
        with self._lock:
            self._add(event, measure, self.again if repeat else self.once)
            self.events += 1
            self.repeats += repeat

    def _add(self, event: MailEvent, measure: int, counts: Counts) -> None:
        if self.measures is not None:
            self.measures[event.id] = measure
        sent = self._sent(event, measure)
        minute = sent or event.time_ms // 60_000 * MINUTE_S
        values = ("", event.sending_ip, event.ip_pool, event.from_domain.lower())
        for dimension, value in zip(DIMENSIONS, values, strict=True):
            if value or dimension == "provider":
                key = (event.customer, event.stream, event.stream_class, minute, value)
                sums = counts[dimension].setdefault(key, [0] * len(MEASURES))
                sums[measure] += 1
                if (other := _ALSO.get(measure)) is not None:
                    sums[other] += 1
                if not sent and (undated := _UNDATED.get(measure)) is not None:
                    sums[undated] += 1
        if event.type in NEGATIVE_TYPES:
            self.negative[event.id] += 1

    def _sent(self, event: MailEvent, measure: int) -> int:
        """The minute (epoch s) in which the message was sent, as the event says or the delivery of what came late; else
        0. Deliveries are noted."""
        key, minute = (event.customer, event.message_id), (epoch_ms(event.sent) or event.time_ms) // 60_000 * MINUTE_S
        if measure == INDEX["delivered"] and event.message_id:
            if _PROVIDERS.of(event.recipient_domain) in _REPORTING:
                self.delivered[key] = min(minute, self.delivered.get(key, minute))
        elif measure in _LATE and not event.sent and (found := self.delivered.get(key)) is not None:
            days = minute // DAY_S - found // DAY_S
            if 0 <= days <= (_BOUNCE_DAYS if event.type == "bounced" else _ANSWER_DAYS):
                return min(found, minute)
        return minute if event.sent else 0

    def expected(self) -> Counts:
        """What the store must say."""
        if DEDUPLICATED:
            return self.once
        return {name: _added(self.once[name], self.again[name]) for name in self.once}

    def evidence(self) -> Counter[str]:
        """How often each negative event's id must stand in the evidence."""
        return Counter(dict.fromkeys(self.negative, 1)) if DEDUPLICATED else self.negative


def differences(sent: Sent, store: Store, *, dated: bool = True) -> list[str]:
    """Every way in which counts, evidence, dead letters and listings differ from what was sent; empty: exact.

    Without `dated` the minutes are added up: where late outcomes may be read before the delivery that dates them.

    Raises:
        StoreError: the store failed.
    """
    found: Counts = {name: {} for name in sent.once}
    for dimension, customer, stream, class_, minute, value, *sums in store.rows(COUNTED):
        found[dimension][customer, stream, class_, int(minute), value] = [int(each) for each in sums]
    wrong: list[str] = []
    for dimension, expected in sent.expected().items():
        wrong += _differing(dimension, *(each if dated else _added_up(each) for each in (expected, found[dimension])))
    wrong += _wrong_ids("evidence", sent.evidence(), store.rows(EVIDENCE))
    bad = Counter({payload.decode(errors="replace"): number for payload, number in sent.bad.items()})
    wrong += _wrong_ids("dead letters", bad, store.rows(DEAD_LETTERS))
    wrong += _wrong_ids("listings", Counter(dict.fromkeys(sent.listings, 1)), store.rows(LISTINGS))
    return wrong


def shown(wrong: list[str]) -> str:
    """The beginning of a list of differences, for an assertion or a terminal."""
    more = f"\n... and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
    return "\n".join(wrong[:SHOWN]) + more


def _differing(dimension: str, expected: Sums, found: Sums) -> list[str]:
    wrong, net = [], [0] * len(MEASURES)
    blank = [0] * len(MEASURES)
    for key in sorted(expected.keys() | found.keys()):
        want, have = expected.get(key, blank), found.get(key, blank)
        if want == have:
            continue
        customer, stream, class_, minute, value = key
        at = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(minute))
        parts = [
            f"{name} {is_:,}, not {should:,}"
            for name, is_, should in zip(MEASURES, have, want, strict=True)
            if is_ != should
        ]
        wrong.append(f"{dimension}{' ' * bool(value)}{value}: {customer}/{stream} ({class_}) {at}: {'; '.join(parts)}")
        net = [sum_ + is_ - should for sum_, is_, should in zip(net, have, want, strict=True)]
    if wrong:
        sums = ", ".join(f"{name} {number:+,}" for name, number in zip(MEASURES, net, strict=True) if number)
        wrong.insert(0, f"{dimension}: {len(wrong):,} minutes differ; in sum {sums or 'nothing'}")
    return wrong


def _added_up(sums: Sums) -> Sums:
    """Without minutes, and without what is undated, which says that a minute is that of the outcome."""
    total: Sums = {}
    for (customer, stream, class_, _, value), numbers in sums.items():
        known = total.setdefault((customer, stream, class_, 0, value), [0] * len(MEASURES))
        for place, (name, number) in enumerate(zip(MEASURES, numbers, strict=True)):
            known[place] += 0 if name.startswith("undated_") else number
    return total


def _wrong_ids(what: str, expected: Counter[str], rows: Iterable[Iterable[object]]) -> list[str]:
    found = Counter({str(id_): int(str(number)) for id_, number in rows})
    ids = sorted(id_ for id_ in expected.keys() | found.keys() if expected[id_] != found[id_])
    wrong = [f"{what}: {id_} stands {found[id_]} times, not {expected[id_]}" for id_ in ids]
    if wrong:
        wrong.insert(0, f"{what}: {len(ids):,} ids differ; {found.total():,} stand, not {expected.total():,}")
    return wrong


def _added(left: Sums, right: Sums) -> Sums:
    sums = {key: list(values) for key, values in left.items()}
    for key, values in right.items():
        known = sums.setdefault(key, [0] * len(MEASURES))
        for place, number in enumerate(values):
            known[place] += number
    return sums


class Sender:
    """Sends to the broker, and knows up to which offset every partition was acknowledged.

    `options` are the client's. By default nothing is written twice, whatever becomes of the broker.
    """

    def __init__(self, kafka: Kafka, **options: object) -> None:
        self._state = ClientState()
        self._producer = Producer(
            {
                **self._state.options,
                "bootstrap.servers": kafka.bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.timeout.ms": 120_000,
                **options,
            },
            logger=_quiet,
        )
        self._lock = threading.Lock()
        self._ends: dict[tuple[str, int], int] = {}
        self._failures: list[str] = []
        #: Called with each message when it is known whether it was acknowledged.
        self.settled: Callable[[Message], None] | None = None

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        """Queue one message; waits while the client's queue is full."""
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until everything is acknowledged.

        Raises:
            AssertionError: something was not.
        """
        left = self._producer.flush(FLUSH_S)
        assert not left, f"{left} messages were not acknowledged within {FLUSH_S:g} s"
        assert not self._failures, self._failures[0]

    def give_up(self) -> None:
        """Forget what is not acknowledged: its broker does not come back."""
        self._producer.purge()
        self._producer.flush(FLUSH_S)

    def ends(self) -> Mapping[tuple[str, int], int]:
        """The last offset acknowledged, by topic and partition."""
        with self._lock:
            return dict(self._ends)

    def reported(self) -> str:
        """How far the broker acknowledged, for a test that waited in vain."""
        with self._lock:
            upto = sum(offset + 1 for offset in self._ends.values())
        return f"acknowledged: {upto:,}, queued: {len(self._producer)}, failed: {self._failures[:3]}, {self._state}"

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if self.settled is not None:
            self.settled(message)
        if error is not None:
            self._failures.append(error.str())
            return
        at, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
        with self._lock:
            self._ends[at] = max(offset, self._ends.get(at, -1))


class Book(simulate.Ledger):
    """The simulator's ledger, which notes more of each event and may send it again."""

    def __init__(self, fleet: Fleet, sent: Sent, repeat: "Repeater") -> None:
        super().__init__(fleet)
        self._sent = sent
        self._repeat = repeat

    def record(self, sent: TimedMessage) -> None:
        """One message was sent."""
        super().record(sent)
        if sent.slot == NO_SLOT:
            self._sent.listings.add(LISTING.decode(sent.value).id)
            return
        event, measure = EVENT.decode(sent.value), sent.slot % SLOTS // 2
        self._sent.add(event, measure, repeat=bool(sent.slot & 1))
        self._repeat.sent(sent, event, measure)


class Repeater:
    """Sends a part of all events a second time: half of them at once, the others among what comes much later, but with
    `within` before so many other events were sent."""

    def __init__(self, part: float, seed: int, sender: Sender, sent: Sent, within: int | None = None) -> None:
        self._part = part
        self._within = within
        self._random = random.Random(seed)
        self._sender = sender
        self._sent = sent
        self._number = 0
        #: With the number of each, the earliest first.
        self._later: list[tuple[int, TimedMessage, MailEvent, int]] = []

    def sent(self, message: TimedMessage, event: MailEvent, measure: int) -> None:
        """One message was sent by the simulator."""
        self._number += 1
        draw = self._random.random()
        if draw < self._part / 2:
            self._again(message, event, measure)
        elif draw < self._part:
            self._later.append((self._number, message, event, measure))
        elif self._later and draw > 1 - self._part / 4:
            self._again(*self._later.pop(self._random.randrange(len(self._later)))[1:])
        if self._within is not None and self._later and self._number - self._later[0][0] >= self._within:
            self._again(*self._later.pop(0)[1:])

    def rest(self) -> None:
        """Send what is still to be sent again."""
        for _, message, event, measure in self._later:
            self._again(message, event, measure)
        self._later.clear()

    def _again(self, message: TimedMessage, event: MailEvent, measure: int) -> None:
        self._sender.send(message.topic, message.key, message.value)
        self._sent.add(event, measure, repeat=True)


class Traffic:
    """The simulator's mail on its way to the broker, on a thread of its own, as the load under which faults happen."""

    def __init__(
        self,
        sender: Sender,
        sent: Sent,
        options: simulate.SimulationOptions,
        clock: Callable[[], int] | None = None,
        repeated_within: int | None = None,
    ) -> None:
        """With `repeated_within` an event is sent again before so many others were sent."""
        self._sender = sender
        self._options = options
        self._clock = clock or utc_now_ms
        self._repeater = Repeater(REPEATED, options.seed, sender, sent, repeated_within)
        self._book = Book(simulate.open_ledger(options).fleet, sent, self._repeater)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def finish(self) -> None:
        """Wait until all is sent and acknowledged.

        Raises:
            AssertionError: something was not acknowledged.
        """
        self._thread.join()
        self.check()
        self._sender.flush()

    def check(self) -> None:
        """Raise what ended it before its time."""
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        """Send no more, and wait until what was begun is acknowledged.

        Raises:
            AssertionError: something was not acknowledged.
        """
        self._stop.set()
        self.finish()

    def abandon(self) -> None:
        """Send no more, whatever became of what was sent."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            simulate.run(self._options, self._sender.send, self._clock, self._stop, time.sleep, self._book)
            self._repeater.rest()
        except BaseException as error:
            self._failure = error


class Hand:
    """Events written by hand, for what the simulator does not send."""

    def __init__(self, sender: Sender, sent: Sent) -> None:
        self._sender = sender
        self._sent = sent

    def send(self, event: MailEvent, measure: str, *, repeat: bool = False) -> None:
        """Send an event that must be counted in `measure`."""
        self._sender.send(MAIL_EVENTS, event.customer.encode(), msgspec.json.encode(event))
        self._sent.add(event, INDEX[measure], repeat=repeat)

    def send_bad(self, event: MailEvent) -> None:
        """Send an event that must become a dead letter."""
        payload = msgspec.json.encode(event)
        self._sender.send(MAIL_EVENTS, event.customer.encode(), payload)
        self._sent.bad[payload] += 1

    def send_mixed(self, chance: random.Random, good: Sequence[MailEvent], bad: Sequence[MailEvent]) -> None:
        """Send events in any order and wait until they are acknowledged. The good ones are counted in the measure
        of their type's name; the bad ones become dead letters."""
        for number in chance.sample(range(len(good) + len(bad)), k=len(good) + len(bad)):
            if number < len(good):
                self.send(good[number], good[number].type)
            else:
                self.send_bad(bad[number - len(good)])
        self._sender.flush()


def uncounted(sender: Sender, ids: Mapping[str, str], store: Store) -> dict[str, int]:
    """How many acknowledged messages of each source are not counted yet; those that are complete are left out.

    `ids` are the topics' ids: a source is topic, id and partition.
    """
    stored = {str(source): int(offset) for source, offset in store.rows(OFFSETS)}
    found = defaultdict(int)
    for (topic, partition), end in sender.ends().items():
        source = f"{topic}:{ids[topic]}:{partition}"
        if (behind := end - stored.get(source, -1)) > 0:
            found[source] = behind
    return dict(found)
