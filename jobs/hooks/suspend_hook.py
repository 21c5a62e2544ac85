"""The hook as a process: it waits for its turn, reads alerts from where it got to, and sweeps now and then.

One hook acts at a time (`outbox.Lease`), so no consumer group is needed: who acts reads every partition. How far it got
is stored by the topic's id, since a topic that was deleted and made again is another one, which is read from its
beginning. An alert is behind the hook once what follows from it is stored.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from jobs.hooks.context import TOPIC_REMADE, HookContext
from jobs.hooks.engine import Engine
from jobs.hooks.lines import Note, Said, What
from jobs.hooks.outbox import LeaseLostError
from schemas.alert import AlertEvent
from schemas.customer_event import CustomerEvent
from schemas.events import read_event
from schemas.settings import Kafka
from schemas.topics import REPUTATION_ALERTS
from schemas.wording import on_one_line, rfc3339
from streams.io.broker import BrokerError, admin, begins, cluster_id, consumer, ends
from streams.io.store import StoreError
from streams.io.topic_identity import TopicIdentity

#: How often it is looked whether there are new alerts, and whether the topic is still the same one; and how long the
#: first of them may take to come.
LOOK_S, FIRST_S = 0.3, 5.0
#: So many alerts are looked at together, and how long is waited for others once there is one, in s.
AT_ONCE, GATHER_S = 500, 0.05
#: How often positions are stored, and the lease looked at, in s.
TICK_S = 1.0
#: How long it is waited before a store that failed is asked again.
STORE_S = 2.0
#: What is said of an embedded broker, which keeps nothing.
ANOTHER_ONE = "is another topic now, as after each start of an embedded broker: reading it from its beginning"
#: Errors that waiting does not mend.
REFUSALS = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)
log = logging.getLogger("repmon.suspend_hook")


class HookProcess:
    """Reads and acts until `stop` is set; `from_beginning` reads all alerts again that are kept."""

    def __init__(
        self, kafka: Kafka, context: HookContext, stop: threading.Event, *, from_beginning: bool = False
    ) -> None:
        self._kafka, self._context, self._stop = kafka, context, stop
        self._from_beginning = from_beginning
        self._engine = Engine(context)
        self._identity: TopicIdentity | None = None
        self._admin: AdminClient
        self._offsets: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        self._due: dict[str, float] = {}
        self._failing = False
        self._gone = False
        #: An embedded broker by its cluster, since it has other topics at each start; empty of one that keeps them.
        self._broker = ""

    def run(self) -> None:
        """Wait for one's turn, then read and act.

        Raises:
            BrokerError: no answer within about 10 s, no such topic, or the broker refuses.
            StoreError: the store failed at the start.
        """
        holder, started = "", False
        try:
            while not self._stop.is_set():
                try:
                    other = self._context.lease.take()
                except StoreError:
                    if not started:
                        raise
                    self._stop.wait(STORE_S)
                    continue
                started = True
                if other:
                    if other != holder:
                        self._say("standby", f"{other.rpartition(':')[0]} acts; waiting until it does not")
                    holder = other
                    self._stop.wait(min(1.0, self._context.hook.lease_s / 3))
                    continue
                if holder:
                    self._say("acting", "no other hook acts any more: this one does")
                holder = ""
                with suppress(LeaseLostError):
                    self._lead()
        finally:
            with suppress(StoreError):
                self._context.lease.release()

    def _lead(self) -> None:
        self._admin = admin(self._kafka)
        self._identity = TopicIdentity(self._admin, [REPUTATION_ALERTS])
        self._identity.read(self._stop.is_set)
        self._broker = self._read_broker()
        self._engine = Engine(self._context)
        self._due = {}
        self._insist(self._find_place)
        while not self._stop.is_set():
            self._insist(self._keep_up)
            if not self._is_behind():
                self._stop.wait(LOOK_S)
            elif not self._read():
                self._skip_what_is_gone()
        self._insist(self._save)

    def _is_behind(self) -> bool:
        """Whether there are alerts that were not read, of the topic as it is now."""
        identity = self._known
        if identity.changed():
            identity.read_again([REPUTATION_ALERTS], self._stop.is_set)
        if identity.former.pop(REPUTATION_ALERTS, None):
            self._offsets, self._stored = {}, {}
            before, self._broker = self._broker, self._read_broker()
            self._remade(by_start=self._broker != before)
        if identity.gone:
            if not self._gone:
                self._say("topic", f"{REPUTATION_ALERTS} was deleted: waiting until it is made again")
            self._gone = True
            return False
        self._gone = False
        try:
            found = ends(self._admin, self._places)
        except BrokerError as error:
            log.warning("%s; asking again", error)
            return False
        return any(end > self._offsets.get(partition, 0) for (_, partition), end in found.items())

    def _read(self) -> bool:
        """Read until nothing more comes; whether anything did.

        The consumer lives no longer than that: one of librdkafka 2.16 crashes, the process with it, soon after a topic
        that it reads was deleted and made again.
        """
        client, came = consumer(self._kafka, "suspend-hook", **{"allow.auto.create.topics": False}), False
        try:
            client.assign(
                [TopicPartition(topic, each, self._offsets.get(each, OFFSET_BEGINNING)) for topic, each in self._places]
            )
            patience_s = FIRST_S
            while not self._stop.is_set() and (first := client.poll(patience_s)) is not None:
                messages = [first, *client.consume(AT_ONCE, GATHER_S)]
                self._insist(self._hear, [each for each in messages if not _is_error(each)])
                self._insist(self._keep_up)
                came, patience_s = True, LOOK_S
        except KafkaException as error:
            raise BrokerError(f"Kafka at {self._kafka.bootstrap}: {error.args[0].str()}") from error
        finally:
            client.close()
        return came

    def _skip_what_is_gone(self) -> None:
        """Nothing came though there should be something: it was deleted by its age."""
        with suppress(BrokerError):
            for (_, partition), begin in begins(self._admin, self._places).items():
                self._offsets[partition] = max(begin, self._offsets.get(partition, 0))

    def _insist(self, do: Callable[..., None], *args: object) -> None:
        """Do it, and again where the store fails: what an alert asks for is not passed over."""
        while True:
            try:
                do(*args)
            except StoreError as error:
                if not self._failing:
                    self._say("store", f"the store fails, waiting for it: {error}")
                self._failing = True
                if self._stop.wait(STORE_S):
                    return
            else:
                if self._failing:
                    self._say("store", "the store answers again")
                self._failing = False
                return

    def _find_place(self) -> None:
        topic_id, outbox = self._topic_id, self._context.outbox
        self._offsets = {} if self._from_beginning else outbox.positions(topic_id)
        self._stored = dict(self._offsets)
        if not self._offsets and not self._from_beginning and outbox.read_others(topic_id):
            self._remade(by_start=bool(self._broker) and not outbox.read_others(topic_id, self._broker))
        self._from_beginning = False

    @property
    def _known(self) -> TopicIdentity:
        assert self._identity is not None  # noqa: S101 - it is read first
        return self._identity

    @property
    def _places(self) -> list[tuple[str, int]]:
        return [(REPUTATION_ALERTS, each) for each in range(self._known.partitions[REPUTATION_ALERTS])]

    @property
    def _topic_id(self) -> str:
        return f"{self._broker}{self._known.ids[REPUTATION_ALERTS]}"

    def _read_broker(self) -> str:
        return f"{cluster_id(self._admin)}/" if self._kafka.static_assignment else ""

    def _remade(self, *, by_start: bool) -> None:
        if by_start:
            self._say("topic", f"{REPUTATION_ALERTS} {ANOTHER_ONE}")
            return
        text = f"{REPUTATION_ALERTS} was deleted and made again: reading the new one from its beginning"
        log.warning("%s", text)
        self._say("topic", text)
        if self._context.acts:
            now_ms = self._context.clock()
            self._context.records.note(
                [Note(now_ms, TOPIC_REMADE, "", REPUTATION_ALERTS, text, {"id": self._topic_id})]
            )

    def _keep_up(self) -> None:
        """What is done now and then."""
        hook = self._context.hook
        if self._is_due("tick", min(TICK_S, hook.lease_s / 3)):
            if self._context.lease.take():
                raise LeaseLostError("another hook acts by now")
            self._engine.ask_again()
            self._save()
            self._engine.record_refused()
        if self._is_due("sweep", hook.sweep_s):
            self._engine.sweep()
        if self._is_due("renew", hook.renew_s):
            self._engine.renew()

    def _is_due(self, what: str, every_s: float) -> bool:
        """Whether it is time for something; then the time for the next begins. If it fails it is due at once."""
        now_s = time.monotonic()
        if now_s < self._due.get(what, 0.0):
            return False
        self._due[what] = now_s + every_s
        return True

    def _hear(self, messages: Sequence[Message]) -> None:
        alerts, decided = list[AlertEvent](), set[str]()
        for each in messages:
            try:
                event = read_event(each.value() or b"")
                if isinstance(event, AlertEvent):
                    alerts.append(event)
                elif isinstance(event, CustomerEvent):  # what people decided of a customer stands among its alerts
                    decided.add(event.data.customer)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                place = f"{REPUTATION_ALERTS}[{each.partition()}]@{each.offset()}"
                self._say("skipped", f"skipped {place}, not an alert as a CloudEvent: {error}")
        self._engine.hear(alerts)
        self._engine.look_again(decided)
        for each in messages:
            self._offsets[each.partition() or 0] = (each.offset() or 0) + 1

    def _save(self) -> None:
        """Store how far was read, unless the store may still come to know some alert of it."""
        if self._offsets != self._stored and not self._engine.doubts:
            self._context.outbox.put_positions(self._topic_id, self._offsets, self._context.clock())
            self._stored = dict(self._offsets)

    def _say(self, what: What, text: str) -> None:
        time_text = rfc3339(self._context.clock())
        self._context.say(Said(time=time_text, mode=self._context.mode, what=what, text=on_one_line(text)))


def _is_error(message: Message) -> bool:
    """Whether it is none. librdkafka continues by itself, unless it is fatal or the broker's last word."""
    error = message.error()
    if error is None:
        return False
    if error.fatal() or error.code() in REFUSALS:
        raise KafkaException(error)
    log.warning("consuming: %s", error.str())
    return True
