"""What one source partition has brought since its last flush: events in, a batch to store out. Pure.

A record is taken whole or not at all: if one of its events is bad, none of them counts. The bad records of a message
become a dead letter with their bytes, so that they can be sent again once they are mended; its other records count
(streams/adapt/apart.py). A batch holds whatever came; which of it was seen before is found out when it is stored. Where
too much of a partition is dead letters, its topic must not be read on.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import compress
from typing import TypeVar

from schemas.dead_letter import DeadLetter
from schemas.errors import ExternalError
from schemas.event import NEGATIVE_TYPES, MailEvent
from schemas.listing import BlocklistEvent
from schemas.times import MINUTE_MS, epoch_ms
from streams.adapt import Adapter, AdaptError, Context, batch_adapter
from streams.adapt.mail_report import is_unnamed
from streams.adapt.trust import RefusedReportError
from streams.bounces.classify import Classified, Classifier
from streams.intake.admission import Admission, NotAdmittedError
from streams.intake.bounds import TimeBounds
from streams.intake.count import (
    NO_DELIVERY,
    Counted,
    DeliveredMessages,
    EventTally,
    count_direct,
)
from streams.intake.new_names import NameGate
from streams.intake.outcomes import earlier_delivery_of
from streams.intake.refusals import Refused, Unwanted
from streams.intake.seen import Flags, Ids, SeenIds
from streams.intake.single import SingleReader
from streams.intake.stated import stated_ms
from streams.intake.unnamed import MessageSenders, Unnamed

T = TypeVar("T")

#: Where a run of messages has a bad one, runs of this length are tried before single messages.
SHORT_RUN = 50
#: The share of dead letters is counted in thousandths of messages.
THOUSAND = 1_000


@dataclass(frozen=True, slots=True)
class NegativeEvent:
    """A negative event: kept for evidence, and counted if it did not come before. `delivery` is the one that it may
    have come after (see `streams.intake.sent`). `sent` of the event is only given where it is believed."""

    position: int
    time_ms: int
    event: MailEvent
    classified: Classified | None
    delivery: int = NO_DELIVERY

    @property
    def minute(self) -> int:
        """The minute (epoch minutes, UTC) in which it is counted: that of sending, where that is known."""
        return (epoch_ms(self.event.sent) or self.time_ms) // MINUTE_MS


@dataclass(slots=True)
class SourcePartition:
    """A partition of a topic that is being read, and which event ids it brought lately.

    `name` is topic, topic id and partition: a topic that was recreated is a new source. `verified_s` is when the
    stored offset was last read to be ours (monotonic clock). `partitions` is how many the topic has, and `earlier`
    what it brought when it had another number of them, if that was lately. `leftovers` are positions of evidence that
    was there before the source was read, behind what was counted then.
    """

    name: str
    topic: str
    partition: int
    seen: SeenIds
    verified_s: float = 0.0
    partitions: int = 1
    earlier: SeenIds | None = None
    leftovers: set[int] = field(default_factory=set)

    def is_new(self, ids: Ids, hour: int) -> Flags:
        """Note ids that came in `hour` (epoch hours); for each whether it did not come before."""
        new = self.seen.add(ids, hour)
        return new if self.earlier is None else new & ~self.earlier.knows(ids, hour)


@dataclass(slots=True)
class Batch:
    """The unflushed part of one source.

    `position` is the offset at which it begins: one after the last stored offset. `next_offset` is one after
    the last message taken. Of `unnamed` the customers are found when it is stored, by `senders` and those stored
    before (streams/intake/message_senders.py). `unread` is how many messages of it could not be read, with the share of
    the bad records of those of which some could. `unseen`, set when the batch is stored for the first time, is what of
    it counts. `lost_tokens` is how many of its tokens the store remembers without the rows, `not_admitted` how many
    messages were of customers too many (streams/intake/admission.py).
    """

    source: SourcePartition
    position: int
    next_offset: int
    tally: EventTally = field(default_factory=EventTally)
    delivered: DeliveredMessages = field(default_factory=DeliveredMessages)
    senders: MessageSenders | None = None
    unnamed: list[Unnamed] = field(default_factory=list)
    negatives: list[NegativeEvent] = field(default_factory=list)
    unwanted: list[Unwanted] = field(default_factory=list)
    listings: list[tuple[int, BlocklistEvent]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    messages: int = 0
    unread: float = 0.0
    unseen: "Unseen | None" = None
    lost_tokens: int = 0
    not_admitted: int = 0

    @property
    def token(self) -> str:
        """What the store knows an INSERT of these counts by."""
        return f"{self.source.name}@{self.position}" + (f"#{self.lost_tokens}" if self.lost_tokens else "")

    @property
    def customers(self) -> set[str]:
        """Whose counts this batch may change."""
        tally = self.tally
        return tally.senders.customers(tally.counted().senders) | {each.event.customer for each in self.negatives}

    def next(self, *, forget: bool = False) -> "Batch":
        """An empty batch that continues behind this one, with the numbers of its senders unless it is to `forget`
        them."""
        tally = EventTally() if forget else EventTally(self.tally.senders)
        return Batch(self.source, self.next_offset, self.next_offset, tally)

    def note_taken(self, offsets: Sequence[int]) -> None:
        """The messages at these offsets, in order, are taken."""
        self.messages += len(offsets)
        self.next_offset = offsets[-1] + 1

    def add_negative(
        self, event: MailEvent, position: int, time_ms: int, classified: Classified | None = None, *, late: bool = False
    ) -> None:
        """Take a negative event at a position. With `late` its delivery is looked for (see `streams.intake.sent`)."""
        event.sent = stated_ms(event, time_ms)
        delivery = earlier_delivery_of(event) if late else NO_DELIVERY
        self.negatives.append(NegativeEvent(position, time_ms, event, classified, delivery))

    def set_aside(self, payload: bytes, offset: int, now_ms: int, reason: str, share: float = 1.0) -> None:
        """A message that cannot be taken, or what of it cannot (`share` of its records, a ratio), goes to the
        dead-letter topic."""
        source = self.source
        self.unread += share
        self.dead.append(
            DeadLetter(
                id=f"{source.name}@{offset}",
                topic=source.topic,
                source=source.name,
                partition=source.partition,
                offset=offset,
                time_ms=now_ms,
                reason=reason,
                payload=payload,
            )
        )


@dataclass(frozen=True, slots=True)
class Unseen:
    """What of a batch did not come before: what it counts, the ids to be remembered, and the negative events."""

    counted: Counted
    ids: Ids
    negatives: list[NegativeEvent]
    duplicates: int
    negative_duplicates: int


#: Takes consecutive messages of one source: its batch, their bytes, their offsets, the time now (epoch ms).
BatchReader = Callable[[Batch, Sequence[bytes], Sequence[int], int], None]


class MailReader:
    """A `BatchReader` of a topic with mail events: adapt, check, classify, count. Of the commonest formats whole runs
    are adapted at once, which gives the counts that one by one would give.

    With `cohorts` it is recorded which messages complaints may come of, with `refused` which mail went to people who
    wanted none, with `find_late` what was delivered, so that bounces are found that came later,
    with `remember_senders` who sent which message. `admission` bounds how many new customers it may bring,
    `names` how many new streams, addresses and the like.
    """

    def __init__(
        self,
        adapt: Adapter,
        context: Context,
        classify: Classifier,
        bounds: TimeBounds,
        *,
        cohorts: bool = True,
        refused: Refused | None = None,
        find_late: bool = False,
        remember_senders: bool = False,
        admission: Admission | None = None,
        names: NameGate | None = None,
    ) -> None:
        self._single = SingleReader(adapt, context, bounds, admission)
        self._names = names
        self._admission = admission
        self._context = context
        self._classify = classify
        self._bounds = bounds
        self._reporting = frozenset(context.providers.with_feedback_loop() if cohorts else ())
        self._refused = refused
        self._find_late = find_late
        self._remembered_at = frozenset(context.providers.with_feedback_loop() if remember_senders else ())
        self._adapt_all = batch_adapter(adapt)

    def __call__(self, batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        """Take the messages into the batch."""
        batch.note_taken(offsets)
        if self._names is not None:
            self._names.now_ms = now_ms
            batch.tally.senders.gate = self._names
        self._fast_path(batch, payloads, offsets, now_ms)

    def _fast_path(self, batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        """All at once; where one is out of the ordinary, in shorter runs, and these one by one."""
        found = self._adapt_all(payloads, self._context) if self._adapt_all is not None else None
        times = _times_within(found[0], self._bounds, now_ms) if found is not None else None
        if found is not None and times is not None and self._admits(found[0], now_ms):
            events, places = found
            one_each = isinstance(places, range)
            self._add(batch, events, offsets if one_each else [offsets[place] for place in places], times)
        elif self._adapt_all is None or len(payloads) <= SHORT_RUN:
            self._one_by_one(batch, payloads, offsets, now_ms)
        else:
            for start in range(0, len(payloads), SHORT_RUN):
                part = slice(start, start + SHORT_RUN)
                self._fast_path(batch, payloads[part], offsets[part], now_ms)

    def _admits(self, events: Sequence[MailEvent], now_ms: int) -> bool:
        """Whether the events' customers are known, or there is room for those who are new."""
        if (gate := self._admission) is None:
            return True
        names = {each.customer for each in events}
        return names <= gate.known.names or gate.admit(names, now_ms)

    def _one_by_one(self, batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        events: list[MailEvent] = []
        places: list[int] = []
        times: list[int] = []
        for payload, offset in zip(payloads, offsets, strict=True):
            try:
                found, rest = self._single.read(payload, now_ms)
            except AdaptError as error:
                batch.not_admitted += isinstance(error, NotAdmittedError)
                # Who is not believed must not be able to stop the topic.
                share = 0.0 if isinstance(error, RefusedReportError | NotAdmittedError) else 1.0
                batch.set_aside(payload, offset, now_ms, str(error), share)
                continue
            if rest is not None:
                batch.set_aside(rest.rest, offset, now_ms, rest.reason, rest.bad_share)
            if any(map(is_unnamed, found)):
                waiting = [event for event in found if is_unnamed(event)]
                batch.unnamed.append(Unnamed(offset, payload, now_ms, waiting))
                found = [event for event in found if not is_unnamed(event)]
            events += found
            times += [epoch_ms(event.time) for event in found]
            places += [offset] * len(found)
        self._add(batch, events, places, times)

    def _add(self, batch: Batch, events: list[MailEvent], offsets: Sequence[int], times: list[int]) -> None:
        if self._refused is not None:
            batch.unwanted += self._refused.unwanted(events, offsets, times)
        rare = [at for at, event in enumerate(events) if event.type in NEGATIVE_TYPES]
        for at in rare:
            event = events[at]
            batch.add_negative(event, offsets[at], times[at], self._why(event), late=self._find_late)
        if rare:
            events, times = _without(events, rare), _without(times, rare)
        # Counted by the time of sending where that is known, so that what comes of the same mail is counted there too.
        counted = [(stated_ms(e, time) or time) if e.sent else time for e, time in zip(events, times, strict=True)]
        if self._reporting:
            batch.delivered.note(events, counted, self._reporting)
        if self._remembered_at:
            batch.senders = batch.senders or MessageSenders()
            batch.senders.note(events, counted, self._remembered_at)
        if self._find_late:
            batch.delivered.note_recipients(events, counted)
        count_direct(batch.tally, events, counted)

    def _why(self, event: MailEvent) -> Classified | None:
        """Why a message bounced, or was refused for its sender until it expired; None of what failed otherwise.

        Whose mail is deferred for reputation until its host gives up was blocked: nobody failed to be reached.
        """
        if event.type == "bounced":
            return self._classify(event)
        if event.type == "expired" and (event.smtp_code or event.diagnostic):
            last = self._classify(event)
            return last if last.kind == "block" else None
        return None


def _without(items: Sequence[T], places: Sequence[int]) -> list[T]:
    kept = [True] * len(items)
    for place in places:
        kept[place] = False
    return list(compress(items, kept))


def _times_within(events: list[MailEvent], bounds: TimeBounds, now_ms: int) -> list[int] | None:
    """The times of all events in epoch ms, or None where one lies too far from now."""
    times = [epoch_ms(event.time) for event in events]
    if times and (min(times) < now_ms - bounds.behind_ms or max(times) > now_ms + bounds.ahead_ms):
        return None
    return times


class DeadShareError(ExternalError):
    """Too large a share of a source partition cannot be read; the message says what to look at."""


class DeadShare:
    """How much of one source partition became dead letters: a worker whose topic suddenly cannot be read must stop
    reading it, not set the topic aside.

    Of a message of which some records were read its share of bad records counts, to a thousandth.

    A few bad messages are their senders' fault, and the stream continues without them. When a large share is bad, the
    fault is more likely here: the wrong format for the topic, or a release that reads it wrongly.

    The share is taken over a sliding window of the last messages, in whole calls of `note`: the window is the fewest
    latest calls that together hold `window` messages. Called for each message it is exactly the last `window`
    messages; called for each batch it is at most one batch longer.

    Before `window` messages were seen nothing is exceeded, so a quiet topic whose first 50 messages are all bad
    continues: of so few it cannot be said whether the format or one sender is at fault, every message is kept as a dead
    letter, and one bad message among the first three must stop nobody. Where that is too late, lower
    `ingest.dead_letter_window`.

    `share` is a ratio (0.2 is 20 %), exceeded only above it: with 1 it never is. `window` is in messages.
    """

    def __init__(self, topic: str, partition: int, share: float = 0.2, window: int = 1000) -> None:
        self.topic = topic
        self.partition = partition
        # As it is written in the settings: 29 of 100 is not above 0.29, though the float 0.29 * 100 is below 29.
        self.share = Fraction(str(share))
        self.window = window
        self.last_reason = ""
        self._calls: deque[tuple[int, int]] = deque()
        self._messages = 0
        self._bad = 0

    def note(self, good: float, bad: float, last_reason: str = "") -> None:
        """Messages taken since the last call: how many were read, how many became dead letters, and why the last
        of those did."""
        messages = round(good + bad)
        if messages == 0:
            return
        if last_reason:
            self.last_reason = last_reason
        calls = self._calls
        calls.append((messages, round(bad * THOUSAND)))
        self._messages += messages
        self._bad += calls[-1][1]
        while self._messages - calls[0][0] >= self.window:
            old_messages, old_bad = calls.popleft()
            self._messages -= old_messages
            self._bad -= old_bad

    @property
    def exceeded(self) -> bool:
        """Whether the window is full and more than the share of it is bad."""
        return self._messages >= self.window and self._bad > self.share * self._messages * THOUSAND

    def check(self) -> None:
        """Say so if the topic must not be read on.

        Raises:
            DeadShareError: the share is exceeded.
        """
        if self.exceeded:
            raise DeadShareError(self._text())

    def _text(self) -> str:
        bad = self._bad / THOUSAND
        found, allowed = 100 * bad / self._messages, 100 * float(self.share)
        reason = f"; the last one: {self.last_reason}" if self.last_reason else ""
        return (
            f"{self.topic}, partition {self.partition}: {bad:,.0f} of the last {self._messages:,} messages "
            f"({found:.1f} %) could not be read, and ingest.dead_letter_share allows {allowed:g} %{reason}. "
            "The topic is read no more until the next start. Is ingest.formats right for it? `repmon dead-letters list "
            "--summary` shows what was set aside; with ingest.dead_letter_share = 1 all of it is"
        )
