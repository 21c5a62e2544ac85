"""Say of each alert whom a suspension hook would suspend or release (`repmon suspend-hook --dry-run`).

Only alerts on a customer's whole mail suspend; those on small customers together are on nobody. An alert on
one stream is printed and marked: a stream is judged by itself so that it can be stopped by itself, and
suspending its customer would also stop the mail that is in order, password resets among it. Where the streams
together are bad, the customer's own scope alerts as well.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.alert import AlertData, AlertEvent, TransitionKind
from schemas.events import read_event
from schemas.scope import shared_by
from schemas.settings import Kafka, SettingsError
from schemas.topics import REPUTATION_ALERTS
from schemas.wording import amount, decided_by, held_by
from streams.io.broker import REACH_S, BrokerError, admin, consumer

SUSPENDING = frozenset({"excessive", "critical"})
#: Kinds of transitions by which a level may have risen.
RISING: frozenset[TransitionKind] = frozenset({"opened", "reopened", "escalated", "override-ended", "confirmed"})
CUSTOMER_SCOPE = "customer"
#: How many ids of events and how many episodes are remembered, the latest.
REMEMBERED = 100_000
POLL_S = 0.2
NO_HOOK = (
    "suspend-hook only knows --dry-run: real suspension hooks come with configuration later; nothing was suspended"
)
#: Errors that waiting does not mend.
REFUSALS = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
#: Errors of a group whose coordinator is not known, or is just coming up.
NO_COORDINATOR = (
    KafkaError._TIMED_OUT,
    KafkaError._WAIT_COORD,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
)
COORDINATOR_S = 60.0
log = logging.getLogger("repmon.suspend_hook")

Action = Literal["suspend", "already suspended", "stream only", "shared only", "held", "lift", "keep suspended"]
K = TypeVar("K")
V = TypeVar("V")
#: Partition number -> the offset where new alerts begin; what lies before was acted on by an earlier run.
Resume = dict[int, int]


class Latest(Generic[K, V]):
    """A mapping of bounded size: the entry that was put longest ago goes first."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def put(self, key: K, value: V) -> None:
        """Remember an entry as the latest."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def get(self, key: K) -> V | None:
        """The value, or None where it is not known (any more)."""
        return self._entries.get(key)

    def drop(self, key: K) -> None:
        """Forget an entry, if it is there."""
        self._entries.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)


class SuspendingEpisode(NamedTuple):
    """An open episode that suspends its customer."""

    rule: str
    episode: int
    alert_id: str


@dataclass
class HookMemory:
    """What the hook remembers: ids of events; for each open episode (`alert_id`) of a customer's own scope
    whether it was acted on; and for each customer the open episodes that suspend it.
    """

    events: Latest[str, None] = field(default_factory=Latest)
    episodes: Latest[str, bool] = field(default_factory=Latest)
    suspended: Latest[str, frozenset[SuspendingEpisode]] = field(default_factory=Latest)


@dataclass(frozen=True, slots=True)
class HookDecision:
    """What a hook would do about one alert. `remark` is added where there is more to know."""

    action: Action
    event: AlertEvent
    remark: str = ""

    def __str__(self) -> str:
        """One line of plain text, whatever the alert holds."""
        data = self.event.data
        what = {
            "suspend": f"would suspend {data.customer}",
            "already suspended": f"would not suspend {data.customer} again (same episode)",
            "stream only": f"{data.scope.partition(':')[0]} only, would not suspend {data.customer}",
            "shared only": f"{data.scope}: small customers together, would suspend nobody",
            "held": f"held, would not suspend {data.customer}",
            "lift": f"would lift the suspension of {data.customer}",
            "keep suspended": f"would keep {data.customer} suspended",
        }[self.action]
        remarks = [each for each in (self.remark, held_by(data), decided_by(data)) if each]
        remark = f" ({'; '.join(remarks)})" if remarks else ""
        return _one_line(f"{what}{remark}: {_verdict(data)}, alert {self.event.id}: {data.explanation}")


def decide(event: AlertEvent, seen: HookMemory) -> HookDecision | None:
    """What a hook would do about an alert, or None where there is nothing to do. Brings `seen` up to date.

    Each event id counts once; an episode suspends once, however often it escalates. A resolved episode lifts
    its suspension unless another open episode of the same customer holds it, and so does one that an operator's
    override took below what suspends, and one that is held: nobody is to be suspended by it until it is confirmed. Each
    may suspend again under the same `alert_id`. A later episode of a rule says that earlier ones are over.
    """
    if event.id in seen.events:
        return None
    seen.events.put(event.id, None)
    data = event.data
    if data.held is not None:
        return _waiting(event, seen)
    if data.kind == "resolved" or (data.kind == "overridden" and data.level not in SUSPENDING):
        return _over(event, seen) if data.scope == CUSTOMER_SCOPE else None
    if data.scope != CUSTOMER_SCOPE:
        action: Action = "shared only" if shared_by(data.scope) else "stream only"
        return HookDecision(action, event, "" if action == "shared only" else data.scope) if _suspends(data) else None
    if not _suspends(data):
        if data.kind in RISING and data.alert_id not in seen.episodes:
            seen.episodes.put(data.alert_id, False)
        return None
    return _suspended(event, seen)


def _suspended(event: AlertEvent, seen: HookMemory) -> HookDecision:
    """An episode that suspends its customer."""
    data = event.data
    acted = seen.episodes.get(data.alert_id)
    seen.episodes.put(data.alert_id, True)
    if acted:
        return HookDecision("already suspended", event)
    holding = seen.suspended.get(data.customer) or frozenset()
    earlier = {each for each in holding if each.rule == data.rule and each.episode < data.episode}
    seen.suspended.put(data.customer, holding - earlier | {_suspending(data)})
    return HookDecision("suspend", event)


def run(
    kafka: Kafka,
    on_line: Callable[[str], None],
    stop: threading.Event,
    from_beginning: bool,
    dry_run: bool = True,
) -> None:
    """Read alerts until `stop` is set, and give one line of text for each that matters to `on_line`.

    The position is committed behind each alert, in a consumer group of the hook's own; the first run begins
    with the oldest alert kept, and so does every run with `from_beginning`. What an earlier run acted on is
    read again in silence, so that a restart neither suspends twice nor forgets what to lift.

    Raises:
        SettingsError: not a dry run.
        BrokerError: no answer within about 10 s, no such topic, or the broker refuses.
    """
    if not dry_run:
        raise SettingsError(NO_HOOK)
    partitions = _partitions(kafka)
    client = consumer(kafka, "suspend-hook", **{"allow.auto.create.topics": False})
    resume: Resume = {}

    def assigned(client: Consumer, given: list[TopicPartition]) -> None:
        if not from_beginning:
            resume.update({each.partition: each.offset for each in _committed(client, given)})
        client.assign([TopicPartition(each.topic, each.partition, OFFSET_BEGINNING) for each in given])

    try:
        if kafka.static_assignment:
            assigned(client, partitions)
        else:
            client.subscribe([REPUTATION_ALERTS], on_assign=assigned)
        _consume(client, resume, on_line, stop)
    except KafkaException as error:
        raise BrokerError(f"Kafka at {kafka.bootstrap}: {error.args[0].str()}") from error
    finally:
        client.close()


def _committed(client: Consumer, given: list[TopicPartition]) -> list[TopicPartition]:
    """Where an earlier run got to. On a new cluster the first group that asks waits until Kafka has made its topic of
    offsets, which takes a while where the machine is busy."""
    deadline = time.monotonic() + COORDINATOR_S
    while True:
        try:
            return client.committed(given, timeout=REACH_S)
        except KafkaException as error:
            if error.args[0].code() not in NO_COORDINATOR or time.monotonic() > deadline:
                raise
            log.info("the group's coordinator does not answer yet: %s", error.args[0].str())


def _consume(client: Consumer, resume: Resume, on_line: Callable[[str], None], stop: threading.Event) -> None:
    seen = HookMemory()
    while not stop.is_set():
        message = client.poll(POLL_S)
        if message is None:
            continue
        if (error := message.error()) is not None:
            _note(error)
            continue
        line = _line(message, seen)
        if (message.offset() or 0) < resume.get(message.partition() or 0, 0):
            continue
        if line:
            on_line(line)
        _commit(client, message)


def _line(message: Message, seen: HookMemory) -> str | None:
    try:
        event = read_event(message.value() or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        place = f"{REPUTATION_ALERTS}[{message.partition()}]@{message.offset()}"
        return _one_line(f"skipped {place}, not an alert as a CloudEvent: {error}")
    # Among alerts there is what operators decided of customers.
    decision = decide(event, seen) if isinstance(event, AlertEvent) else None
    return str(decision) if decision else None


def _commit(client: Consumer, message: Message) -> None:
    try:
        client.commit(message=message, asynchronous=False)
    except KafkaException as error:
        # The next commit covers this one; at worst, after a restart, a line is said twice.
        _note(error.args[0])


def _note(error: KafkaError) -> None:
    """librdkafka continues by itself after an error, unless it is fatal or the broker's last word."""
    if error.fatal() or error.code() in REFUSALS:
        raise KafkaException(error)
    log.warning("consuming: %s", error.str())


def _partitions(kafka: Kafka) -> list[TopicPartition]:
    found = admin(kafka).list_topics(timeout=REACH_S).topics.get(REPUTATION_ALERTS)
    if found is None or found.error is not None or not found.partitions:
        raise BrokerError(
            f"Kafka at {kafka.bootstrap}: there is no topic {REPUTATION_ALERTS}; `repmon topics create` makes it"
        )
    return [TopicPartition(REPUTATION_ALERTS, number) for number in found.partitions]


def _over(event: AlertEvent, seen: HookMemory) -> HookDecision | None:
    """An episode that suspends no more."""
    data = event.data
    acted = seen.episodes.get(data.alert_id)
    if data.kind == "resolved":
        seen.episodes.drop(data.alert_id)
    else:
        seen.episodes.put(data.alert_id, False)
    if acted is False:
        return None
    holding = (seen.suspended.get(data.customer) or frozenset()) - {_suspending(data)}
    if holding:
        seen.suspended.put(data.customer, holding)
        return HookDecision("keep suspended", event, f"other open alerts: {len(holding)}")
    seen.suspended.drop(data.customer)
    # Its opening is older than what is kept or remembered; a suspension that is lifted in vain harms nobody.
    return HookDecision("lift", event, "" if acted else "if this alert had suspended it")


def _waiting(event: AlertEvent, seen: HookMemory) -> HookDecision | None:
    """An alert that is held: nothing is done, and what was done before is undone."""
    data = event.data
    if data.scope == CUSTOMER_SCOPE:
        if seen.episodes.get(data.alert_id):
            return _over(event, seen)
        seen.episodes.put(data.alert_id, False)
    return HookDecision("held", event) if data.kind in RISING or data.kind == "held" else None


def _suspending(data: AlertData) -> SuspendingEpisode:
    return SuspendingEpisode(data.rule, data.episode, data.alert_id)


def _suspends(data: AlertData) -> bool:
    return data.kind in RISING and data.level in SUSPENDING


def _verdict(data: AlertData) -> str:
    """`critical failure 14.20 % in 24h (threshold 10.00 %)`; a count stands as a count."""
    if data.kind == "overridden":  # the threshold is then that of what the override allows
        return f"overridden {data.metric} {amount(data.metric, data.rate)}"
    word = data.kind if data.kind == "resolved" else data.level
    found, threshold = (amount(data.metric, value) for value in (data.rate, data.threshold))
    return f"{word} {data.metric} {found} in {data.window} (threshold {threshold})"


def _one_line(text: str) -> str:
    """Text from outside as one line that cannot steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
